//! Example 3: data of medium importance under a symmetric key from a configuration file.
//!
//! The key is stateless and kept in cache: data is not lost within one lifetime of the application,
//! although there is no callback. After a change the old key is answered once, then the new one.
//!
//! `cargo run --example example_3_cached`

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use keyward::{
    AeadCryptoTool, Change, CryptoTool, FileStore, KeyAnswer, KeysManagement, RotationState,
    SecretKeyDefinition,
};

const EXAMPLE3_KEY_NAME: &str = "EXAMPLE3_DATA";
const KEY: &str = "the key of example 3, long enough for an AEAD";
const NEW_KEY: &str = "the new key of example 3, long enough as well";
const DATA: &[u8] = b"data of medium importance";

/// Runs the example; it panics or fails where something is not as it claims.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    put_key(&folder.path().join("master.key"), &random)?;
    put_key(&folder.path().join("EXAMPLE3_DATA_KEY"), KEY.as_bytes())?;

    first_lifetime(folder.path()).await?;
    second_lifetime(folder.path()).await
}

async fn first_lifetime(folder: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let keys_management = start(folder).await?;
    let key = keys_management
        .get_forward_path_key(EXAMPLE3_KEY_NAME)
        .await?;
    save_example3_data(folder, DATA, &key)?;
    println!("lifetime 1: the data is saved, encrypted");
    keys_management.shutdown().await?;
    Ok(())
}

async fn second_lifetime(folder: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let keys_management = start(folder).await?;

    let key = keys_management.get_back_path_key(EXAMPLE3_KEY_NAME).await?;
    assert_eq!(get_example3_data(folder, &key)?, DATA);
    assert_eq!(store_calls(&keys_management).await?, 1);
    println!("lifetime 2: on first use the key is fetched from its store; the data is there");

    let key = keys_management
        .get_forward_path_key(EXAMPLE3_KEY_NAME)
        .await?;
    save_example3_data(folder, DATA, &key)?;
    assert_eq!(store_calls(&keys_management).await?, 2);

    let change = Change::of(EXAMPLE3_KEY_NAME).old(KEY).new_keys(NEW_KEY);
    let report = keys_management.key_changed(change).await?;
    assert_eq!(report.state, RotationState::Completed);
    put_key(&folder.join("EXAMPLE3_DATA_KEY"), NEW_KEY.as_bytes())?;
    println!("lifetime 2: the change is declared, then made");

    let key = keys_management.get_back_path_key(EXAMPLE3_KEY_NAME).await?;
    assert_eq!(key.expose_str(), Some(KEY));
    assert_eq!(get_example3_data(folder, &key)?, DATA);
    assert_eq!(store_calls(&keys_management).await?, 2);
    println!("lifetime 2: the old key is fetched from the cache; the data is there");

    let key = keys_management.get_back_path_key(EXAMPLE3_KEY_NAME).await?;
    assert_eq!(key.expose_str(), Some(NEW_KEY));
    let key = keys_management
        .get_forward_path_key(EXAMPLE3_KEY_NAME)
        .await?;
    assert_eq!(key.expose_str(), Some(NEW_KEY));
    println!("lifetime 2: from then on both paths get the new key");

    save_example3_data(folder, DATA, &key)?;
    let key = keys_management.get_back_path_key(EXAMPLE3_KEY_NAME).await?;
    assert_eq!(get_example3_data(folder, &key)?, DATA);

    keys_management.shutdown().await?;
    Ok(())
}

async fn start(folder: &Path) -> Result<KeysManagement, Box<dyn Error + Send + Sync>> {
    let keys_management = KeysManagement::builder()
        .data_folder(folder.join("data"))
        .master_key(FileStore::new(folder.join("master.key")).exact())
        .start()
        .await?;
    // A file is read anew at each fetch, so the store answers the latest configuration.
    let store = FileStore::new(folder.join("EXAMPLE3_DATA_KEY"));
    let definition = SecretKeyDefinition::round_trip(EXAMPLE3_KEY_NAME, store)
        .stateless(true)
        .keep_in_cache(true);
    keys_management.define_key(definition).await?;
    Ok(keys_management)
}

fn save_example3_data(
    folder: &Path,
    data: &[u8],
    key: &KeyAnswer,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let tool = AeadCryptoTool::derive(&key.value, b"example 3")?;
    fs::write(folder.join("example3.data"), tool.seal(data, b"")?)?;
    Ok(())
}

fn get_example3_data(
    folder: &Path,
    key: &KeyAnswer,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let tool = AeadCryptoTool::derive(&key.value, b"example 3")?;
    let data = tool.open(&fs::read(folder.join("example3.data"))?, b"")?;
    Ok(data.to_vec())
}

async fn store_calls(
    keys_management: &KeysManagement,
) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let status = keys_management.status().await?;
    let key = status.keys.first().ok_or("no key is defined")?;
    Ok(key.facts.store_calls)
}

/// Puts a finished file in place, which only its owner may read: no reader sees half a key.
fn put_key(path: &Path, key: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(key)?;
    fs::rename(unfinished, path)
}
