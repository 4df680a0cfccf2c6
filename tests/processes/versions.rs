//! A key with versions in a program that is killed at any moment: while it rotates, while workers write and read,
//! and while the two files of its pair are written. No read fails, and in the end store and journal agree.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyward::{
    Change, Effect, FileStore, KeyChange, KeysManagement, SecretKeyDefinition, VersionId, Worker,
    split, tag,
};
use uuid::Uuid;

use crate::support::alone::again;
use crate::support::{builder, within};

/// The folder that the program works in.
const FOLDER: &str = "KEYWARD_TEST_VERSIONS";

/// After how long what has not ended hangs.
const HANGS: Duration = Duration::from_secs(300);

/// How often it is killed, unless the environment says otherwise.
const KILLS: u64 = 12;

/// A program's folder: its journal, the two files of its key, and documents.
#[derive(Clone)]
struct Folder(PathBuf);

impl Folder {
    fn begin(path: &Path) -> Self {
        let folder = Self(path.to_owned());
        for name in ["keys", "documents"] {
            fs::create_dir(folder.0.join(name)).unwrap();
        }
        for half in ["forward", "back"] {
            let path = folder.half(half);
            fs::write(&path, format!("{half} first")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        folder
    }

    fn half(&self, half: &str) -> PathBuf {
        self.0.join("keys").join(half)
    }

    fn documents(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.join("documents")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_none()).collect()
    }

    /// A document is whole, or as it was.
    fn write(&self, path: &Path, id: VersionId, forward: &str) {
        let beside = path.with_extension(Uuid::new_v4().to_string());
        let mut file = File::create(&beside).unwrap();
        file.write_all(&tag(id, forward.as_bytes())).unwrap();
        file.sync_all().unwrap();
        fs::rename(&beside, path).unwrap();
    }

    /// What no life may ever see is kept where every later one finds it.
    fn fails(&self, what: &str) {
        let path = self.0.join("failed");
        let mut file = File::options().create(true).append(true).open(path);
        writeln!(file.as_mut().unwrap(), "{what}").unwrap();
    }

    async fn life(&self) -> (KeysManagement, Worker) {
        // Chance may kill it in the same step again and again.
        let manager = builder().data_folder(self.0.join("data"));
        let manager = manager.max_crashes(1_000).start().await.unwrap();
        let store = FileStore::pair(self.half("forward"), self.half("back"));
        let definition = SecretKeyDefinition::round_trip("documents", store)
            .versions(true)
            .drain(Duration::from_millis(5))
            // A busy disk is no fault.
            .store_time_limit(HANGS)
            .request_time_limit(HANGS)
            .callback_time_limit(HANGS)
            .max_readable_versions(100_000);
        within(manager.define_key(definition)).await.unwrap();
        let anna = manager.join("anna").await.unwrap();
        let folder = self.clone();
        let reencrypt = move |change: KeyChange| {
            let folder = folder.clone();
            async move { folder.reencrypt(&change).await }
        };
        within(anna.register_on_change("documents", "reencrypt", reencrypt))
            .await
            .unwrap();
        (manager, anna)
    }

    async fn reencrypt(&self, change: &KeyChange) -> Result<Effect, String> {
        let new = change.key.new_version().ok_or("no id")?;
        let keys = change.new_keys.clone().ok_or("no keys")?;
        let forward = keys.forward().expose_str().ok_or("no text")?.to_owned();
        for path in self.documents() {
            let stored = fs::read(&path).map_err(|error| error.to_string())?;
            let (id, under) = split(&stored).map_err(|error| error.to_string())?;
            if id == new {
                continue;
            }
            let half = change.key.get_version(id).await;
            let half = half.map_err(|error| error.to_string())?;
            if !opens(half.expose(), under) {
                self.fails("a callback read a document with another version's key");
            }
            self.write(&path, new, &forward);
        }
        Ok(Effect::Reencrypted)
    }
}

/// Whether a back half opens what was written with a forward half.
fn opens(back: &[u8], under: &[u8]) -> bool {
    back.strip_prefix(b"back ") == under.strip_prefix(b"forward ")
}

/// One life of the program: it works until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a program that is killed; its folder comes in the environment"]
async fn program() {
    let Some(path) = env::var_os(FOLDER) else {
        return;
    };
    let folder = Folder(path.into());
    let (manager, anna) = folder.life().await;
    let anna = Arc::new(anna);
    let written = Arc::new(AtomicUsize::new(0));
    let writer = async {
        loop {
            let key = anna.get_forward_path_key("documents").await.unwrap();
            let number = written.fetch_add(1, Ordering::SeqCst) % 8;
            let path = folder.0.join("documents").join(number.to_string());
            let forward = key.expose_str().unwrap().to_owned();
            folder.write(&path, key.version.unwrap().id, &forward);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let reader = async {
        loop {
            for path in folder.documents() {
                let stored = fs::read(&path).unwrap();
                let (id, under) = split(&stored).unwrap();
                match anna.get_version("documents", id).await {
                    Ok(half) if opens(half.expose(), under) => {}
                    Ok(_) => folder.fails("a read had another version's key"),
                    Err(error) => folder.fails(&format!("a read failed: {error}")),
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let rotates = async {
        loop {
            let name = Uuid::new_v4();
            let pair = (format!("forward {name}"), format!("back {name}"));
            let change = Change::of("documents").new_keys((pair.0.as_str(), pair.1.as_str()));
            match manager.key_changed(change).await {
                Ok(report) if report.state.has_ended() => {}
                Ok(report) => folder.fails(&format!("a rotation stopped: {report:?}")),
                Err(error) => folder.fails(&format!("a rotation was refused: {error}")),
            }
        }
    };
    tokio::join!(writer, reader, rotates);
}

/// Waits until every rotation has ended: as long as that takes on a slow disk, unless one has stopped.
async fn every_rotation_ends(manager: &KeysManagement) {
    let begun = Instant::now();
    loop {
        let listed = manager.rotations().await.unwrap();
        if listed.is_empty() {
            return;
        }
        // One that has ended is listed until its end is durable.
        let go_on = listed
            .iter()
            .all(|report| report.state.goes_on() || report.state.has_ended());
        assert!(go_on, "a rotation stopped: {listed:#?}");
        assert!(begun.elapsed() < HANGS, "it hangs: {listed:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_fails_and_store_and_journal_agree_however_often_a_rotating_program_is_killed() {
    let base = tempfile::tempdir().unwrap();
    let folder = Folder::begin(base.path());
    let kills = env::var("KEYWARD_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut chance: u64 = env::var("KEYWARD_SEED").map_or(7, |seed| seed.parse().unwrap());
    for _ in 0..kills {
        let mut command = again(program);
        command.env(FOLDER, base.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut program = command.spawn().unwrap();
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(150 + (chance >> 33) % 900));
        assert!(
            program.try_wait().unwrap().is_none(),
            "it runs until it is killed"
        );
        program.kill().unwrap();
        program.wait().unwrap();
    }

    let (manager, anna) = folder.life().await;
    every_rotation_ends(&manager).await;
    let failed = fs::read_to_string(folder.0.join("failed")).unwrap_or_default();
    assert_eq!(failed, "", "what a life saw");

    let listed = manager.versions("documents").await.unwrap();
    let current: Vec<_> = listed.iter().filter(|of| of.is_current).collect();
    let [current] = current.as_slice() else {
        panic!("{listed:?}");
    };
    let key = anna.get_forward_path_key("documents").await.unwrap();
    assert_eq!(key.version.unwrap().id, current.id);
    let half = anna.get_version("documents", current.id).await.unwrap();
    let halves = ["forward", "back"].map(|half| fs::read(folder.half(half)).unwrap());
    assert_eq!(halves, [key.expose().to_vec(), half.expose().to_vec()]);
    let names = fs::read_dir(folder.0.join("keys")).unwrap().count();
    assert_eq!(names, 2, "what was written on the way is gone");
    for path in folder.documents() {
        let stored = fs::read(&path).unwrap();
        let (id, under) = split(&stored).unwrap();
        let half = anna.get_version("documents", id).await.unwrap();
        assert!(opens(half.expose(), under), "{}", path.display());
        let version = listed.iter().find(|version| version.id == id).unwrap();
        let owes = version
            .debts
            .iter()
            .any(|debt| debt.worker.as_str() == "anna");
        assert!(owes, "{version:?}");
    }
    println!("{} versions after {kills} kills", listed.len());
    manager.shutdown().await.unwrap();
}
