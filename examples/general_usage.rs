//! General usage: a key, a callback, and a declared change.
//!
//! `cargo run --example general_usage`

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use keyward::{Change, FileStore, KeyChange, KeysManagement, RotationState, SecretKeyDefinition};

const KEY_NAME: &str = "my_first_key";
const FIRST_VALUE: &str = "value_1";
const SECOND_VALUE: &str = "value_2";

/// Runs the example; it panics or fails where something is not as it claims.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let keys_management = KeysManagement::builder()
        .data_folder(folder.path().join("data"))
        .master_key(FileStore::new(new_master_key(folder.path())?).exact())
        .start()
        .await?;

    // What the store answers can be changed from here, as an administrator would change it.
    let value_for_key_store = Arc::new(Mutex::new(FIRST_VALUE));
    let symmetric_key_store = {
        let value = Arc::clone(&value_for_key_store);
        move || value.lock().map(|value| *value).map_err(|_| "poisoned")
    };
    let definition = SecretKeyDefinition::round_trip(KEY_NAME, symmetric_key_store)
        .stateless(true)
        .keep_in_cache(true);
    keys_management.define_key(definition).await?;

    let printed = Arc::new(Mutex::new(Vec::new()));
    let on_keys_change = {
        let printed = Arc::clone(&printed);
        move |change: KeyChange| print_change(&change, &printed)
    };
    keys_management
        .register_on_change(KEY_NAME, "print", on_keys_change)
        .await?;

    let forward = keys_management.get_forward_path_key(KEY_NAME).await?;
    assert_eq!(forward.expose_str(), Some(FIRST_VALUE));
    println!("the forward path gets {FIRST_VALUE}");

    let change = Change::of(KEY_NAME).old(FIRST_VALUE).new_keys(SECOND_VALUE);
    let report = keys_management.key_changed(change).await?;
    assert_eq!(report.state, RotationState::Completed);
    *value_for_key_store.lock().map_err(|_| "poisoned")? = SECOND_VALUE;

    let back = keys_management.get_back_path_key(KEY_NAME).await?;
    assert_eq!(back.expose_str(), Some(FIRST_VALUE));
    println!("after the change the back path still gets {FIRST_VALUE}, which is owed to it");

    let once = format!("key_changed from {FIRST_VALUE} to {SECOND_VALUE}.");
    assert_eq!(*printed.lock().map_err(|_| "poisoned")?, [once]);
    println!("the callback was called once");

    let forward = keys_management.get_forward_path_key(KEY_NAME).await?;
    assert_eq!(forward.expose_str(), Some(SECOND_VALUE));
    println!("the forward path gets {SECOND_VALUE}");

    keys_management.shutdown().await?;
    Ok(())
}

/// These values are no secrets; a real callback must not print the keys it is given.
fn print_change(change: &KeyChange, printed: &Mutex<Vec<String>>) -> Result<(), &'static str> {
    let (Some(old), Some(new)) = (&change.old_keys, &change.new_keys) else {
        return Err("both the old and the new key are declared here");
    };
    let old = old.back().expose_str().ok_or("the old key is no text")?;
    let new = new.back().expose_str().ok_or("the new key is no text")?;
    let text = format!("key_changed from {old} to {new}.");
    println!("{text}");
    printed.lock().map_err(|_| "poisoned")?.push(text);
    Ok(())
}

/// 32 random bytes in a file that only its owner may read.
fn new_master_key(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("master.key");
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    file.write_all(&bytes)?;
    Ok(path)
}
