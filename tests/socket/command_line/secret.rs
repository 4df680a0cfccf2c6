//! Keys stand nowhere but where `get` is to put them.

use std::fs;
use std::process::Stdio;

use crate::command_line::ground::{Ground, NEW, OLD};

#[tokio::test(flavor = "multi_thread")]
async fn no_command_says_a_key_whatever_it_does() {
    let ground = Ground::new().await;
    let anna = ground.worker("anna", || Err("no")).await;
    let (id, rotated) = ground.rotate().await;
    let mut said = vec![rotated];
    let other = ground.key_file("other.key", "another");
    let other = other.to_str().unwrap();
    let commands: [&[&str]; 14] = [
        &["status"],
        &["status", "--json"],
        &["workers"],
        &["rotations", "--json"],
        &["show", &id],
        &["wait", &id],
        &["rotate", "documents", "--plan"],
        &["rotate", "documents", "--id", &id, "--new-file", other],
        &["rotate", "nothing", "--new-file", other],
        &["get", "documents", "--out", other],
        &["resume", &id],
        &["wait", &id, "--json"],
        &["abort", &id, "--yes", "anna"],
        &["history"],
    ];
    for arguments in commands {
        let mut command = ground.command(arguments);
        command.env("KEYWARD_LOG", "trace");
        said.push(crate::command_line::program::ran(command).await);
    }
    for ran in said {
        for text in [ran.out, ran.err] {
            assert!(!text.contains("canary"), "{text}");
        }
    }
    drop(anna);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_stands_in_what_the_system_shows_of_the_process() {
    let ground = Ground::new().await;
    drop(ground.worker("anna", || Ok(())).await);
    let file = ground.key_file("next.key", NEW);
    let mut command =
        ground.command(&["rotate", "documents", "--new-file", file.to_str().unwrap()]);
    let mut rotate = command.stdout(Stdio::piped()).spawn().unwrap();
    while ground.manager.rotations().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let about = format!("/proc/{}", rotate.id());
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("{about}/{file}")).unwrap();
        for key in [OLD, NEW] {
            assert!(
                !bytes.windows(key.len()).any(|part| part == key.as_bytes()),
                "{file}"
            );
        }
    }
    rotate.kill().unwrap();
    rotate.wait().unwrap();
}
