//! The live view of a rotation, looked at on a terminal.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keyward::{KeyChange, RotationId, Uuid};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Semaphore;

use crate::command_line::ground::{Ground, NEW};
use crate::command_line::schema::assert_documented;
use crate::command_line::terminal::Terminal;
use crate::support::until;

/// Two workers with two callbacks each; each callback waits for a permit.
async fn slow_workers(ground: &Ground) -> (Vec<keyward::Worker>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let mut workers = Vec::new();
    for name in ["anna", "ben"] {
        let worker = ground.manager.join(name).await.unwrap();
        for callback in ["files", "tables"] {
            let gate = Arc::clone(&gate);
            let wait = move |_: KeyChange| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.map_err(|_| "closed")?.forget();
                    Ok::<(), &str>(())
                }
            };
            worker
                .register_on_change("documents", callback, wait)
                .await
                .unwrap();
        }
        workers.push(worker);
    }
    (workers, gate)
}

fn rotate(ground: &Ground) -> Terminal {
    let file = ground.key_file("next.key", NEW);
    Terminal::start(ground.command(&["rotate", "documents", "--new-file", file.to_str().unwrap()]))
}

/// How far each bar is: `0 of 2` and so on.
fn bar<'a>(screen: &'a str, worker: &str) -> Option<&'a str> {
    let line = screen
        .lines()
        .find(|line| line.trim_start().starts_with(worker));
    let shown = line.and_then(|line| line.split("] ").nth(1));
    Some(
        shown
            .unwrap_or_else(|| panic!("{worker} has no bar:\n{screen}"))
            .trim_start(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_a_worker_moves_and_the_end_stands() {
    let ground = Ground::new().await;
    let (_workers, gate) = slow_workers(&ground).await;
    let mut terminal = rotate(&ground);
    let first = terminal.wait_for("files, attempt 1");
    assert!(
        bar(&first, "anna").unwrap().starts_with("0 of 2"),
        "{first}"
    );
    gate.add_permits(1);
    let second = terminal.wait_for("tables, attempt 1");
    assert!(
        bar(&second, "anna").unwrap().starts_with("1 of 2"),
        "{second}"
    );
    assert!(second.contains("============>"), "{second}");
    gate.add_permits(1);
    let third = terminal.wait_for("done");
    assert!(
        bar(&third, "anna").unwrap().starts_with("2 of 2"),
        "{third}"
    );
    gate.add_permits(2);
    let (ended, last, seen) = terminal.end();
    assert_eq!(ended.code(), Some(0), "{last}");
    assert!(last.contains("completed, 4 of 4 steps succeeded"), "{last}");
    assert!(bar(&last, "anna").unwrap().starts_with("2 of 2"), "{last}");
    // Each worker has one line on every screen, whatever was drawn before.
    for screen in seen {
        let annas = screen
            .lines()
            .filter(|line| line.trim_start().starts_with("anna"));
        assert!(annas.count() <= 1, "{screen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_it_says_that_the_rotation_goes_on_and_how_to_look() {
    let ground = Ground::new().await;
    let (_workers, gate) = slow_workers(&ground).await;
    let mut terminal = rotate(&ground);
    terminal.wait_for("files, attempt 1");
    // Ctrl-C.
    terminal.type_keys("\u{3}");
    let (ended, screen, _) = terminal.end();
    assert_eq!(ended.code(), Some(1), "{screen}");
    let id = ground.manager.rotations().await.unwrap()[0].id;
    for said in [
        "goes on in the keeper".to_owned(),
        format!("keyward show {id}"),
        format!("keyward wait {id}"),
    ] {
        assert!(screen.contains(&said), "{said:?} is not in {screen}");
    }
    gate.add_permits(4);
    let report = tokio::time::timeout(Duration::from_secs(60), ground.manager.wait(id)).await;
    assert_eq!(
        report.unwrap().unwrap().state,
        keyward::RotationState::Completed
    );
}

/// Sends a signal to a command when it has begun; answers its lines, and its exit status.
async fn interrupted(
    mut command: Command,
    signal: Signal,
    begun: impl AsyncFn(Pid),
) -> (Vec<String>, Option<i32>) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    begun(pid).await;
    kill_process(pid, signal).unwrap();
    let out = child.stdout.take().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(out).lines().map(Result::unwrap);
        let lines: Vec<String> = lines.collect();
        (lines, child.wait().unwrap().code())
    });
    ended.await.unwrap()
}

/// Until the command no longer dies of a signal, but answers it.
async fn catches_it(command: Pid, signal: Signal) {
    let status = format!("/proc/{}/status", command.as_raw_nonzero());
    until("the command watches the signal", async || {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
        caught >> (signal.as_raw() - 1) & 1 == 1
    })
    .await;
}

/// A rotation that waits for a worker that is not there: its id, and the words that declare it.
async fn waiting_rotation(ground: &Ground) -> (RotationId, Vec<String>) {
    drop(ground.worker("anna", || Ok(())).await);
    let file = ground.key_file("next.key", NEW);
    let id = RotationId::new(Uuid::now_v7());
    let words = ["rotate", "documents", "--json", "--new-file"].map(str::to_owned);
    let given = [file.to_str().unwrap().to_owned(), "--id".to_owned()];
    let words = words.into_iter().chain(given).chain([id.to_string()]);
    (id, words.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_on_a_pipe_rotate_says_that_the_rotation_goes_on_at_whatever_moment() {
    let ground = Ground::new().await;
    let (id, words) = waiting_rotation(&ground).await;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // It is the same rotation each time; the signal comes before, at and after the keeper's answer.
    for after in 0..20 {
        let begun = async |command| {
            catches_it(command, Signal::TERM).await;
            tokio::time::sleep(Duration::from_millis(after)).await;
        };
        let (lines, code) = interrupted(ground.command(&words), Signal::TERM, begun).await;
        assert_eq!(code, Some(1), "{lines:?}");
        let lines: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [first, last] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        assert_documented("rotate", first);
        assert_eq!(first["id"], id.to_string());
        if last["error"].is_object() {
            assert_documented("error", last);
            let text = last["error"]["text"].as_str().unwrap();
            assert!(text.contains(&format!("--id {id}")), "{text}");
        } else {
            assert_documented("rotate", last);
            assert_eq!(last["goes_on"]["id"], id.to_string());
            assert_eq!(last["goes_on"]["because"], "interrupted");
        }
    }
    assert!(ground.manager.rotations().await.unwrap().len() <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_on_a_pipe_wait_says_that_the_rotation_goes_on() {
    let ground = Ground::new().await;
    let (id, words) = waiting_rotation(&ground).await;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let declared = ground.run(&[&words[..], &["--no-wait"]].concat()).await;
    assert_eq!(declared.code, 0, "{}", declared.err);
    let id = id.to_string();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut command = Command::new("env");
        // What is ignored at its start stays so, as under nohup.
        command.arg("--default-signal=HUP");
        command.args([env!("CARGO_BIN_EXE_keyward"), "wait", &id]);
        command.env("KEYWARD_SOCKET", ground.folder.path().join("s"));
        let asks = async |command| catches_it(command, signal).await;
        let (lines, code) = interrupted(command, signal, asks).await;
        assert_eq!(code, Some(1), "{lines:?}");
        let said = lines.join("\n");
        for part in [
            "Interrupted.",
            "goes on in the keeper",
            &format!("keyward show {id}"),
        ] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    }
    assert_eq!(ground.manager.rotations().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_colour_is_no_colour_and_a_pipe_has_none() {
    let ground = Ground::new().await;
    let coloured = |no_colour: bool| {
        let mut command = ground.command(&["status"]);
        if no_colour {
            command.env("NO_COLOR", "1");
        }
        Terminal::start(command).raw()
    };
    assert!(coloured(false).contains("\u{1b}[32m"));
    assert!(!coloured(true).contains('\u{1b}'));
    assert!(!ground.run(&["status"]).await.out.contains('\u{1b}'));
    // A variable that is empty says nothing, and an object is for programs.
    let mut empty = ground.command(&["status"]);
    empty.env("NO_COLOR", "");
    assert!(Terminal::start(empty).raw().contains("\u{1b}[32m"));
    let object = Terminal::start(ground.command(&["status", "--json"])).raw();
    assert!(!object.contains('\u{1b}'), "{object}");
}
