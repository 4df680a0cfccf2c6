//! A keeper in this process, with its socket and its key, and the command line that asks it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyward::{
    FileStore, KeyChange, KeysManagement, SecretKeyDefinition, ServeOptions, Serving, Worker,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::program::{Ran, keyward, ran};
use crate::command_line::schema::assert_documented;

/// What the key's store answers at first. It stands in no output but that of `get`.
pub const OLD: &str = "canary-old-4bba6a3e";
/// What it is changed to.
pub const NEW: &str = "canary-new-93d1c07f";

/// A keeper, and where it is.
pub struct Ground {
    pub folder: TempDir,
    pub manager: KeysManagement,
    _serving: Serving,
}

impl Ground {
    /// A keeper of the key `documents`.
    pub async fn new() -> Self {
        Self::with(|socket| ServeOptions::at(socket)).await
    }

    /// The same, served with these options.
    pub async fn with(options: impl FnOnce(&Path) -> ServeOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manager = KeysManagement::builder()
            .data_folder(folder.path().join("data"))
            .master_key(|| "a master key for tests: 32 bytes or more")
            .shutdown_grace(Duration::from_millis(20))
            .start()
            .await
            .unwrap();
        let store = write(folder.path(), "documents.key", OLD);
        let key = SecretKeyDefinition::round_trip("documents", FileStore::new(store));
        manager.define_key(key).await.unwrap();
        let options = options(&folder.path().join("s"));
        let options = options.backups(folder.path().join("backups"));
        let serving = manager.serve(options).await.unwrap();
        Self {
            folder,
            manager,
            _serving: serving,
        }
    }

    /// A worker with a callback that does this.
    pub async fn worker(&self, name: &str, does: fn() -> Result<(), &'static str>) -> Worker {
        let worker = self.manager.join(name).await.unwrap();
        let callback = move |_: KeyChange| async move { does() };
        worker
            .register_on_change("documents", "reencrypt", callback)
            .await
            .unwrap();
        worker
    }

    /// A file with a key.
    pub fn key_file(&self, name: &str, key: &str) -> PathBuf {
        write(self.folder.path(), name, key)
    }

    /// The store answers another key from now on.
    pub fn switch_store(&self, key: &str) {
        write(self.folder.path(), "documents.key", key);
    }

    /// A command that asks this keeper.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = keyward(arguments);
        command.env("KEYWARD_SOCKET", self.folder.path().join("s"));
        command
    }

    /// Runs a command that asks this keeper.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments)).await
    }

    /// Runs a command with `--json`; answers its lines, which are as the schema says.
    pub async fn lines(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        let ran = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
        let lines = ran
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<Value> = lines.collect();
        for line in &lines {
            let name = if line.get("error").is_some() {
                "error"
            } else {
                arguments[0]
            };
            assert_documented(name, line);
        }
        lines
    }

    /// The one line of a command with `--json`.
    pub async fn object(&self, arguments: &[&str]) -> Value {
        let mut lines = self.lines(arguments, 0).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    /// Declares a change to the new key and waits for its end; answers the id and how the command ended.
    pub async fn rotate(&self) -> (String, Ran) {
        let file = self.key_file("next.key", NEW);
        let ran = self
            .run(&["rotate", "documents", "--new-file", file.to_str().unwrap()])
            .await;
        (ran.out.lines().next().unwrap_or_default().to_owned(), ran)
    }
}

fn write(folder: &Path, name: &str, key: &str) -> PathBuf {
    let path = folder.join(name);
    let made = folder.join(format!("{name}.made"));
    fs::write(&made, key).unwrap();
    fs::set_permissions(&made, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&made, &path).unwrap();
    path
}
