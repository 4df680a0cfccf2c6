//! The README's first program. It reads three key files in the current folder.

use keyward::{Change, Effect, FileStore, KeyChange, KeysManagement, SecretKeyDefinition};
use std::{error::Error, fs};

#[tokio::main]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let file = |name| FileStore::new(name).exact();
    let builder = KeysManagement::builder().data_folder("data");
    let keys = builder.master_key(file("master.key")).start().await?;
    let documents = SecretKeyDefinition::round_trip("documents", file("documents.key"));
    keys.define_key(documents).await?;

    let anna = keys.join("anna").await?;
    let key = anna.get_forward_path_key("documents").await?;
    println!("anna encrypts with {} bytes", key.value.expose().len());
    let callback = |change: KeyChange| async move {
        // Here anna reads what change.old_keys opens and writes it under change.new_keys.
        println!("anna re-encrypts, attempt {}", change.key.attempt());
        Effect::Reencrypted
    };
    anna.register_on_change("documents", "reencrypt", callback)
        .await?;

    let (old, new) = (fs::read("documents.key")?, fs::read("next.key")?);
    let change = Change::of("documents").old(old).new_keys(new);
    let report = keys.key_changed(change).await?;
    println!("rotation {} is {}", report.id, report.state);
    Ok(keys.shutdown().await?)
}
