//! Example 2: data of high importance under an asymmetric pair from two configuration files.
//!
//! The key is stated and kept in cache: what one lifetime of the application encrypted, the next
//! one decrypts, whatever became of the store in between. Each lifetime is a process of its own,
//! for which the program starts itself again, and the first one is killed. All of it is done with
//! each alternative of the callback, in a folder of its own.
//!
//! `cargo run --example example_2_lifetimes`

use std::env;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyward::{
    AeadCryptoTool, Change, CryptoTool, Effect, FileStore, KeyChange, KeysManagement,
    RotationState, SecretKeyDefinition, SecretKeyFlow, SecretKeyValue, block_on,
};

const EXAMPLE2_KEY_NAME: &str = "EXAMPLE2_DATA";
const ENCRYPT_KEY: &str = "encrypt with the first key material of example 2";
const DECRYPT_KEY: &str = "decrypt with the first key material of example 2";
const NEW_ENCRYPT_KEY: &str = "encrypt with the second key material of example 2";
const NEW_DECRYPT_KEY: &str = "decrypt with the second key material of example 2";
const DATA: &[u8] = b"data of high importance";

const LIFETIME: &str = "EXAMPLE2_LIFETIME";
const FOLDER: &str = "EXAMPLE2_FOLDER";
const ALTERNATIVE: &str = "EXAMPLE2_ALTERNATIVE";
/// The alternatives of the callback: it re-encrypts the data, it decrypts the data and sets the last
/// flow, or it decrypts the data and says so by its answer.
const ALTERNATIVES: [&str; 3] = ["re-encrypt", "decrypt and set the last flow", "decrypt"];

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Runs the example; it panics or fails where something is not as it claims.
#[tokio::main]
pub async fn main() -> Outcome<()> {
    let Ok(lifetime) = env::var(LIFETIME) else {
        return ALTERNATIVES.into_iter().try_for_each(all_lifetimes);
    };
    let folder = PathBuf::from(env::var_os(FOLDER).ok_or("no folder")?);
    let alternative = env::var(ALTERNATIVE)?;
    match lifetime.as_str() {
        "1" => first_lifetime(&folder, &alternative).await,
        "2" => second_lifetime(&folder, &alternative).await,
        _ => third_lifetime(&folder, &alternative).await,
    }
}

fn all_lifetimes(alternative: &str) -> Outcome<()> {
    println!("with a callback that does this: {alternative}");
    let folder = tempfile::tempdir()?;
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    put_key(&folder.path().join("master.key"), &random)?;
    configure(folder.path(), ENCRYPT_KEY, DECRYPT_KEY)?;
    for lifetime in ["1", "2", "3"] {
        live(lifetime, folder.path(), alternative)?;
    }
    Ok(())
}

/// Starts this program again for one lifetime and passes its story on. The first lifetime is killed
/// as soon as it has told of its data; the others have to end well.
fn live(lifetime: &str, folder: &Path, alternative: &str) -> Outcome<()> {
    let mut child = Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(LIFETIME, lifetime)
        .env(FOLDER, folder)
        .env(ALTERNATIVE, alternative)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("the child has no output")?;
    let mut told = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some(at) = line.find("lifetime ") {
            println!("  {}", line.get(at..).unwrap_or_default());
            told += 1;
            if lifetime == "1" {
                child.kill()?;
            }
        }
    }
    let status = child.wait()?;
    assert!(
        told > 0,
        "lifetime {lifetime} told nothing and ended with {status}"
    );
    assert!(
        lifetime == "1" || status.success(),
        "lifetime {lifetime} ended with {status}"
    );
    Ok(())
}

async fn first_lifetime(folder: &Path, alternative: &str) -> Outcome<()> {
    let keys_management = start(folder, alternative).await?;
    let key = keys_management
        .get_forward_path_key(EXAMPLE2_KEY_NAME)
        .await?;
    save_example2_data(folder, DATA, &key.value)?;
    // At once, so that the key is not lost whatever happens next.
    keys_management.save_state(EXAMPLE2_KEY_NAME).await?;
    println!(
        "lifetime 1: the data is saved, encrypted, and so is the key's state; now it is killed"
    );
    io::stdin().read_to_end(&mut Vec::new())?;
    Err("it should have been killed".into())
}

