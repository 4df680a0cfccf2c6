//! Stores that were defined by a relative path, in a process that changes its folder later.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyward::store::command::CommandStore;
use keyward::store::file::FileStore;
use keyward::{KeysManagement, SecretKeyDefinition};

use crate::stores::{LONG, error, fetched, runtime, value};
use crate::support::alone::{again, passes};

fn write(path: &Path, content: &str, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs one of the tests below in a process of its own, in a new folder.
fn in_a_folder<T>(test: T) {
    let folder = tempfile::tempdir().unwrap();
    let mut process = again(test);
    process.current_dir(folder.path());
    passes(process);
}

fn elsewhere() {
    env::set_current_dir("/").unwrap();
}

#[test]
fn a_file_store_reads_the_file_that_its_definition_meant() {
    in_a_folder(a_file_by_its_relative_path);
}

#[test]
#[ignore = "changes the folder of its process"]
fn a_file_by_its_relative_path() {
    let here = env::current_dir().unwrap();
    write(Path::new("key"), "key", 0o600);
    write(Path::new("open"), "key", 0o644);
    let (one, pair) = (FileStore::new("key"), FileStore::pair("./key", "key"));
    let missing = FileStore::new("below/none");
    let open = FileStore::new("open");
    elsewhere();
    assert_eq!(value(&one), b"key");
    assert_eq!(fetched(&pair).unwrap().to_pair().back().expose(), b"key");
    let said = error(&missing).to_string();
    assert!(
        said.contains(here.join("below/none").to_str().unwrap()),
        "{said}"
    );
    let said = error(&open).to_string();
    assert!(said.contains(here.join("open").to_str().unwrap()), "{said}");
}

#[test]
fn a_command_store_runs_the_program_that_its_definition_meant_where_it_meant_it() {
    in_a_folder(a_command_by_its_relative_path);
}

#[test]
#[ignore = "changes the folder of its process"]
fn a_command_by_its_relative_path() {
    let here = env::current_dir().unwrap();
    write(Path::new("key"), "key", 0o600);
    write(Path::new("print"), "#!/bin/sh\ncat key", 0o700);
    let limited = |store: CommandStore| store.time_limit(LONG);
    let by_path = limited(CommandStore::new("./print"));
    let by_argument = limited(CommandStore::new("cat").arg("key"));
    let missing = limited(CommandStore::new("./none"));
    assert_eq!(value(&by_path), b"key");
    elsewhere();
    assert_eq!(value(&by_path), b"key");
    assert_eq!(value(&by_argument), b"key");
    let said = error(&missing).to_string();
    assert!(said.contains(here.join("none").to_str().unwrap()), "{said}");
    // A folder that is gone is not blamed on the program.
    fs::remove_dir_all(&here).unwrap();
    let said = error(&by_argument).to_string();
    assert!(said.contains(&format!("in {}", here.display())), "{said}");
}

#[test]
fn a_folder_that_was_removed_under_its_process_keeps_no_command_from_running() {
    in_a_folder(in_a_removed_folder);
}

#[test]
#[ignore = "removes the folder of its process"]
fn in_a_removed_folder() {
    let store = CommandStore::new("echo").arg("key").time_limit(LONG);
    fs::remove_dir_all(env::current_dir().unwrap()).unwrap();
    assert_eq!(value(&store), b"key");
    let store = CommandStore::new("echo").arg("key").time_limit(LONG);
    assert_eq!(value(&store), b"key");
}

#[test]
fn a_data_folder_is_the_one_that_the_builder_was_given() {
    in_a_folder(a_data_folder_by_its_relative_path);
}

#[test]
#[ignore = "changes the folder of its process"]
fn a_data_folder_by_its_relative_path() {
    let here = env::current_dir().unwrap();
    write(Path::new("master"), &"m".repeat(32), 0o600);
    let builder = KeysManagement::builder()
        .data_folder("data")
        .master_key(FileStore::new("master"));
    elsewhere();
    runtime().block_on(async {
        let keys = builder.start().await.unwrap();
        let definition = SecretKeyDefinition::one_way("token", || "value");
        keys.define_key(definition).await.unwrap();
        // A backup is made where this process is now, and told by its whole path.
        env::set_current_dir(&here).unwrap();
        let taken = keys.backup("master").await.unwrap_err().to_string();
        assert!(
            taken.contains(here.join("master").to_str().unwrap()),
            "{taken}"
        );
        keys.backup("copy").await.unwrap();
        elsewhere();
        keys.shutdown().await.unwrap();
    });
    assert!(here.join("copy").is_dir());
    assert!(here.join("data").is_dir());
    assert!(!Path::new("data").exists());
}
