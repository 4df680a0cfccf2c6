//! The end of a keeper: by one signal in order, by a second one at once.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use keyward::{Change, Client, KeyChange};
use rustix::process::Signal;
use tokio::sync::mpsc;

use super::process::Folder;
use crate::support::within;

/// A client with a worker whose callback has begun and does not return; and an idle one.
async fn busy(folder: &Folder) -> (Client, Client, keyward::Worker, mpsc::Receiver<()>) {
    let idle = within(Client::at(folder.socket())).await.unwrap();
    let client = within(Client::at(folder.socket())).await.unwrap();
    let worker = within(client.join("anna")).await.unwrap();
    let (begun, mut begins) = mpsc::channel(1);
    let sleeps = move |_: KeyChange| {
        let begun = begun.clone();
        async move {
            let _ = begun.send(()).await;
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
    };
    within(worker.register_on_change("documents", "sleeps", sleeps))
        .await
        .unwrap();
    within(worker.ready()).await.unwrap();
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    within(client.declare(change)).await.unwrap();
    within(begins.recv()).await.unwrap();
    (idle, client, worker, begins)
}

#[tokio::test]
async fn sigterm_and_sigint_end_a_keeper_with_status_0_while_callbacks_run_and_streams_are_idle() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = Folder::new("manager.shutdown_grace = \"1 s\"");
        let keeper = folder.serve();
        let _clients = busy(&folder).await;
        keeper.signal(signal);
        let (status, said) = tokio::task::spawn_blocking(move || keeper.ends())
            .await
            .unwrap();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("stopping"), "{said}");
        assert!(!folder.socket().exists());
        // What was under way goes on in the next life.
        let keeper = folder.serve();
        tokio::task::spawn_blocking(move || keeper.stop())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_second_signal_ends_a_keeper_at_once() {
    let folder = Folder::new("manager.shutdown_grace = \"10 min\"");
    let keeper = folder.serve();
    let _clients = busy(&folder).await;
    keeper.signal(Signal::TERM);
    keeper.says("stopping");
    let begun = Instant::now();
    keeper.signal(Signal::INT);
    let (status, said) = tokio::task::spawn_blocking(move || keeper.ends())
        .await
        .unwrap();
    assert_eq!(
        status.signal(),
        Some(Signal::INT.as_raw()),
        "{status} {said}"
    );
    assert!(begun.elapsed() < Duration::from_secs(60));
    // The socket that is left is replaced.
    let keeper = folder.serve();
    drop(keeper);
}

#[test]
fn a_signal_while_a_keeper_starts_ends_it_with_status_0() {
    let folder = Folder::new("");
    folder.write(
        "data_folder = \"data\"\nsocket = \"s\"\n[master_key]\ncommand = [\"sh\", \"-c\", \"touch asked; sleep 9\"]\n",
    );
    let keeper = super::process::Keeper::start(folder.keyward(&["serve"]));
    let begun = Instant::now();
    while !folder.path().join("asked").exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{}",
            keeper.said()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    keeper.stop();
    assert!(!folder.socket().exists());
}

#[test]
fn a_keeper_that_ends_together_with_its_workers_says_nothing_of_a_failed_write() {
    for _ in 0..5 {
        let folder = Folder::new("");
        let keeper = folder.serve();
        let arguments = ["worker", "--on-change", "documents=true"];
        let worker = |name| folder.keyward(&arguments).arg(name).spawn().unwrap();
        let workers: Vec<_> = ["anna", "ben", "cleo"].map(worker).into();
        let begun = Instant::now();
        loop {
            let plan = folder
                .run(&["rotate", "documents", "--plan", "--json"])
                .stdout;
            let plan = String::from_utf8(plan).unwrap();
            if plan.matches("\"instances\":1").count() == workers.len() {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{plan}");
        }
        keeper.signal(Signal::TERM);
        for mut worker in workers {
            rustix::process::kill_process(rustix::process::Pid::from_child(&worker), Signal::KILL)
                .unwrap();
            worker.wait().unwrap();
        }
        let (status, said) = keeper.ends();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(
            !said.contains("ERROR") && !said.contains("journal"),
            "{said}"
        );
    }
}
