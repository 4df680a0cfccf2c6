//! A keeper in this process, with its socket and its key, and the command line that asks it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyward::{
    Batch, FileStore, KeyChange, KeysManagement, KeysManagementBuilder, MemoryRepo,
    SecretKeyDefinition, ServeOptions, Serving, Space, StateRepo, Worker,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::program::{Ran, keyward, ran};
use crate::command_line::schema::assert_documented;
use crate::support::builder;

/// What the key's store answers at first. It stands in no output but that of `get`.
pub const OLD: &str = "canary-old-4bba6a3e";
/// What it is changed to.
pub const NEW: &str = "canary-new-93d1c07f";

/// A user that is not the one of this process.
pub const OTHER_USER: u32 = 4_711;

/// A keeper, and where it is.
pub struct Ground {
    pub folder: TempDir,
    pub manager: KeysManagement,
    serving: Serving,
}

impl Ground {
    /// A keeper of the key `documents`.
    pub async fn new() -> Self {
        Self::with(|socket| ServeOptions::at(socket)).await
    }

    /// The same, served with these options.
    pub async fn with(options: impl FnOnce(&Path) -> ServeOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manager = builder().data_folder(folder.path().join("data"));
        Self::made(folder, manager, options).await
    }

    /// The same with a manager that is made so, which has a repo.
    pub async fn of(
        manager: KeysManagementBuilder,
        options: impl FnOnce(&Path) -> ServeOptions,
    ) -> Self {
        Self::made(tempfile::tempdir().unwrap(), manager, options).await
    }

    async fn made(
        folder: TempDir,
        manager: KeysManagementBuilder,
        options: impl FnOnce(&Path) -> ServeOptions,
    ) -> Self {
        let manager = manager.start().await.unwrap();
        let store = write(folder.path(), "documents.key", OLD);
        let key = SecretKeyDefinition::round_trip("documents", FileStore::new(store));
        manager.define_key(key).await.unwrap();
        let options = options(&folder.path().join("s"));
        let options = options.backups(folder.path().join("backups"));
        let serving = manager.serve(options).await.unwrap();
        Self {
            folder,
            manager,
            serving,
        }
    }

    /// Its service.
    pub fn serving(&self) -> &Serving {
        &self.serving
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

    /// What makes commands that ask this keeper as another user, which only root can.
    pub fn as_other_user(&self) -> impl Fn(&[&str]) -> Command + use<> {
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.folder.path(), open.clone()).unwrap();
        // The binary itself may lie where the other user cannot reach it.
        let binary = self.folder.path().join("keyward");
        fs::copy(env!("CARGO_BIN_EXE_keyward"), &binary).unwrap();
        fs::set_permissions(&binary, open).unwrap();
        let socket = self.folder.path().join("s");
        move |arguments| {
            let mut command = Command::new(&binary);
            command.args(arguments).uid(OTHER_USER).gid(OTHER_USER);
            command.env("KEYWARD_SOCKET", &socket).stdin(Stdio::null());
            command
        }
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

/// Overwrites the first record of a space with what is none.
pub fn spoil_first(repo: &MemoryRepo, space: Space) {
    let mut first = None;
    let visit = &mut |key: &[u8], _: &[u8]| {
        first = Some(key.to_vec());
        std::ops::ControlFlow::Break(())
    };
    repo.clone().scan(space, b"", visit).unwrap();
    let batch = Batch::new().put(space, first.unwrap(), "spoilt");
    repo.clone().apply(&batch).unwrap();
}

fn write(folder: &Path, name: &str, key: &str) -> PathBuf {
    let path = folder.join(name);
    let made = folder.join(format!("{name}.made"));
    fs::write(&made, key).unwrap();
    fs::set_permissions(&made, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&made, &path).unwrap();
    path
}
