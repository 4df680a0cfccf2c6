//! A program is killed at every durable write, in every callback and at random moments, and lives
//! again: what was accepted goes on, what has succeeded never runs again, and no record is lost.
//!
//! `KEYWARD_ROUNDS=N KEYWARD_SEED=S` takes another number of random moments, and others.
//!
//! Each life is a process of its own: this test's executable, told by its environment to live.

mod audit;
mod chance;
mod check;
mod documents;
mod known;
mod life;
mod program;
mod rounds;
mod suspects;

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::crash::life::Orders;
use crate::support::alone::again;
use crate::support::killer::Kill;

const CHILD: &str = "KEYWARD_TEST_LIFE";
const FOLDER: &str = "KEYWARD_TEST_FOLDER";
const STRATEGY: &str = "KEYWARD_TEST_STRATEGY";
const KILL: &str = "KEYWARD_TEST_KILL";
const FROM_START: &str = "KEYWARD_TEST_FROM_START";
const LIFE: &str = "KEYWARD_TEST_LIFE_NUMBER";
const VARIANT: &str = "KEYWARD_TEST_VARIANT";
const LAST: &str = "KEYWARD_TEST_LAST";

/// No life takes longer.
const LONGEST_LIFE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "run by its parent tests only"]
fn a_child_process_lives_one_life() {
    let child = env::var(CHILD).expect("run by its parent tests only");
    let told = |name: &str| env::var(name).unwrap_or_default();
    let folder = PathBuf::from(told(FOLDER));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        match child.as_str() {
            "killer" => suspects::live_with_a_killer(folder).await,
            "suspects" => {
                let life = told(LIFE).parse().expect("a number");
                suspects::live_with_suspects(folder, life).await;
            }
            "rounds" => {
                let told = program::Told {
                    folder,
                    variant: told(VARIANT).parse().expect("a number"),
                    last: told(LAST) == "true",
                };
                program::live(told).await;
            }
            _ => {
                let orders = Orders {
                    folder,
                    strategy: life::strategy(&told(STRATEGY)),
                    kill: Kill::of_word(&told(KILL)),
                    from_start: told(FROM_START) == "yes",
                };
                life::live(orders).await;
            }
        }
    });
}

/// When a program is killed from outside.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// The line of its log from which on the time counts; none for its start.
    after: Option<&'static str>,
    delay: Duration,
}

/// Lets a program live; answers whether it was killed.
fn live(folder: &Path, child: &str, told: &[(&str, &str)]) -> bool {
    live_until(folder, child, told, None)
}

/// Lets a program live, and kills it at a moment if it has not ended by then; answers whether it
/// was killed.
fn live_until(folder: &Path, child: &str, told: &[(&str, &str)], at: Option<Moment>) -> bool {
    let mut log = log_of(folder);
    log.write_all(b"life\n").expect("the log takes a line");
    let mut told_so_far = Follower::of(folder);
    let said = folder.join("said");
    let output = File::create(&said).expect("a file");
    let mut process = again(a_child_process_lives_one_life)
        .env(CHILD, child)
        .env(FOLDER, folder)
        .envs(told.iter().copied())
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("the file twice"))
        .stderr(output)
        .spawn()
        .expect("the test starts itself");
    let begun = Instant::now();
    let mut from = at.and_then(|at| at.after.is_none().then_some(begun));
    let status = loop {
        if let Some(status) = process.try_wait().expect("it is a child") {
            break status;
        }
        if begun.elapsed() > LONGEST_LIFE {
            drop(process.kill());
            drop(process.wait());
            panic!("a life hangs: {}", story(folder));
        }
        let mut pause = Duration::from_millis(2);
        if let Some(Moment { after, delay }) = at {
            if from.is_none() && after.is_some_and(|line| told_so_far.has(line)) {
                from = Some(Instant::now());
            }
            pause = from.map_or(Duration::from_micros(100), |from| {
                pause.min(delay.saturating_sub(from.elapsed()))
            });
            if pause.is_zero() {
                process.kill().expect("it may be killed");
                break process.wait().expect("it is a child");
            }
        }
        std::thread::sleep(pause);
    };
    cut_torn_line(folder);
    let killed = status.signal() == Some(9);
    assert!(killed || status.success(), "{status}: {}", story(folder));
    killed
}

/// A line that a kill has cut was not told.
fn cut_torn_line(folder: &Path) {
    let told = read(folder);
    let whole = told.rfind('\n').map_or(0, |at| at + 1);
    if whole < told.len() {
        let log = OpenOptions::new().write(true).open(folder.join("log"));
        log.and_then(|log| log.set_len(whole as u64))
            .expect("the log can be cut");
    }
}

/// Reads what a life tells while it does.
struct Follower {
    log: File,
    told: String,
}

