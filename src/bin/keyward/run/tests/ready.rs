//! What says that a change has succeeded, and how long that may take.

use std::fs;
use std::time::{Duration, Instant};

use keyward::CommandLine;

use crate::run::supervisor::Telling;

use super::{
    LIMIT, NEW, OLD, Supervised, WAIT, alone, by_restart, eventually, in_file, ready, runs,
};

#[test]
fn a_ready_command_that_hangs_has_half_the_limit_and_is_killed_whole() {
    alone(
        a_ready_command_that_hangs_has_half_the_limit_and_is_killed_whole,
        async {
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("ready");
            let hangs = format!(
                "sleep 1000 & echo $! >> {0}; echo $$ >> {0}; wait",
                log.display()
            );
            let program = Supervised::start(WAIT, in_file(), ready(by_restart(), &hangs)).await;
            let begun = Instant::now();
            let failed = program.change(Duration::from_secs(6)).await.unwrap_err();
            let took = begun.elapsed();
            assert!(
                took >= Duration::from_secs(3) && took < Duration::from_secs(6),
                "{took:?}"
            );
            assert!(failed.contains("has not succeeded within 3s"), "{failed}");
            let processes = fs::read_to_string(&log).unwrap();
            let processes: Vec<i32> = processes
                .lines()
                .map(|line| line.parse().unwrap())
                .collect();
            assert_eq!(processes.len(), 2);
            eventually("both are gone", || {
                !processes.iter().any(|process| runs(*process))
            })
            .await;
            let key = fs::read(program.path("key")).unwrap();
            assert_eq!(key, OLD.as_bytes());
            eventually("it was started again", || program.starts().len() == 3).await;
        },
    );
}

#[test]
fn a_change_has_succeeded_when_the_ready_command_does() {
    alone(a_change_has_succeeded_when_the_ready_command_does, async {
        let folder = tempfile::tempdir().unwrap();
        let tries = folder.path().join("tries");
        let third = format!("echo >> {0}; test $(wc -l < {0}) -ge 3", tries.display());
        let program = Supervised::start(WAIT, in_file(), ready(by_restart(), &third)).await;
        assert_eq!(program.change(LIMIT).await, Ok(()));
        assert_eq!(fs::read_to_string(&tries).unwrap().lines().count(), 3);
        program.ends().await;

        let program = Supervised::start(
            WAIT,
            in_file(),
            ready(by_restart(), "echo not yet >&2; exit 1"),
        )
        .await;
        let failed = program.change(Duration::from_secs(3)).await.unwrap_err();
        assert!(failed.contains("not yet"), "{failed}");
        program.ends().await;
        // A key in what it says is not told.
        let says = format!("echo {NEW} >&2; exit 1");
        let program = Supervised::start(WAIT, in_file(), ready(by_restart(), &says)).await;
        let failed = program.change(Duration::from_secs(3)).await.unwrap_err();
        assert!(!failed.contains("canary"), "{failed}");
        program.ends().await;
        let none = ready(by_restart(), "");
        let none = Telling {
            ready: Some(CommandLine::new("/no/such/command")),
            ..none
        };
        let program = Supervised::start(WAIT, in_file(), none).await;
        let failed = program.change(LIMIT).await.unwrap_err();
        assert!(failed.contains("cannot run /no/such/command"), "{failed}");
    });
}

#[test]
fn a_limit_that_is_too_short_for_a_change_is_told_before_anything_is_done() {
    alone(
        a_limit_that_is_too_short_for_a_change_is_told_before_anything_is_done,
        async {
            let program = Supervised::start(WAIT, in_file(), by_restart()).await;
            let failed = program.change(Duration::from_secs(5)).await.unwrap_err();
            assert!(failed.contains("raise the time limit"), "{failed}");
            let key = fs::read(program.path("key")).unwrap();
            assert_eq!(key, OLD.as_bytes());
        },
    );
}
