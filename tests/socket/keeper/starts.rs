//! A keeper starts whole, or not at all and says why.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keyward::Client;

use super::process::{Folder, Keeper, START, said};
use crate::support::within;

#[tokio::test]
async fn a_keeper_starts_from_what_init_made_and_answers_its_key() {
    let folder = Folder::new("");
    let (code, out, errors) = said(&folder.run(&["init", "made"]));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    // As a shell takes it.
    let export = out
        .lines()
        .find(|line| line.contains("export KEYWARD_SOCKET="))
        .unwrap();
    let socket = export.split_once('=').unwrap().1.to_owned();
    let keeper = Keeper::start(folder.keyward(&["serve", "--config", "made"]));
    keeper.says("keyward: ready; keys: 1, socket: ");
    let client = within(Client::at(socket)).await.unwrap();
    let answer = within(client.get_forward_path_key("example"))
        .await
        .unwrap();
    let wanted = fs::read_to_string(folder.path().join("made/example.key")).unwrap();
    assert_eq!(answer.expose_str(), Some(wanted.trim_end()));
    keeper.stop();
    assert!(!folder.path().join("made/keyward.sock").exists());
}

#[test]
fn with_a_fault_in_its_configuration_nothing_is_started_and_all_faults_are_told() {
    let folder = Folder::new("");
    folder.write(&format!(
        "{START}sokcet = 1\n[keys.documents]\nstatless = true\n"
    ));
    let (code, out, errors) = said(&folder.run(&["serve"]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    for part in [
        "keyward.toml:4:1: ",
        "`socket`",
        "keyward.toml:6:1: ",
        "`stateless`",
    ] {
        assert!(errors.contains(part), "{errors}");
    }
    assert!(!folder.path().join("data").exists() && !folder.socket().exists());
}

#[tokio::test]
async fn a_key_that_cannot_be_defined_leaves_nothing_served_and_the_folder_free() {
    let folder = Folder::new("");
    folder.leave_stopped().await;
    folder.write(&format!(
        "{START}[keys.another]\n[keys.documents]\nuse_case = \"one_way_trip\"\nstore.file = \"documents.key\"\n"
    ));
    let (code, _, errors) = said(&folder.run(&["serve"]));
    assert_eq!(code, Some(1), "{errors}");
    assert!(
        errors.contains("documents") && errors.contains("(invalid_definition)"),
        "{errors}"
    );
    assert!(!folder.socket().exists());
    folder.configure("");
    folder.serve().stop();
}

#[test]
fn a_second_keeper_on_the_folder_is_told_of_the_first_which_goes_on() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    let text = fs::read_to_string(folder.path().join("keyward.toml")).unwrap();
    let other = text.replace("socket = \"s\"", "socket = \"t\"");
    fs::write(folder.path().join("other.toml"), other).unwrap();
    let (code, _, errors) = said(&folder.run(&["serve", "--config", "other.toml"]));
    assert_eq!(code, Some(1));
    let pid = format!("process {}", keeper.pid());
    assert!(
        errors.contains(&pid) && errors.contains("(already_open)"),
        "{errors}"
    );
    assert!(!folder.path().join("t").exists());
    let (code, ..) = said(&folder.run(&["status"]));
    assert_eq!(code, Some(0));
    keeper.stop();
}

#[test]
fn a_second_keeper_on_the_socket_is_told_of_the_first_and_frees_its_folder() {
    let folder = Folder::new("");
    let keeper = folder.serve();
    let text = fs::read_to_string(folder.path().join("keyward.toml")).unwrap();
    let other = text.replace("data_folder = \"data\"", "data_folder = \"more\"");
    fs::write(folder.path().join("other.toml"), other).unwrap();
    let (code, _, errors) = said(&folder.run(&["serve", "--config", "other.toml"]));
    assert_eq!(code, Some(1));
    let pid = format!("process {}", keeper.pid());
    assert!(
        errors.contains(&pid) && errors.contains("(socket_in_use)"),
        "{errors}"
    );
    keeper.stop();
    let other = Keeper::start(folder.keyward(&["serve", "--config", "other.toml"]));
    other.says("ready");
    other.stop();
}

#[test]
fn what_keeps_a_keeper_from_starting_is_named_with_its_code() {
    let loose = Folder::new("");
    let master = loose.path().join("master.key");
    fs::set_permissions(&master, fs::Permissions::from_mode(0o644)).unwrap();
    let short = Folder::new("");
    short.key("master.key", "short");
    let missing = Folder::new("");
    fs::remove_file(missing.path().join("master.key")).unwrap();
    let foreign = Folder::new("");
    fs::create_dir(foreign.path().join("data")).unwrap();
    fs::set_permissions(
        foreign.path().join("data"),
        fs::Permissions::from_mode(0o700),
    )
    .unwrap();
    fs::write(foreign.path().join("data/mine"), "").unwrap();
    let socket = Folder::new("");
    fs::create_dir(socket.socket()).unwrap();
    for (folder, parts) in [
        (
            &loose,
            &["master.key", "644", "allow_shared_file", "(store_failed)"][..],
        ),
        (&short, &["32", "(master_key_too_short)"]),
        (&missing, &["master.key", "(store_failed)"]),
        (&foreign, &["mine", "(foreign_content)"]),
        (&socket, &["folder", "(socket_path_is_folder)"]),
    ] {
        let (code, out, errors) = said(&folder.run(&["serve"]));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
        for part in parts {
            assert!(errors.contains(part), "{part} is not in {errors}");
        }
    }
    // The named option takes the file as it is.
    loose.configure("master_key.allow_shared_file = true");
    loose.serve().stop();
}

#[test]
fn where_the_disk_is_full_a_keeper_says_so_and_does_not_start() {
    let folder = Folder::new("");
    let mut shell = std::process::Command::new("bash");
    shell
        .args([
            "-c",
            "ulimit -f 0; exec \"$0\" serve",
            env!("CARGO_BIN_EXE_keyward"),
        ])
        .current_dir(folder.path());
    let (code, _, errors) = said(&shell.output().unwrap());
    assert_eq!(code, Some(1), "{errors}");
    assert!(
        errors.contains("data") && errors.contains("(disk_full)"),
        "{errors}"
    );
    folder.serve().stop();
}

#[test]
fn what_a_command_of_a_store_is_given_is_relative_to_the_configuration() {
    let folder = Folder::new("");
    folder.write(&format!(
        "{START}[keys.documents.store]\ncommand = [\"cat\", \"documents.key\"]\n"
    ));
    let elsewhere = tempfile::tempdir().unwrap();
    let config = folder.path().join("keyward.toml");
    let mut serve = folder.keyward(&["serve", "--config", config.to_str().unwrap()]);
    serve.current_dir(elsewhere.path());
    let keeper = Keeper::start(serve);
    keeper.says("ready");
    let (code, out, errors) = said(&folder.run(&["get", "documents"]));
    assert_eq!((code, out.as_str()), (Some(0), "value_1"), "{errors}");
    keeper.stop();
}

#[tokio::test]
async fn the_log_is_as_much_as_the_configuration_says() {
    let folder = Folder::new("");
    folder.leave_stopped().await;
    let told = folder.serve().stop();
    assert!(told.contains("it cannot"), "a person is needed: {told}");
    folder.configure("log = \"off\"");
    let told = folder.serve().stop();
    assert_eq!(told.lines().count(), 2, "ready and stopping: {told}");
}
