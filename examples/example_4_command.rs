//! Example 4: data of low importance under a symmetric key from an external source.
//!
//! The key is stateless and not kept in cache, and a command fetches it, as one would fetch it from
//! a cloud provider's secrets manager. It is asked each time, and nothing is kept: what was
//! encrypted before a change without preparation is lost.
//!
//! `cargo run --example example_4_command`

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use keyward::{
    AeadCryptoTool, CommandStore, CryptoTool, FileStore, KeyAnswer, KeysManagement,
    SecretKeyDefinition,
};

const EXAMPLE4_KEY_NAME: &str = "EXAMPLE4_DATA";
const KEY: &[u8] = b"the key of example 4, long enough for an AEAD";
const NEW_KEY: &[u8] = b"the new key of example 4, long enough as well";
const DATA: &[u8] = b"data of low importance";

/// Stands for the provider's client. Each call leaves a line in a file beside the secrets.
const CLIENT: &str = r#"#!/bin/sh
echo called >> "$SECRETS/calls"
exec cat "$SECRETS/$1"
"#;

/// Runs the example; it panics or fails where something is not as it claims.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    put(&folder.join("master.key"), 0o600, &random)?;
    put(&folder.join("fetch-secret"), 0o700, CLIENT.as_bytes())?;
    put(&folder.join("example4"), 0o600, KEY)?;

    let keys_management = KeysManagement::builder()
        .data_folder(folder.join("data"))
        .master_key(FileStore::new(folder.join("master.key")).exact())
        .start()
        .await?;
    let example4_key_store = CommandStore::new(folder.join("fetch-secret"))
        .arg("example4")
        .env("SECRETS", folder);
    let definition = SecretKeyDefinition::round_trip(EXAMPLE4_KEY_NAME, example4_key_store)
        .stateless(true)
        .keep_in_cache(false);
    keys_management.define_key(definition).await?;

    let key = keys_management
        .get_forward_path_key(EXAMPLE4_KEY_NAME)
        .await?;
    save_example4_data(folder, DATA, &key)?;
    assert_eq!(calls(folder)?, 1);
    println!("the forward path's key is fetched from its store");

    let key = keys_management.get_back_path_key(EXAMPLE4_KEY_NAME).await?;
    assert_eq!(get_example4_data(folder, &key)?, DATA);
    assert_eq!(calls(folder)?, 2);
    println!("the back path's key is fetched from its store too, and not from a cache");

    let key = keys_management
        .get_forward_path_key(EXAMPLE4_KEY_NAME)
        .await?;
    save_example4_data(folder, DATA, &key)?;
    assert_eq!(calls(folder)?, 3);

    put(&folder.join("example4"), 0o600, NEW_KEY)?;
    let key = keys_management.get_back_path_key(EXAMPLE4_KEY_NAME).await?;
    assert_eq!(key.expose(), NEW_KEY);
    assert_eq!(calls(folder)?, 4);
    assert!(get_example4_data(folder, &key).is_err());
    println!("after a change the back path gets the new key, and the old data is lost");

    keys_management.shutdown().await?;
    Ok(())
}

fn save_example4_data(
    folder: &Path,
    data: &[u8],
    key: &KeyAnswer,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let tool = AeadCryptoTool::derive(&key.value, b"example 4")?;
    fs::write(folder.join("example4.data"), tool.seal(data, b"")?)?;
    Ok(())
}

fn get_example4_data(
    folder: &Path,
    key: &KeyAnswer,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let tool = AeadCryptoTool::derive(&key.value, b"example 4")?;
    let data = tool.open(&fs::read(folder.join("example4.data"))?, b"")?;
    Ok(data.to_vec())
}

fn calls(folder: &Path) -> io::Result<usize> {
    Ok(fs::read_to_string(folder.join("calls"))?.lines().count())
}

/// Puts a finished file in place: no reader sees half a key.
fn put(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&unfinished)?;
    file.write_all(content)?;
    fs::rename(unfinished, path)
}
