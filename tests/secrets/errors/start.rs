//! What a start is refused with, the data folder's errors among it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyward::crypto::error::CryptoError;
use keyward::journal::error::JournalError;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::secret::value::InvalidKey;
use keyward::{
    CryptoTool, KeysManagement, MemoryRepo, RotationError, StartError, StoreError, block_on,
};
use zeroize::Zeroizing;

use crate::canary::{MASTER, OTHER_MASTER, PRINTED};
use crate::errors::Seen;
use crate::errors::repo::Disk;
use crate::story::{builder, manager};
use crate::support;

async fn refused(started: keyward::management::builder::KeysManagementBuilder) -> StartError {
    let started = started.start().await;
    started.map(drop).expect_err("it does not start")
}

pub(super) async fn all(seen: &mut Seen) {
    seen.real("NoDataFolder", refused(builder()).await);
    let no_key = KeysManagement::builder().state_repo(MemoryRepo::new());
    seen.real("NoMasterKey", refused(no_key).await);
    let in_memory = || builder().state_repo(MemoryRepo::new());
    let zero = in_memory().max_callbacks(0);
    seen.real("ZeroBound", refused(zero).await);
    master_keys(seen).await;
    blocking(seen);
    let panics = Disk::default();
    panics.panic();
    let error = refused(builder().state_repo(panics)).await;
    let StartError::Plugin(fault) = &error else {
        panic!("{error}");
    };
    seen.real("Panicked", fault.clone());
    seen.real("Plugin", error);
    roster(seen).await;
    let why = "the system gives every thread and descriptor that a test asks for; it holds what the system says";
    let error = StartError::Thread(io::Error::from(io::ErrorKind::WouldBlock));
    seen.constructed("Thread", error, why);
    let error = StartError::from(io::Error::from_raw_os_error(24));
    seen.constructed("Descriptor", error, why);
    folders(seen).await;
    journals(seen).await;
}

async fn master_keys(seen: &mut Seen) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    fs::write(&file, PRINTED).expect("a file");
    let script = "cat $1; cat $1 >&2; exit 1";
    let command = keyward::CommandStore::new("sh").args(["-c", script, "sh"]);
    let in_memory = || builder().state_repo(MemoryRepo::new());
    let failing = in_memory().master_key(command.arg(&file));
    seen.real("MasterKeyStore", refused(failing).await);
    let pair = in_memory().master_key(|| (MASTER, OTHER_MASTER));
    seen.real("MasterKeyStore", refused(pair).await);
    let empty = in_memory().master_key(|| "");
    seen.real("InvalidMasterKey", refused(empty).await);
    let own = || Err::<&str, _>(StoreError::Invalid(InvalidKey::Empty));
    seen.real(
        "InvalidMasterKey",
        refused(in_memory().master_key(own)).await,
    );
    let short = in_memory().master_key(|| &MASTER[..31]);
    let error = refused(short).await;
    seen.real("Crypto", error);
}

/// What this answers on a thread that must not block.
pub(super) fn where_none_may_block<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    let on_thread = || {
        keyward::guard::this_thread::must_not_block();
        call()
    };
    let called = std::thread::scope(|threads| threads.spawn(on_thread).join());
    called.expect("no panic")
}

/// A blocking start on the thread of an async store.
fn blocking(seen: &mut Seen) {
    let (wait, started) = where_none_may_block(|| {
        let wait = keyward::guard::this_thread::wait(async { MASTER });
        let started = block_on(builder().state_repo(MemoryRepo::new()).start());
        (wait.map(drop), started.map(drop))
    });
    seen.refused("MustNotBlock", wait);
    seen.refused("MustNotBlock", started);
}

/// A repo that takes the opening, and no more: `main` cannot join.
async fn roster(seen: &mut Seen) {
    let disk = Disk::default();
    let manager = builder().state_repo(disk.clone()).start().await;
    let manager = manager.expect("it starts");
    manager.shutdown().await.expect("it shuts down");
    let why = "the repo must fail between two writes of one call; it holds a rotation's error";
    let error = StartError::Roster(RotationError::Busy { bound: 1 });
    seen.constructed("Roster", error, why);
    disk.refuse();
    let error = refused(builder().state_repo(disk)).await;
    seen.real("Journal", error);
}

async fn in_folder(seen: &mut Seen, variant: &str, folder: &Path) {
    let error = refused(builder().data_folder(folder)).await;
    let StartError::Repo(_) = &error else {
        panic!("{variant}: {error}");
    };
    seen.said.error(&error);
    let StartError::Repo(error) = error else {
        return;
    };
    seen.real(variant, error);
}

async fn folders(seen: &mut Seen) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let open = manager(&data).await;
    in_folder(seen, "AlreadyOpen", &data).await;
    open.shutdown().await.expect("it shuts down");
    seen.real("Repo", {
        let loose = Permissions::from_mode(0o755);
        fs::set_permissions(&data, loose).expect("it is mine");
        refused(builder().data_folder(&data)).await
    });
    in_folder(seen, "LooseFolder", &data).await;
    let private = Permissions::from_mode(0o700);
    fs::set_permissions(&data, private.clone()).expect("it is mine");
    let marker = data.join("KEYWARD");
    let ours = fs::read_to_string(&marker).expect("a marker");
    fs::write(&marker, "what keyward does not write").expect("it is mine");
    in_folder(seen, "Damaged", &data).await;
    fs::write(&marker, ours).expect("it is mine");
    let file = folder.path().join("file");
    fs::write(&file, PRINTED).expect("a file");
    in_folder(seen, "NotAFolder", &file).await;
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).expect("a folder");
    fs::set_permissions(&foreign, private).expect("it is mine");
    fs::write(foreign.join("key"), PRINTED).expect("a file");
    in_folder(seen, "ForeignContent", &foreign).await;
    // No user may make a folder here, root neither.
    in_folder(seen, "NotWritable", Path::new("/sys/keyward")).await;
    support::within(manager(&data).await.shutdown())
        .await
        .expect("it is whole again");
}

/// A crypto tool that fails, and says so with its key.
struct Refuses;

impl CryptoTool for Refuses {
    fn seal(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError::TooLong { bytes: 7 })
    }

    fn open(&self, _: &[u8], _: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::DoesNotOpen)
    }
}

async fn journals(seen: &mut Seen) {
    let disk = Disk::default();
    let manager = builder().state_repo(disk.clone()).start().await;
    manager
        .expect("it starts")
        .shutdown()
        .await
        .expect("it ends");
    let other = builder().master_key(|| OTHER_MASTER);
    let error = refused(other.state_repo(disk.clone())).await;
    seen.said.error(&error);
    let StartError::Journal(error @ JournalError::WrongMasterKey { .. }) = error else {
        panic!("{error}");
    };
    seen.real("WrongMasterKey", error);
    let tool = builder().crypto_tool(Refuses).state_repo(MemoryRepo::new());
    seen.real("Journal", refused(tool).await);
    disk.spoil(Space::Meta);
    let error = refused(builder().state_repo(disk)).await;
    seen.real("Journal", error);
    let closed = MemoryRepo::new();
    keyward::StateRepo::close(&closed).expect("it was open");
    let error = refused(builder().state_repo(closed)).await;
    seen.said.error(&error);
    let StartError::Journal(JournalError::Repo { cause }) = error else {
        panic!("{error}");
    };
    seen.real::<RepoError>("Closed", cause);
}
