//! The demo's keys: their files, and how a manager comes to know them.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use keyward::{FileStore, KeysManagement, MemoryRepo, SecretKeyDefinition};

use crate::demo::error::DemoError;
use crate::demo::layout::Layout;
use crate::key_file;

/// The key that all workers share.
pub const SHARED: &str = "documents";
/// The key before the change, for its declaration.
pub const OLD: &str = "documents.old";
/// The key after the change, for its declaration.
pub const NEW: &str = "documents.new";
/// The master key, for the reading of the journal.
pub const MASTER: &str = "master";

/// Writes the key files, each with a random key. The old key is the current one.
///
/// # Errors
/// No random bytes, or what the operating system says.
pub fn write_files(layout: &Layout) -> Result<(), DemoError> {
    let folder = layout.keys();
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(DemoError::io("creating", &folder))?;
    for path in [layout.master_key(), layout.old_key(), layout.new_key()] {
        key_file::create(&path).map_err(DemoError::io("creating", &path))?;
    }
    put_in_use(layout, &layout.old_key())
}

/// Makes the key in a file the current one. The file is exchanged as a whole: a process that reads
/// it meanwhile gets one key or the other.
///
/// # Errors
/// What the operating system says.
pub fn put_in_use(layout: &Layout, key: &Path) -> Result<(), DemoError> {
    let current = layout.current_key();
    let next = current.with_extension("next");
    fs::copy(key, &next).map_err(DemoError::io("copying", key))?;
    fs::rename(&next, &current).map_err(DemoError::io("renaming", &next))
}

/// Starts a manager on the data folder that knows the shared key, as the server does in each life.
///
/// # Errors
/// The manager did not start, or refused a definition.
pub async fn start_manager(
    layout: &Layout,
    callback_time_limit: Duration,
) -> Result<KeysManagement, DemoError> {
    let manager = KeysManagement::builder()
        .data_folder(layout.data())
        .master_key(FileStore::new(layout.master_key()))
        .start()
        .await?;
    let shared = SecretKeyDefinition::round_trip(SHARED, FileStore::new(layout.current_key()));
    manager
        .define_key(shared.callback_time_limit(callback_time_limit))
        .await?;
    define_change(&manager, layout).await?;
    Ok(manager)
}

/// Starts the demo's own manager, which keeps nothing: it encrypts the documents at the beginning,
/// and later hands out the keys with which the demo looks into the server's folder.
///
/// # Errors
/// The manager did not start, or refused a definition.
pub async fn start_keyring(layout: &Layout) -> Result<KeysManagement, DemoError> {
    let manager = KeysManagement::builder()
        .state_repo(MemoryRepo::new())
        .master_key(FileStore::new(layout.master_key()))
        .start()
        .await?;
    let shared = SecretKeyDefinition::round_trip(SHARED, FileStore::new(layout.current_key()));
    manager.define_key(shared).await?;
    let master = SecretKeyDefinition::one_way(MASTER, FileStore::new(layout.master_key()));
    manager.define_key(master).await?;
    define_change(&manager, layout).await?;
    Ok(manager)
}

async fn define_change(manager: &KeysManagement, layout: &Layout) -> Result<(), DemoError> {
    for (name, path) in [(OLD, layout.old_key()), (NEW, layout.new_key())] {
        let definition = SecretKeyDefinition::one_way(name, FileStore::new(path));
        manager.define_key(definition).await?;
    }
    Ok(())
}
