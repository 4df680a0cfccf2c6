//! Where no keeper is, and where none is to be asked.

use std::os::unix::net::UnixListener;

use crate::command_line::program::{keyward, ran};

const ASKING: [&[&str]; 9] = [
    &["status"],
    &["workers"],
    &["rotations"],
    &["history"],
    &["get", "documents"],
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
