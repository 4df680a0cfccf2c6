//! A key with versions: documents are read without a failure while their key changes.
//!
//! Each document carries the id of the version that it is encrypted under, and is read by it. A task reads all
//! documents over and over while the key changes twice, and keyward makes the new values and puts them into the
//! key's file.
//!
//! `cargo run --example versions`

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use keyward::{
    AeadCryptoTool, Change, CryptoTool, Effect, FileStore, KeyAnswer, KeyChange, KeysManagement,
    RotationState, SecretKeyDefinition, SecretKeyValue, VersionId, Worker, split, tag,
};

type Failure = Box<dyn Error + Send + Sync>;

const KEY_NAME: &str = "documents";
const DOCUMENTS: [&str; 3] = ["letter", "contract", "invoice"];

/// Runs the example; it panics or fails where something is not as it claims.
#[tokio::main]
pub async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let documents = folder.path().join("documents");
    fs::create_dir(&documents)?;
    let key_file = random_file(folder.path(), "documents.key")?;
    let keys_management = KeysManagement::builder()
        .data_folder(folder.path().join("data"))
        .master_key(FileStore::new(random_file(folder.path(), "master.key")?).exact())
        .start()
        .await?;
    let definition =
        SecretKeyDefinition::round_trip(KEY_NAME, FileStore::new(key_file.clone()).exact())
            .versions(true)
            // No program here keeps a key for longer than one call.
            .drain(Duration::from_millis(100));
    keys_management.define_key(definition).await?;

    let worker = Arc::new(keys_management.join("archive").await?);
    let folder_of_callback = documents.clone();
    let callback = move |change: KeyChange| {
        let documents = folder_of_callback.clone();
        async move {
            let reencrypted = reencrypt(&documents, &change).await;
            reencrypted.map_err(|error| error.to_string())
        }
    };
    worker
        .register_on_change(KEY_NAME, "reencrypt", callback)
        .await?;
    for name in DOCUMENTS {
        let current = worker.get_forward_path_key(KEY_NAME).await?;
        write(&documents.join(name), name, &current)?;
    }

    let ends = Arc::new(AtomicBool::new(false));
    let reads = Arc::new(AtomicU64::new(0));
    let reader = tokio::spawn(read_all_the_time(
        Arc::clone(&worker),
        documents.clone(),
        Arc::clone(&ends),
        Arc::clone(&reads),
    ));
    for _ in 0..2 {
        let report = keys_management
            .key_changed(Change::of(KEY_NAME).generate(32))
            .await?;
        assert_eq!(report.state, RotationState::Completed);
        let before = reads.load(Ordering::SeqCst);
        while reads.load(Ordering::SeqCst) < before + 10 && !reader.is_finished() {
            tokio::task::yield_now().await;
        }
    }
    ends.store(true, Ordering::SeqCst);
    reader.await??;
    println!(
        "{} reads while the key changed twice, and none failed",
        reads.load(Ordering::SeqCst)
    );

    let versions = worker.versions(KEY_NAME).await?;
    for version in &versions {
        println!("{version}");
    }
    assert_eq!(versions.len(), 3);
    let paid = versions.iter().filter(|version| !version.is_current);
    assert!(
        paid.map(|version| version.debts.len())
            .all(|owed| owed == 0)
    );
    let current = worker.get_forward_path_key(KEY_NAME).await?;
    assert_eq!(fs::read(key_file)?, current.expose());
    println!("the key's file has the current version, and nothing is left under an earlier one");

    keys_management.shutdown().await?;
    Ok(())
}

async fn read_all_the_time(
    worker: Arc<Worker>,
    documents: PathBuf,
    ends: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
) -> Result<(), Failure> {
    while !ends.load(Ordering::SeqCst) {
        for name in DOCUMENTS {
            let stored = fs::read(documents.join(name))?;
            let (id, sealed) = split(&stored)?;
            let half = worker.get_version(KEY_NAME, id).await?;
            assert_eq!(open(&half.value, id, sealed)?, name);
            reads.fetch_add(1, Ordering::SeqCst);
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// What is under the new version already is left alone: the callback may be called again after a crash.
async fn reencrypt(documents: &Path, change: &KeyChange) -> Result<Effect, Failure> {
    let new = change.key.new_version().ok_or("the key has versions")?;
    let keys = change.new_keys.as_ref().ok_or("the key has versions")?;
    for name in DOCUMENTS {
        let path = documents.join(name);
        let stored = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            stored => stored?,
        };
        let (id, sealed) = split(&stored)?;
        if id != new {
            let half = change.key.get_version(id).await?;
            let text = open(&half, id, sealed)?;
            replace(&path, &seal(keys.forward(), new, &text)?)?;
        }
    }
    Ok(Effect::Reencrypted)
}

fn write(path: &Path, text: &str, current: &KeyAnswer) -> Result<(), Failure> {
    let version = current.version.ok_or("the key has versions")?;
    Ok(replace(path, &seal(&current.value, version.id, text)?)?)
}

/// The id stands before the ciphertext and in its associated data, so that nobody can exchange it.
fn seal(key: &SecretKeyValue, id: VersionId, text: &str) -> Result<Vec<u8>, Failure> {
    let tool = AeadCryptoTool::derive(key, b"documents")?;
    Ok(tag(id, &tool.seal(text.as_bytes(), id.as_bytes())?))
}

fn open(key: &SecretKeyValue, id: VersionId, sealed: &[u8]) -> Result<String, Failure> {
    let tool = AeadCryptoTool::derive(key, b"documents")?;
    let plain = tool.open(sealed, id.as_bytes())?;
    Ok(String::from_utf8(plain.to_vec())?)
}

/// A reader sees a whole document, the old one or the new one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, content)?;
    fs::rename(beside, path)
}

/// 32 random bytes in a file that only its owner may read.
fn random_file(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
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