impl Follower {
    fn of(folder: &Path) -> Self {
        let mut log = File::open(folder.join("log")).expect("a log");
        log.seek(SeekFrom::End(0)).expect("its end");
        let told = String::new();
        Self { log, told }
    }

    fn has(&mut self, line: &str) -> bool {
        self.log.read_to_string(&mut self.told).expect("the log");
        self.told.lines().any(|told| told == line)
    }
}

fn log_of(folder: &Path) -> File {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("log"));
    log.expect("a log")
}

fn read(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).expect("the log")
}

fn story(folder: &Path) -> String {
    let said = fs::read_to_string(folder.join("said")).unwrap_or_default();
    format!("{}\n{said}", read(folder))
}

/// A program is killed once and lives again, for its whole story; answers whether it was killed.
fn survives(strategy: &str, kill: Kill, from_start: bool) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let word = kill.to_word();
    let from = if from_start { "yes" } else { "no" };
    let told = [
        (STRATEGY, strategy),
        (KILL, word.as_str()),
        (FROM_START, from),
    ];
    let killed = live(folder.path(), "rotation", &told);
    if killed {
        let told = [(STRATEGY, strategy), (KILL, "never 0"), (FROM_START, from)];
        assert!(!live(folder.path(), "rotation", &told));
    }
    let log = read(folder.path());
    let strategy = life::strategy(strategy);
    let checked = std::panic::catch_unwind(|| check::check(&log, strategy, kill, killed));
    if checked.is_err() {
        panic!("killed {kill:?} under {strategy}: {}", story(folder.path()));
    }
    killed
}

/// Kills at every point of a kind, until a life passes it by; answers how many there were.
fn survives_all(strategy: &str, from_start: bool, kill: fn(u64) -> Kill) -> u64 {
    let killed = |no: &u64| survives(strategy, kill(*no), from_start);
    (1..).take_while(killed).last().unwrap_or(0)
}

fn survives_everything(strategy: &str, from_start: bool) {
    assert_eq!(survives_all(strategy, from_start, Kill::InCall), 7);
    let before = survives_all(strategy, from_start, Kill::Before);
    let after = survives_all(strategy, from_start, Kill::After);
    // How many there are differs from life to life: what waits while a write is under way goes
    // together into the next one. Each call has one before it, each of two rotations one to begin.
    assert!(before >= 9, "only {before} writes");
    assert!(after >= 9, "only {after} writes");
}

#[test]
fn a_rotation_that_halts_survives_a_kill_at_every_write_of_a_program() {
    survives_everything("Halt", true);
}

#[test]
fn a_rotation_that_raises_immediately_survives_a_kill_at_every_write() {
    survives_everything("RaiseImmediately", false);
}

#[test]
fn a_rotation_that_skips_survives_a_kill_at_every_write() {
    survives_everything("Skip", false);
}

#[test]
fn a_rotation_that_skips_and_raises_survives_a_kill_at_every_write() {
    survives_everything("SkipAndRaise", false);
}

#[test]
fn a_callback_that_kills_its_process_five_times_has_failed_until_it_is_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let live = || live(folder.path(), "killer", &[]);
    for _ in 0..5 {
        assert!(live(), "{}", story(folder.path()));
    }
    assert!(!live());
    let log = read(folder.path());
    assert!(
        log.contains("report documents stopped kills Failed 5 too many attempts"),
        "{log}"
    );
    assert!(
        log.contains("report documents stopped after Pending 0"),
        "{log}"
    );

    File::create(folder.path().join("resume")).expect("a file");
    for _ in 0..4 {
        assert!(live(), "{}", story(folder.path()));
    }
    File::create(folder.path().join("mended")).expect("a file");
    assert!(!live());
    let log = read(folder.path());
    assert!(
        log.contains("report documents completed kills Succeeded 10"),
        "{log}"
    );
    assert!(
        log.contains("report documents completed after Succeeded 1"),
        "{log}"
    );
}

#[test]
fn of_two_callbacks_that_ran_at_the_crashes_only_the_one_that_kills_has_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lives = 0;
    loop {
        lives += 1;
        let life = lives.to_string();
        if !live(folder.path(), "suspects", &[(LIFE, &life)]) {
            break;
        }
        assert!(lives < 10, "{}", story(folder.path()));
    }
    let log = read(folder.path());
    assert!(
        log.contains("report calm completed call Succeeded"),
        "{log}"
    );
    assert!(
        log.contains("report deadly stopped call Failed 5 too many attempts"),
        "{log}"
    );
    let after_the_first_two = log.split("life\n").skip(3);
    for life in after_the_first_two {
        let lines: Vec<&str> = life.lines().collect();
        if let Some(begun) = lines.iter().position(|line| *line == "begin calm") {
            assert_eq!(
                lines.get(begun + 1),
                Some(&"end calm"),
                "both were called at once: {log}"
            );
        }
    }
}
