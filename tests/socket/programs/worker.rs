//! `keyward worker`: callbacks that are commands.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::Signal;

use crate::programs::keeper::{Begun, CANARY, Keeper, eventually, runs};
use crate::programs::memory::copies;

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

#[test]
fn several_processes_are_one_shared_worker_and_each_is_called_for_memory() {
    let keeper = Keeper::start();
    let on_change = "token=sh -c 'cat > /dev/null; echo $PPID >> called'";
    let begin = || {
        let on_change = ["--on-change", on_change];
        keeper.begin(&[&["worker", "web", "--shared", "--memory"][..], &on_change].concat())
    };
    let mut workers = vec![begin(), begin(), begin()];
    keeper.has_instances("web", 3);
    let called = || -> BTreeSet<u32> {
        let called = keeper.read("called");
        let processes: Vec<u32> = called.lines().map(|line| line.parse().unwrap()).collect();
        let each: BTreeSet<u32> = processes.iter().copied().collect();
        assert_eq!(each.len(), processes.len(), "each is called once: {called}");
        each
    };
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "next.key"]);
    assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
    assert_eq!(called(), workers.iter().map(Begun::id).collect());
    let workers_said = keeper.ran(&["workers"]).out;
    for worker in &workers {
        let process = format!("(process {},", worker.id());
        assert!(workers_said.contains(&process), "{workers_said}");
    }
    // One that has ended is called no more, and is not waited for.
    drop(workers.remove(0));
    keeper.has_instances("web", 2);
    fs::remove_file(keeper.path("called")).unwrap();
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "third.key"]);
    assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
    assert_eq!(called(), workers.iter().map(Begun::id).collect());
}

#[test]
fn one_process_of_a_shared_worker_is_called_for_data_and_another_one_the_next_time() {
    let keeper = Keeper::start();
    let on_change = "token=sh -c 'cat > /dev/null; echo $PPID >> called'";
    let begin = || keeper.begin(&["worker", "files", "--shared", "--on-change", on_change]);
    let workers = [begin(), begin()];
    keeper.has_instances("files", 2);
    for file in ["next.key", "third.key"] {
        let rotated = keeper.ran(&["rotate", "token", "--new-file", file]);
        assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
    }
    let called = keeper.read("called");
    let called: Vec<u32> = called.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(called.len(), 2);
    let (called, all): (BTreeSet<u32>, BTreeSet<u32>) = (
        called.into_iter().collect(),
        workers.iter().map(Begun::id).collect(),
    );
    assert_eq!(called, all);
}

#[test]
fn one_sole_worker_is_taken_by_one_process_and_sharing_and_kind_stay() {
    let keeper = Keeper::start();
    let _anna = keeper.begin(&["worker", "anna", "--on-change", "token=true"]);
    keeper.has_instances("anna", 1);
    let second = keeper.ran(&["worker", "anna", "--on-change", "token=true"]);
    assert_eq!(second.code, 1);
    assert!(second.err.contains("(worker_name_taken)"), "{}", second.err);
    let shared = ["worker", "anna", "--shared", "--on-change", "token=true"];
    let shared = keeper.ran(&shared);
    assert_eq!(shared.code, 1);
    assert!(shared.err.contains("(other_sharing)"), "{}", shared.err);
    let begin = |memory: &[&str]| {
        let web = ["worker", "web", "--shared", "--on-change", "token=true"];
        keeper.begin(&[&web[..], memory].concat())
    };
    let _web = begin(&["--memory"]);
    keeper.has_instances("web", 1);
    let kind = ["worker", "web", "--shared", "--on-change", "token=true"];
    let kind = keeper.ran(&kind);
    assert_eq!(kind.code, 1);
    assert!(kind.err.contains("(other_kind)"), "{}", kind.err);
}

