//! The README's first program. It reads three key files in the current folder.

use keyward::{Change, Effect, FileStore, KeyChange, KeysManagement, SecretKeyDefinition};
use std::{error::Error, fs};

#[tokio::main]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let file = |name| FileStore::new(name).exact();
    let master = file("master.key");
    let keys = KeysManagement::builder()
        .data_folder("data")
        .master_key(master)
        .start()
        .await?;
    keys.define_key(SecretKeyDefinition::round_trip(
        "documents",
        file("documents.key"),
    ))
    .await?;

    let anna = keys.join("anna").await?;
    let key = anna.get_forward_path_key("documents").await?;
    println!(
        "anna encrypts her documents with {} bytes",
        key.value.expose().len()
    );
    let callback = |change: KeyChange| async move {
        // Here anna reads what change.old_keys opens and writes it under change.new_keys.
        println!("anna re-encrypts, attempt {}", change.key.attempt());
        Effect::Reencrypted
    };
    anna.register_on_change("documents", "reencrypt", callback)
        .await?;

    let change = Change::of("documents")
        .old(fs::read("documents.key")?)
        .new_keys(fs::read("next.key")?);
    let report = keys.key_changed(change).await?;
    println!("rotation {} is {}", report.id, report.state);
    Ok(keys.shutdown().await?)
}
