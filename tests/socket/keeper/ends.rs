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
