//! A log that cannot be written, in real processes: a subscriber that panics, or blocks for ever, on
//! standard error stops nothing.

use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

use keyward::{ActorName, ActorState, Change, KeyChange, KeysManagement, RotationState};

use crate::support::alone::{again, ended};
use crate::support::{builder, define, documents, until, within};

/// What the process prints at its end.
const ALL_ANSWERED: &str = "all was answered";

/// More lines than an unread pipe takes, and more than wait for a subscriber.
const MANY: usize = 3_000;

/// Rotations stop and complete, the coordinator dies, fails and is restarted; everything is answered
/// whatever becomes of what is logged.
async fn life() {
    let folder = tempfile::tempdir().unwrap();
    let started = builder()
        .data_folder(folder.path().join("data"))
        .restart_intensity(2, Duration::from_secs(600))
        .start();
    let manager = within(started).await.expect("it starts");
    // A program may begin to log when its manager runs already.
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .init();
    define(&manager, documents()).await;
    let fails = |change: KeyChange| match change.new_keys {
        Some(new) if new.forward().expose() == b"bad" => Err("the callback fails"),
        _ => Ok(()),
    };
    within(manager.register_on_change("documents", "callback", fails))
        .await
        .unwrap();
    change_to(&manager, "bad", RotationState::Stopped).await;
    change_to(&manager, "value_2", RotationState::Completed).await;

    // Many events of an operator, more than a pipe takes.
    let unended = within(manager.rotations()).await.unwrap();
    for _ in 0..MANY {
        within(manager.recover_keys(unended[0].id)).await.unwrap();
    }
    wear_out(&manager, &ActorName::Coordinator).await;
    let refused = within(manager.key_changed(Change::of("documents").new_keys("value_3"))).await;
    assert_eq!(refused.unwrap_err().code(), "coordinator_failed");
    let status = within(manager.status()).await.unwrap();
    assert!(status.paused.is_some());
    within(manager.restart(&ActorName::Coordinator))
        .await
        .unwrap();
    until("rotations go on", async || {
        within(manager.status()).await.unwrap().paused.is_none()
    })
    .await;
    change_to(&manager, "value_3", RotationState::Completed).await;
    within(manager.get_key("documents")).await.unwrap();
    within(manager.shutdown()).await.unwrap();
    // The data folder is free.
    let again = builder().data_folder(folder.path().join("data")).start();
    let again = within(again).await.expect("it starts again");
    within(again.shutdown()).await.unwrap();
}

async fn change_to(manager: &KeysManagement, new: &'static str, state: RotationState) {
    let changed = manager.key_changed(Change::of("documents").new_keys(new));
    assert_eq!(within(changed).await.expect("a report").state, state);
}

async fn wear_out(manager: &KeysManagement, name: &ActorName) {
    until("it has failed", async || {
        manager.kill_actor(name, 1);
        let status = within(manager.status()).await.unwrap();
        let actor = status.actors.iter().find(|actor| actor.actor == *name);
        actor.unwrap().state == ActorState::Failed
    })
    .await;
    manager.kill_actor(name, 0);
}

#[test]
#[ignore = "run by the tests below"]
fn the_process_that_has_the_log_lives() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(life());
    println!("{ALL_ANSWERED}");
    // The end of the process waits for no subscriber either.
    std::process::exit(0);
}

/// Starts the process with this standard error.
fn start(errors: Stdio) -> Child {
    again(the_process_that_has_the_log_lives)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .expect("the test starts itself")
}

#[track_caller]
fn ends_well(mut child: Child) {
    let mut output = child.stdout.take().unwrap();
    let status = ended(&mut child);
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains(ALL_ANSWERED), "{said}");
}

#[test]
fn on_a_full_disk_everything_is_answered() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    ends_well(start(full.into()));
}

#[test]
fn where_the_reader_went_away_everything_is_answered() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    ends_well(start(writer.into()));
}

#[test]
fn where_nobody_reads_everything_is_answered() {
    let (reader, writer) = io::pipe().unwrap();
    ends_well(start(writer.into()));
    let said = all(reader);
    assert!(said.contains("an operator took the keys"), "{said}");
}

#[test]
fn where_somebody_reads_every_event_or_how_many_were_lost_is_read() {
    let (reader, writer) = io::pipe().unwrap();
    let child = start(writer.into());
    let read = std::thread::spawn(move || all(reader));
    ends_well(child);
    let said = read.join().unwrap();
    let taken = said.matches("an operator took the keys").count();
    let number = |line: &str| {
        let (_, lost) = line.split_once("lost=")?;
        lost.trim().parse::<usize>().ok()
    };
    let lost: usize = said.lines().filter_map(number).sum();
    assert!(
        taken <= MANY && taken + lost >= MANY,
        "{taken}, {lost} lost"
    );
    for event in [
        "a rotation settled",
        "an actor died and is not restarted",
        "an operator restarts an actor",
    ] {
        assert!(said.contains(event) || lost > 0, "{event} is not in {said}");
    }
}

fn all(mut reader: PipeReader) -> String {
    let mut said = Vec::new();
    reader.read_to_end(&mut said).unwrap();
    String::from_utf8_lossy(&said).into_owned()
}