async fn second_lifetime(folder: &Path, alternative: &str) -> Outcome<()> {
    let keys_management = start(folder, alternative).await?;

    let key = keys_management.get_back_path_key(EXAMPLE2_KEY_NAME).await?;
    assert_eq!(key.expose_str(), Some(DECRYPT_KEY));
    assert_eq!(get_example2_data(folder, &key.value)?, DATA);
    assert_eq!(reads_and_store_calls(&keys_management).await?, (1, 0));
    println!("lifetime 2: on first use the key is fetched from the state repo; the data is there");

    let decrypt_key = keys_management.get_back_path_key(EXAMPLE2_KEY_NAME).await?;
    assert_eq!(decrypt_key.expose_str(), Some(DECRYPT_KEY));
    assert_eq!(reads_and_store_calls(&keys_management).await?, (1, 0));
    println!("lifetime 2: the second time it is fetched from the cache");

    let key = keys_management
        .get_forward_path_key(EXAMPLE2_KEY_NAME)
        .await?;
    assert_eq!(key.expose_str(), Some(ENCRYPT_KEY));
    save_example2_data(folder, DATA, &key.value)?;

    let change = Change::of(EXAMPLE2_KEY_NAME)
        .old((ENCRYPT_KEY, DECRYPT_KEY))
        .new_keys((NEW_ENCRYPT_KEY, NEW_DECRYPT_KEY));
    let report = keys_management.key_changed(change).await?;
    assert_eq!(report.state, RotationState::Completed);
    configure(folder, NEW_ENCRYPT_KEY, NEW_DECRYPT_KEY)?;
    println!("lifetime 2: the change is declared, then made");

    let key = keys_management.get_back_path_key(EXAMPLE2_KEY_NAME).await?;
    assert_eq!(get_example2_data(folder, &key.value)?, DATA);
    if alternative == "re-encrypt" {
        assert_eq!(key.expose_str(), Some(NEW_DECRYPT_KEY));
        println!("lifetime 2: the data is there, under the new key");
    } else {
        assert!(is_plain(folder)?);
        println!("lifetime 2: the data is there, plain; it is encrypted anew");
        let key = keys_management
            .get_forward_path_key(EXAMPLE2_KEY_NAME)
            .await?;
        assert_eq!(key.expose_str(), Some(NEW_ENCRYPT_KEY));
        save_example2_data(folder, DATA, &key.value)?;
        // The callback saved no state: the application does, at its end.
        keys_management.save_states().await?;
    }
    keys_management.shutdown().await?;
    Ok(())
}

async fn third_lifetime(folder: &Path, alternative: &str) -> Outcome<()> {
    let keys_management = start(folder, alternative).await?;
    let key = keys_management.get_back_path_key(EXAMPLE2_KEY_NAME).await?;
    assert_eq!(key.expose_str(), Some(NEW_DECRYPT_KEY));
    assert_eq!(get_example2_data(folder, &key.value)?, DATA);
    assert_eq!(reads_and_store_calls(&keys_management).await?, (1, 0));
    println!("lifetime 3: the new key is fetched from the state repo; the data is there");
    keys_management.shutdown().await?;
    Ok(())
}

async fn start(folder: &Path, alternative: &str) -> Outcome<KeysManagement> {
    let keys_management = KeysManagement::builder()
        .data_folder(folder.join("data"))
        .master_key(FileStore::new(folder.join("master.key")).exact())
        .start()
        .await?;
    let store = FileStore::pair(folder.join("encrypt.key"), folder.join("decrypt.key"));
    let definition = SecretKeyDefinition::round_trip(EXAMPLE2_KEY_NAME, store)
        .stateless(false)
        .keep_in_cache(true);
    keys_management.define_key(definition).await?;

    let (folder, alternative) = (folder.to_owned(), alternative.to_owned());
    let callback = move |change: KeyChange| match alternative.as_str() {
        "re-encrypt" => on_example2_key_changed(&folder, &change),
        "decrypt" => on_example2_key_changed_3(&folder, &change),
        _ => on_example2_key_changed_2(&folder, &change).map(|()| Effect::Nothing),
    };
    keys_management
        .register_on_change(EXAMPLE2_KEY_NAME, "data", callback)
        .await?;
    Ok(keys_management)
}