#[test]
fn of_the_keys_of_a_change_nothing_is_left_in_a_worker_nor_shown_of_its_process() {
    let keeper = Keeper::start();
    let worker = keeper.begin(&[
        "worker",
        "anna",
        "--on-change",
        "token=sh -c 'cat > change'",
    ]);
    keeper.knows("token", "anna");
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "next.key"]);
    assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
    assert!(keeper.read("change").contains("\"new\""));
    for file in ["cmdline", "environ"] {
        let seen = fs::read(format!("/proc/{}/{file}", worker.id())).unwrap();
        assert!(!String::from_utf8_lossy(&seen).contains(CANARY), "{file}");
    }
    for value in ["old", "new"] {
        let Some(left) = copies(worker.id(), &format!("{CANARY}-{value}")) else {
            eprintln!("skipped: this process may not look at another one's memory");
            return;
        };
        assert_eq!((left.plain, left.encoded), (0, 0), "{value}");
    }
}

#[test]
fn keys_of_one_mebibyte_in_both_halves_come_to_a_command() {
    let keeper = Keeper::start();
    let on_change = "documents=sh -c 'cat > change'";
    let _anna = keeper.begin(&["worker", "anna", "--on-change", on_change]);
    keeper.knows("documents", "anna");
    let halves = ["old-forward", "old-back", "new-forward", "new-back"];
    for (half, letter) in halves.iter().zip("abcd".chars()) {
        fs::write(keeper.path(half), letter.to_string().repeat(1 << 20)).unwrap();
    }
    let rotated = keeper.ran(&[
        "rotate",
        "documents",
        "--new-file",
        "new-forward",
        "--new-back-file",
        "new-back",
        "--old-file",
        "old-forward",
        "--old-back-file",
        "old-back",
    ]);
    assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
    let change: serde_json::Value = serde_json::from_str(&keeper.read("change")).unwrap();
    for (half, letter) in halves.iter().zip("abcd".chars()) {
        let (age, half) = half.split_once('-').unwrap();
        let value = change[age][half].as_str().unwrap();
        let value = data_encoding::BASE64.decode(value.as_bytes()).unwrap();
        assert_eq!(value.len(), 1 << 20);
        assert!(
            value.iter().all(|byte| *byte == letter as u8),
            "{age} {half}"
        );
    }
}

#[test]
fn a_command_that_cannot_do_its_work_stops_the_rotation_with_what_is_wrong() {
    let keeper = Keeper::start();
    fs::write(keeper.path("not_executable"), "#!/bin/sh\n").unwrap();
    let mut old = "token.key".to_owned();
    for (no, (command, says)) in [
        ("/no/such/command", "/no/such/command"),
        ("./not_executable", "not_executable"),
        ("false", "said nothing on its standard error"),
        (
            "sh -c 'echo the disk is full >&2; exit 3'",
            "the disk is full",
        ),
        ("sh -c 'kill -9 $$'", "signal: 9"),
        // These do their work.
        ("head -c 1G /dev/zero", ""),
        ("sh -c 'exec 0<&-; echo done'", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let on_change = format!("token={command}");
        let worker = keeper.begin(&["worker", "anna", "--on-change", &on_change]);
        keeper.has_instances("anna", 1);
        let next = format!("next-{no}");
        fs::write(keeper.path(&next), format!("{CANARY}-{no}")).unwrap();
        let files = ["--new-file", &next, "--old-file", &old];
        let rotated = keeper.ran(&[&["rotate", "token"][..], &files].concat());
        let succeeds = says.is_empty();
        let code = if succeeds { 0 } else { 3 };
        assert_eq!(
            rotated.code, code,
            "{command}: {} {}",
            rotated.out, rotated.err
        );
        assert!(rotated.out.contains(says), "{command}: {}", rotated.out);
        assert!(!rotated.out.contains(CANARY), "{command}");
        if !succeeds {
            let id = rotated.out.lines().next().unwrap();
            assert_eq!(keeper.ran(&["abort", id, "--yes", "anna"]).code, 0);
        } else {
            old = next;
        }
        drop(worker);
    }
}

#[test]
fn a_worker_that_an_operator_removes_says_so_and_ends() {
    let keeper = Keeper::start();
    let mut worker = keeper.begin(&["worker", "anna", "--on-change", "token=true"]);
    keeper.knows("token", "anna");
    let removed = keeper.ran(&["remove", "worker", "anna"]);
    assert_eq!(removed.code, 0, "{}", removed.err);
    assert_eq!(worker.ended(), Some(1));
    let said = keeper.read("said");
    assert!(
        said.contains("unknown_worker") || said.contains("anna"),
        "{said}"
    );
}
