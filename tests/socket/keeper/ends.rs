//! The end of a keeper by a signal.

use std::time::{Duration, Instant};

use keyward::{Client, EventLevel};
use rustix::process::Signal;

use super::process::Folder;
use crate::support::within;

#[tokio::test]
async fn sigterm_and_sigint_end_a_keeper_with_status_0_while_streams_are_idle() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = Folder::new("");
        let keeper = folder.serve();
        let idle = within(Client::at(folder.socket())).await.unwrap();
        let _events = within(idle.events(EventLevel::Warn)).await.unwrap();
        keeper.signal(signal);
        let (status, said) = tokio::task::spawn_blocking(move || keeper.ends())
            .await
            .unwrap();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("stopping"), "{said}");
        assert!(!folder.socket().exists());
    }
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
