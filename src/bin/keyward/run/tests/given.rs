//! A changed key is given to the program: by file and signal, or by a new start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::run::keys::Place;

use super::{
    LIMIT, NEW, OLD, Supervised, WAIT, alone, by_restart, by_signal, eventually, in_file, runs,
};

#[test]
fn a_program_that_catches_the_signal_reads_its_new_key_from_its_file() {
    alone(
        a_program_that_catches_the_signal_reads_its_new_key_from_its_file,
        async {
            let script =
                format!("trap 'cat $KEY_FILE >> $LOG; echo >> $LOG' HUP; echo up >> $LOG\n{WAIT}");
            let program = Supervised::start(&script, in_file(), by_signal()).await;
            program.wrote("up").await;
            let key = fs::read(program.path("key")).unwrap();
            assert_eq!(key, OLD.as_bytes());
            let begun = Instant::now();
            assert_eq!(program.change(LIMIT).await, Ok(()));
            assert!(begun.elapsed() >= Duration::from_secs(5));
            program.wrote(NEW).await;
            let mode = fs::metadata(program.path("key"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(fs::read_dir(program.folder.path()).unwrap().count(), 2);
            assert_eq!(program.starts().len(), 1);
            // What it has already needs no change.
            let begun = Instant::now();
            assert_eq!(program.change(LIMIT).await, Ok(()));
            assert!(begun.elapsed() < Duration::from_secs(4));
        },
    );
}

#[test]
fn a_signal_that_the_program_does_not_catch_is_not_sent_and_the_change_has_failed() {
    alone(
        a_signal_that_the_program_does_not_catch_is_not_sent_and_the_change_has_failed,
        async {
            for script in ["trap '' HUP; exec sleep 1000", "exec sleep 1000"] {
                let program = Supervised::start(script, in_file(), by_signal()).await;
                let failed = program.change(LIMIT).await.unwrap_err();
                assert!(failed.contains("does not catch SIGHUP"), "{failed}");
                let key = fs::read(program.path("key")).unwrap();
                assert_eq!(key, OLD.as_bytes());
                let starts = program.starts();
                assert!(starts.len() == 1 && runs(starts[0]), "{starts:?}");
                program.ends().await;
            }
        },
    );
}

#[test]
fn a_program_that_ends_with_the_new_key_is_started_again_with_the_old_one() {
    alone(
        a_program_that_ends_with_the_new_key_is_started_again_with_the_old_one,
        async {
            for (code, telling) in [
                (3, by_signal()),
                (0, by_signal()),
                (3, by_restart()),
                (0, by_restart()),
            ] {
                let check = format!("grep -q new $KEY_FILE && {{ kill $!; exit {code}; }}");
                let script = format!("trap '{check}' HUP; {check}; echo up >> $LOG\n{WAIT}");
                let program = Supervised::start(&script, in_file(), telling).await;
                program.wrote("up").await;
                let failed = program.change(LIMIT).await.unwrap_err();
                assert!(
                    failed.contains(&format!("ended (exit status: {code})")),
                    "{failed}"
                );
                assert!(
                    failed.contains("started again with what it had"),
                    "{failed}"
                );
                let key = fs::read(program.path("key")).unwrap();
                assert_eq!(key, OLD.as_bytes());
                eventually("it runs again", || {
                    let last = program.starts().last().copied();
                    let ups = program.lines().iter().filter(|line| *line == "up").count();
                    ups == 2 && last.is_some_and(runs)
                })
                .await;
                program.ends().await;
            }
        },
    );
}

#[test]
fn a_program_with_its_key_in_a_variable_is_started_again() {
    alone(
        a_program_with_its_key_in_a_variable_is_started_again,
        async {
            let script = format!("echo $TOKEN >> $LOG; umask >> $LOG\n{WAIT}");
            let place = Place::Variable("TOKEN".to_owned());
            // The signal is of no use then.
            let program = Supervised::start(&script, place, by_signal()).await;
            program.wrote(OLD).await;
            assert_eq!(program.change(LIMIT).await, Ok(()));
            program.wrote(NEW).await;
            program.wrote("0022").await;
            let starts = program.starts();
            assert!(starts.len() == 2 && !runs(starts[0]) && runs(starts[1]));
            let own = fs::read("/proc/self/environ").unwrap();
            assert!(!own.windows(6).any(|part| part == b"canary"));
        },
    );
}