/// Alternative one: decrypts, encrypts again and saves the state.
///
/// After a crash it is called again, so it leaves data alone that the new key opens already.
fn on_example2_key_changed(folder: &Path, change: &KeyChange) -> Outcome<Effect> {
    let (Some(old), Some(new)) = (&change.old_keys, &change.new_keys) else {
        return Err("both the old and the new keys have to be declared".into());
    };
    let encrypted = change.key.last_flow()? == Some(SecretKeyFlow::ForwardPath);
    if encrypted && get_example2_data(folder, new.back()).is_err() {
        let data = get_example2_data(folder, old.back())?;
        save_example2_data(folder, &data, new.forward())?;
    }
    block_on(change.key.save_state())?;
    Ok(if encrypted {
        Effect::Reencrypted
    } else {
        Effect::Nothing
    })
}

/// Alternative two: only decrypts, and sets the last flow to say so. The state is saved later.
fn on_example2_key_changed_2(folder: &Path, change: &KeyChange) -> Outcome<()> {
    if change.key.last_flow()? == Some(SecretKeyFlow::ForwardPath) {
        decrypt_example2_data(folder, change)?;
        change.key.set_last_flow(SecretKeyFlow::BackPath)?;
    }
    Ok(())
}

/// Alternative two in keyward's words: the effect sets the last flow, and the old key is held no
/// longer.
fn on_example2_key_changed_3(folder: &Path, change: &KeyChange) -> Outcome<Effect> {
    if change.key.last_flow()? != Some(SecretKeyFlow::ForwardPath) {
        return Ok(Effect::Nothing);
    }
    decrypt_example2_data(folder, change)?;
    Ok(Effect::Decrypted)
}

fn decrypt_example2_data(folder: &Path, change: &KeyChange) -> Outcome<()> {
    let old = change
        .old_keys
        .as_ref()
        .ok_or("the old keys have to be declared")?;
    let data = get_example2_data(folder, old.back())?;
    put(folder, b'P', &data)
}

fn save_example2_data(folder: &Path, data: &[u8], key: &SecretKeyValue) -> Outcome<()> {
    put(folder, b'E', &tool(key, "encrypt ")?.seal(data, b"")?)
}

/// The data, encrypted or plain: it is always accessible.
fn get_example2_data(folder: &Path, key: &SecretKeyValue) -> Outcome<Vec<u8>> {
    let tool = tool(key, "decrypt ")?;
    match fs::read(folder.join("example2.data"))?.split_first() {
        Some((b'E', sealed)) => Ok(tool.open(sealed, b"")?.to_vec()),
        Some((b'P', data)) => Ok(data.to_vec()),
        _ => Err("the data file is damaged".into()),
    }
}

fn is_plain(folder: &Path) -> Outcome<bool> {
    Ok(fs::read(folder.join("example2.data"))?.first() == Some(&b'P'))
}

/// Plays an asymmetric algorithm: each half says what it is good for, and does nothing else.
fn tool(half: &SecretKeyValue, use_of_it: &str) -> Outcome<AeadCryptoTool> {
    let text = half.expose_str().ok_or("the key is no text")?;
    let material = text
        .strip_prefix(use_of_it)
        .ok_or("this is the other half of the key")?;
    Ok(AeadCryptoTool::derive(&material.into(), b"example 2")?)
}

/// The data file is never half written, whenever the process is killed.
fn put(folder: &Path, form: u8, content: &[u8]) -> Outcome<()> {
    let unfinished = folder.join("example2.unfinished");
    fs::write(&unfinished, [&[form], content].concat())?;
    Ok(fs::rename(unfinished, folder.join("example2.data"))?)
}

/// How often the state repo was read and the store was asked in this lifetime.
async fn reads_and_store_calls(keys_management: &KeysManagement) -> Outcome<(u64, u64)> {
    let status = keys_management.status().await?;
    let key = status.keys.first().ok_or("no key is defined")?;
    Ok((key.facts.state_reads, key.facts.store_calls))
}

fn configure(folder: &Path, encrypt_key: &str, decrypt_key: &str) -> io::Result<()> {
    put_key(&folder.join("encrypt.key"), encrypt_key.as_bytes())?;
    put_key(&folder.join("decrypt.key"), decrypt_key.as_bytes())
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
