//! `keyward worker`: callbacks that are commands.

use std::fs;

use rustix::process::Signal;

use crate::programs::keeper::{CANARY, Keeper, eventually, runs};

#[test]
fn a_command_is_called_at_each_change_also_after_the_keeper_was_killed() {
    let mut keeper = Keeper::start();
    let on_change = "token=sh -c 'cat >> changes; echo working'";
    let mut worker = keeper.begin(&["worker", "anna", "--on-change", on_change]);
    keeper.knows("token", "anna");
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "next.key"]);
    assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
    assert_eq!(keeper.read("changes").lines().count(), 1);
    keeper.kill();
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "third.key"]);
    assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
    let changes = keeper.read("changes");
    let seen: Vec<serde_json::Value> = changes
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .all(|change| change["worker"] == "anna" && change["attempt"] == 1)
    );
    let new = data_encoding::BASE64.encode(format!("{CANARY}-third").as_bytes());
    assert_eq!(seen[1]["new"]["forward"], new);
    worker.send(Signal::TERM);
    assert_eq!(worker.ended(), Some(0));
    assert!(!keeper.read("said").contains(CANARY));
}

#[test]
fn what_a_failed_command_said_is_told_to_the_operator() {
    let keeper = Keeper::start();
    let on_change = "token=sh -c 'echo the disk is full >&2; exit 3'";
    let worker = keeper.begin(&["worker", "anna", "--on-change", on_change, "--as", "move"]);
    keeper.knows("token", "anna");
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "next.key"]);
    assert_eq!(rotated.code, 3, "{} {}", rotated.out, rotated.err);
    let id = rotated.out.lines().next().unwrap().to_owned();
    let shown = keeper.ran(&["show", &id]).out;
    assert!(
        shown.contains("the disk is full") && shown.contains("move"),
        "{shown}"
    );
    assert!(!shown.contains("full\\n"), "{shown}");
    drop(worker);
}

#[test]
fn a_worker_that_is_told_to_end_lets_its_command_end_and_its_answer_counts() {
    let keeper = Keeper::start();
    let on_change = "token=sh -c 'touch begun; sleep 2; touch done'";
    let mut worker = keeper.begin(&["worker", "anna", "--on-change", on_change]);
    keeper.knows("token", "anna");
    let id = keeper
        .ran(&["rotate", "token", "--new-file", "next.key", "--no-wait"])
        .out;
    eventually("the command runs", || keeper.path("begun").exists());
    worker.send(Signal::TERM);
    assert_eq!(worker.ended(), Some(0));
    assert!(keeper.path("done").exists());
    let waited = keeper.ran(&["wait", id.lines().next().unwrap()]);
    assert_eq!(waited.code, 0, "{} {}", waited.out, waited.err);
}

#[test]
fn a_command_ends_with_its_worker_and_is_given_to_the_next_one() {
    let keeper = Keeper::start();
    let on_change = "token=sh -c 'echo $$ >> begun; cat >> changes; exec sleep 10'";
    let worker = keeper.begin(&["worker", "anna", "--on-change", on_change]);
    keeper.knows("token", "anna");
    let id = keeper
        .ran(&["rotate", "token", "--new-file", "next.key", "--no-wait"])
        .out;
    eventually("the command runs", || keeper.read("changes").contains('\n'));
    worker.send(Signal::KILL);
    let command = keeper.read("begun").trim().to_owned();
    eventually("the command is killed", || !runs(&command));
    drop(worker);
    let _next = keeper.begin(&[
        "worker",
        "anna",
        "--on-change",
        "token=sh -c 'cat >> changes'",
    ]);
    let waited = keeper.ran(&["wait", id.lines().next().unwrap()]);
    assert_eq!(waited.code, 0, "{} {}", waited.out, waited.err);
    let changes = keeper.read("changes");
    assert!(
        changes.lines().last().unwrap().contains("\"attempt\":2"),
        "attempts"
    );
}

#[test]
fn wrong_usage_and_refusals_are_told() {
    let keeper = Keeper::start();
    for (arguments, code, text) in [
        (
            &["worker", "a", "--on-change", "token"][..],
            2,
            "KEY=COMMAND",
        ),
        (
            &["worker", "a", "--on-change", "token=sh -c 'x"],
            2,
            "quote",
        ),
        (&["worker", "a"], 2, "--on-change"),
        (
            &[
                "worker",
                "a",
                "--on-change",
                "token=x",
                "--on-change",
                "token=y",
            ],
            2,
            "twice",
        ),
        (
            &["worker", "a", "--on-change", "nope=true"],
            1,
            "key_not_defined",
        ),
        (
            &["worker", "a\u{7}", "--on-change", "token=true"],
            1,
            "invalid_name",
        ),
    ] {
        let ran = keeper.ran(arguments);
        assert!(
            ran.code == code && ran.err.contains(text),
            "{arguments:?} {} {}",
            ran.code,
            ran.err
        );
    }
    let mut nowhere = keeper.command(&["worker", "a", "--on-change", "token=true"]);
    nowhere.env("KEYWARD_SOCKET", keeper.path("none"));
    assert_eq!(nowhere.output().unwrap().status.code(), Some(4));
    assert!(!fs::exists(keeper.path("none")).unwrap());
}
