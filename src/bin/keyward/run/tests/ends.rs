//! How a program ends, and what it leaves behind.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::{LIMIT, Supervised, WAIT, alone, by_restart, eventually, in_file, runs};

#[test]
fn a_program_that_does_not_end_is_killed_with_all_that_it_started() {
    alone(
        a_program_that_does_not_end_is_killed_with_all_that_it_started,
        async {
            let script = format!("trap '' TERM; setsid sleep 1000 & echo child $! >> $LOG\n{WAIT}");
            let program = Supervised::start(&script, in_file(), by_restart()).await;
            eventually("its child runs", || program.lines().len() == 2).await;
            let child = program.lines()[1]
                .strip_prefix("child ")
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(program.change(Duration::from_secs(12)).await, Ok(()));
            let starts = program.starts();
            assert!(starts.len() == 2 && !runs(starts[0]) && !runs(child));
        },
    );
}

#[test]
fn a_program_that_goes_to_the_background_is_ended_with_a_sentence() {
    alone(
        a_program_that_goes_to_the_background_is_ended_with_a_sentence,
        async {
            let script = "setsid sleep 1000 & echo child $! >> $LOG; exit 0";
            let program = Supervised::start(script, in_file(), by_restart()).await;
            let lines = program.path("log");
            let failed = program.end.await.unwrap().unwrap_err().to_string();
            assert!(failed.contains("stays in the foreground"), "{failed}");
            let child = fs::read_to_string(lines).unwrap();
            let child = child.lines().find_map(|line| line.strip_prefix("child "));
            assert!(!runs(child.unwrap().parse().unwrap()));

            // At a change, too.
            let script =
                format!("if grep -q new $KEY_FILE; then setsid sleep 1000 & exit 0; fi\n{WAIT}");
            let program = Supervised::start(&script, in_file(), by_restart()).await;
            let failed = program.change(LIMIT).await.unwrap_err();
            assert!(failed.contains("stays in the foreground"), "{failed}");
            eventually("it runs again", || {
                program.starts().len() == 3 && program.starts().last().copied().is_some_and(runs)
            })
            .await;
        },
    );
}

#[test]
fn how_the_program_ends_is_told_and_signals_are_passed_on() {
    alone(
        how_the_program_ends_is_told_and_signals_are_passed_on,
        async {
            let program = Supervised::start("exit 7", in_file(), by_restart()).await;
            assert_eq!(program.end.await.unwrap().unwrap().code(), Some(7));
            let program = Supervised::start("kill -9 $$", in_file(), by_restart()).await;
            assert_eq!(program.end.await.unwrap().unwrap().signal(), Some(9));

            // What it leaves behind ends with it, and is no program in the background where it was asked to end.
            let script = format!(
                "trap 'exit 0' TERM; trap 'echo usr1 >> $LOG' USR1; setsid sleep 1000 & echo up >> $LOG\n{WAIT}"
            );
            let program = Supervised::start(&script, in_file(), by_restart()).await;
            program.wrote("up").await;
            kill_process(getpid(), Signal::USR1).unwrap();
            program.wrote("usr1").await;
            kill_process(getpid(), Signal::TERM).unwrap();
            assert_eq!(program.end.await.unwrap().unwrap().code(), Some(0));
            assert!(
                fs::read_to_string("/proc/thread-self/children")
                    .unwrap()
                    .is_empty()
            );
        },
    );
}

#[test]
fn a_program_that_is_asked_to_end_during_a_change_is_not_started_again() {
    alone(
        a_program_that_is_asked_to_end_during_a_change_is_not_started_again,
        async {
            let program = Supervised::start(WAIT, in_file(), by_restart()).await;
            let change = program.change(LIMIT);
            let asked = async {
                eventually("it was started again", || program.starts().len() == 2).await;
                kill_process(getpid(), Signal::TERM).unwrap();
            };
            let (changed, ()) = tokio::join!(change, asked);
            assert!(changed.unwrap_err().contains("has ended"));
            let starts = program.path("log");
            assert_eq!(program.end.await.unwrap().unwrap().signal(), Some(15));
            assert_eq!(fs::read_to_string(starts).unwrap().lines().count(), 2);
        },
    );
}

#[test]
fn what_a_program_leaves_behind_is_reaped_while_it_runs() {
    alone(
        what_a_program_leaves_behind_is_reaped_while_it_runs,
        async {
            let script = format!(
                "for n in 1 2 3; do sh -c 'sleep 0.1 & echo left $! >> '$LOG; done\n{WAIT}"
            );
            let program = Supervised::start(&script, in_file(), by_restart()).await;
            let left = || -> Vec<i32> {
                let lines = program.lines();
                let left = lines.iter().filter_map(|line| line.strip_prefix("left "));
                left.map(|process| process.parse().unwrap()).collect()
            };
            eventually("three are left behind", || left().len() == 3).await;
            eventually("they are reaped", || {
                let there = |process: &i32| Path::new(&format!("/proc/{process}")).exists();
                !left().iter().any(there)
            })
            .await;
            let process = Pid::from_raw(program.starts()[0]).unwrap();
            assert!(runs(process.as_raw_nonzero().get()));
        },
    );
}
