//! `keyward events`: what the keeper tells, as it happens.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command_line::ground::Ground;
use crate::command_line::objects::assert_golden;
use crate::command_line::schema::assert_documented;
use crate::support::{alone, within};

/// Events that are read line by line.
struct Watched {
    command: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Watched {
    fn start(ground: &Ground, arguments: &[&str]) -> Self {
        let mut command = ground.command(&[&["events"], arguments].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = command.spawn().unwrap();
        let out = command.stdout.take().unwrap();
        let lines = Some(BufReader::new(out).lines());
        Self { command, lines }
    }

    /// The first line that has this, while a rotation fails again and again: one may fail before the events are
    /// watched.
    async fn first(&mut self, ground: &Ground, wanted: &'static str) -> String {
        let mut lines = self.lines.take().unwrap();
        let found = tokio::task::spawn_blocking(move || {
            let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(wanted)));
            (line, lines)
        });
        tokio::pin!(found);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < Duration::from_secs(60), "{wanted}");
            let (id, rotated) = ground.rotate().await;
            assert_eq!(rotated.code, 3, "{}", rotated.err);
            let waited = tokio::time::timeout(Duration::from_millis(300), &mut found);
            if let Ok(read) = waited.await {
                let (line, lines) = read.unwrap();
                self.lines = Some(lines);
                return line.unwrap().unwrap();
            }
            let abort = ["abort", &id, "--yes", "anna"];
            assert_eq!(ground.run(&abort).await.code, 0);
        }
    }

    /// Waits for its end, and answers its exit status.
    async fn ended(mut self) -> Option<i32> {
        let mut lines = self.lines.take().unwrap();
        let ended = tokio::task::spawn_blocking(move || {
            while let Some(Ok(_)) = lines.next() {}
            self.command.wait().unwrap()
        });
        ended.await.unwrap().code()
    }
}

/// In a process of its own, which has no subscriber of a log, as no other test has there.
#[test]
fn events_are_a_line_each_and_end_with_the_keeper_also_of_a_program_without_a_log() {
    let test = events_are_a_line_each_and_end_with_the_keeper_also_of_a_program_without_a_log;
    alone::alone(test, || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let ground = Ground::new().await;
            let _anna = ground.worker("anna", || Err("the disk is full")).await;
            // An event that comes before the command watches would be missed.
            assert_eq!(ground.rotate().await.1.code, 3);
            let id = ground.manager.rotations().await.unwrap()[0].id.to_string();
            let abort = ["abort", &id, "--yes", "anna"];
            assert_eq!(ground.run(&abort).await.code, 0);
            let mut watched = Watched::start(&ground, &["--level", "error", "--json"]);
            let event = watched.first(&ground, "the disk is full").await;
            let event: Value = serde_json::from_str(&event).unwrap();
            assert_documented("events", &event);
            assert_golden("events", ground.folder.path().to_str().unwrap(), &[event]);
            within(ground.manager.shutdown()).await.unwrap();
            assert_eq!(watched.ended().await, Some(4));
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_a_line_with_time_level_and_what_it_is_about() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Err("the disk is full")).await;
    let mut watched = Watched::start(&ground, &[]);
    let event = watched.first(&ground, "the disk is full").await;
    for part in [
        "error",
        "callbacks of a rotation failed",
        "key=documents",
        "worker=anna",
    ] {
        assert!(event.contains(part), "{part} is not in {event}");
    }
    let time = event.split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert!(
        time.starts_with("20") && time.matches(':').count() == 2,
        "{event}"
    );
    watched.command.kill().unwrap();
    watched.ended().await;
}
