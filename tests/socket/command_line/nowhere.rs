//! Where no keeper is, and where none is to be asked.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::process::geteuid;

use crate::command_line::ground::Ground;
use crate::command_line::program::{keyward, ran};
use crate::command_line::schema::assert_documented;

const ASKING: [&[&str]; 10] = [
    &["status"],
    &["workers"],
    &["rotations"],
    &["history"],
    &["get", "documents"],
    &["versions", "documents"],
    &["show", "018f3a5e-1111-7222-8333-123456789abc"],
    &["wait", "018f3a5e-1111-7222-8333-123456789abc"],
    &["resume", "018f3a5e-1111-7222-8333-123456789abc"],
    &["backup"],
];

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_nowhere_ends_with_4_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no.sock");
    let stale = folder.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    for socket in [nowhere, stale] {
        let name = socket.to_str().unwrap();
        for arguments in ASKING {
            let mut by_variable = keyward(arguments);
            by_variable.env("KEYWARD_SOCKET", name);
            let by_option = keyward(&[arguments, &["--socket", name]].concat());
            for command in [by_variable, by_option] {
                let ran = ran(command).await;
                assert_eq!(
                    (ran.code, ran.out.as_str()),
                    (4, ""),
                    "{arguments:?}: {}",
                    ran.err
                );
                assert!(ran.err.contains(name), "{}", ran.err);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_can_be_no_sockets_is_wrong_usage_and_one_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no socket").unwrap();
    let long = folder.path().join("s".repeat(108));
    let below_file = file.join("s");
    let unclear = PathBuf::from("unix://host/s");
    for (socket, code, part) in [
        (&long, 2, "107"),
        (&unclear, 2, "unix:PATH"),
        (&folder.path().to_owned(), 2, "is a folder"),
        (&file, 2, "no socket"),
        (&below_file, 4, "no keeper answers"),
    ] {
        let name = socket.to_str().unwrap();
        for by_variable in [true, false] {
            let mut command = match by_variable {
                true => keyward(&["status"]),
                false => keyward(&["status", "--socket", name]),
            };
            if by_variable {
                command.env("KEYWARD_SOCKET", name);
            }
            let ran = ran(command).await;
            assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{}", ran.err);
            assert!(
                ran.err.contains(name) && ran.err.contains(part),
                "{}",
                ran.err
            );
        }
    }
    // An empty variable names nothing.
    let mut empty = keyward(&["status"]);
    empty.env("KEYWARD_SOCKET", "");
    let ran = ran(empty).await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("KEYWARD_SOCKET"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_this_user_may_not_open_is_told_of_as_such() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let ground = Ground::new().await;
    let as_other = ground.as_other_user();
    let ran = ran(as_other(&["status"])).await;
    assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{}", ran.err);
    for part in ["Permission denied", ground.folder.path().to_str().unwrap()] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_and_wrong_usage_never_touch_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let wrong: [&[&str]; 10] = [
        &[],
        &["no-such-command"],
        &["show"],
        &["show", "no-id"],
        &["status", "--no-such-option"],
        &["history", "--limit", "0"],
        &["rotate", "documents", "--time-limit", "soon"],
        &["rotate", "documents", "--plan", "--new-file", "f"],
        &[
            "resume",
            "018f3a5e-1111-7222-8333-123456789abc",
            "--reason",
            &"r".repeat(1_025),
        ],
        &["remove", "instance", "web", "first"],
    ];
    let help: Vec<Vec<&str>> = ASKING
        .iter()
        .map(|asking| vec![asking[0], "--help"])
        .collect();
    let help = help.iter().map(|asking| (0, asking.as_slice()));
    for (code, arguments) in wrong
        .map(|arguments| (2, arguments))
        .into_iter()
        .chain(help)
    {
        let mut command = keyward(arguments);
        command.env("KEYWARD_SOCKET", &path);
        let ran = ran(command).await;
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(listener.accept().is_err(), "{arguments:?} connected");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_programs_wrong_usage_is_an_object_too() {
    for arguments in [
        &["show", "no-id", "--json"][..],
        &["--json"],
        &["no-such-command", "--json"],
        &["rotate", "--json"],
    ] {
        let ran = ran(keyward(arguments)).await;
        assert_eq!(ran.code, 2, "{arguments:?}");
        let object: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_documented("error", &object);
        assert_eq!(object["error"]["code"], "usage");
        let text = object["error"]["text"].as_str().unwrap();
        assert!(ran.err.contains(text), "{}", ran.err);
    }
    let help = ran(keyward(&["status", "--help", "--json"])).await;
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(help.out.contains("Usage:"), "{}", help.out);
}
