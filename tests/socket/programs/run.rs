//! `keyward run`: programs that are given keys and supervised.

use std::fs;

use rustix::process::Signal;

use crate::programs::keeper::{CANARY, Keeper, eventually, runs};
use crate::programs::memory::copies;

/// Writes its process id, and its key whenever it is sent SIGHUP, until it is told to end.
const SERVER: &str = "trap 'cat key >> keys; echo >> keys' HUP; trap 'exit 9' TERM; echo $$ >> starts; \
                      cat key >> keys; echo >> keys; while :; do sleep 0.1; done";

#[test]
fn a_program_takes_up_each_new_key_also_after_the_keeper_was_killed() {
    let mut keeper = Keeper::start();
    let mut server = keeper.begin(&[
        "run",
        "web",
        "--key",
        "token=file:key",
        "--signal",
        "HUP",
        "--",
        // Under nohup a shell could not catch it: what is ignored at its start stays so.
        "env",
        "--default-signal=HUP",
        "sh",
        "-c",
        SERVER,
    ]);
    eventually("it runs", || keeper.read("keys").contains('\n'));
    keeper.knows("token", "web");
    for (new, value) in [("next.key", "new"), ("third.key", "third")] {
        let rotated = keeper.ran(&["rotate", "token", "--new-file", new]);
        assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
        let last = format!("{CANARY}-{value}");
        eventually("it has its new key", || {
            keeper.read("keys").lines().last() == Some(&last)
        });
        for file in ["cmdline", "environ"] {
            let seen = fs::read(format!("/proc/{}/{file}", server.id())).unwrap();
            assert!(!String::from_utf8_lossy(&seen).contains(CANARY), "{file}");
        }
        keeper.kill();
    }
    assert_eq!(keeper.read("starts").lines().count(), 1);
    server.send(Signal::TERM);
    assert_eq!(server.ended(), Some(9));
    assert!(!keeper.read("said").contains(CANARY));
}

#[test]
fn a_signal_that_the_program_ignores_is_a_failed_change_and_the_program_goes_on() {
    let keeper = Keeper::start();
    let program = "trap '' HUP; echo $$ > starts; exec sleep 1000";
    let _server = keeper.begin(&[
        "run",
        "web",
        "--key",
        "token=file:key",
        "--signal",
        "HUP",
        "--",
        "sh",
        "-c",
        program,
    ]);
    keeper.knows("token", "web");
    eventually("it runs", || keeper.read("starts").contains('\n'));
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "next.key"]);
    assert_eq!(rotated.code, 3, "{} {}", rotated.out, rotated.err);
    let id = rotated.out.lines().next().unwrap().to_owned();
    let shown = keeper.ran(&["show", &id]).out;
    assert!(shown.contains("does not catch SIGHUP"), "{shown}");
    assert!(runs(keeper.read("starts").trim()));
    assert!(keeper.read("key").ends_with("-old"));
}

#[test]
fn a_program_that_dies_with_the_new_key_goes_on_with_the_old_one() {
    let keeper = Keeper::start();
    let program = "echo $TOKEN >> keys; case $TOKEN in *new) exit 3;; esac; exec sleep 1000";
    let _server = keeper.begin(&[
        "run",
        "web",
        "--key",
        "token=env:TOKEN",
        "--",
        "sh",
        "-c",
        program,
    ]);
    keeper.knows("token", "web");
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "next.key"]);
    assert_eq!(rotated.code, 3, "{} {}", rotated.out, rotated.err);
    let values = || -> Vec<String> {
        let keys = keeper.read("keys");
        keys.lines().map(|key| key.replace(CANARY, "")).collect()
    };
    eventually("it has the old key again", || {
        values() == ["-old", "-new", "-old"]
    });
}

#[test]
fn the_program_dies_with_keyward_run_however_that_ends() {
    let keeper = Keeper::start();
    let server = keeper.begin(&[
        "run",
        "web",
        "--key",
        "token=file:key",
        "--",
        "sh",
        "-c",
        SERVER,
    ]);
    eventually("it runs", || keeper.read("starts").contains('\n'));
    server.send(Signal::KILL);
    let program = keeper.read("starts").trim().to_owned();
    eventually("the program is killed", || !runs(&program));
}

#[test]
fn the_exit_status_is_the_programs_or_125() {
    let keeper = Keeper::start();
    let run = |key: &str, program: &[&str]| {
        let mut arguments = vec!["run", "web", "--key", key, "--"];
        arguments.extend(program);
        keeper.ran(&arguments)
    };
    for (program, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
    ] {
        assert_eq!(
            run("token=file:key", &["sh", "-c", program]).code,
            code,
            "{program}"
        );
    }
    let background = run(
        "token=file:key",
        &["sh", "-c", "setsid sleep 1000 & exit 0"],
    );
    assert!(
        background.code == 125 && background.err.contains("foreground"),
        "{}",
        background.err
    );
    let none = run("token=file:key", &["/no/such/program"]);
    assert!(
        none.code == 125 && none.err.contains("/no/such/program"),
        "{}",
        none.err
    );
    let none = run("token=file:no/folder/key", &["true"]);
    assert!(
        none.code == 125 && none.err.contains("no/folder/key"),
        "{}",
        none.err
    );
    assert_eq!(run("nope=file:key", &["true"]).code, 125);
    for wrong in ["token", "token=key", "token=file:"] {
        assert_eq!(run(wrong, &["true"]).code, 2, "{wrong}");
    }
    // A round-trip key is given by its forward half.
    assert_eq!(run("documents=file:forward", &["true"]).code, 0);
    assert!(keeper.read("forward").ends_with("-old"));
    let mut nowhere = keeper.command(&["run", "web", "--key", "token=file:key", "--", "true"]);
    nowhere.env("KEYWARD_SOCKET", keeper.path("none"));
    assert_eq!(nowhere.output().unwrap().status.code(), Some(125));
}

#[test]
fn keyward_run_keeps_the_key_that_its_program_has_and_no_other_one() {
    let keeper = Keeper::start();
    let run = |key: &str| {
        let ready = ["--ready", "true", "--", "sleep", "1000"];
        keeper.begin(&[&["run", "web", "--key", key][..], &ready].concat())
    };
    for key in ["token=file:key", "token=env:TOKEN"] {
        let server = run(key);
        keeper.knows("token", "web");
        let rotated = keeper.ran(&["rotate", "token", "--new-file", "next.key"]);
        assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
        for file in ["cmdline", "environ"] {
            let seen = fs::read(format!("/proc/{}/{file}", server.id())).unwrap();
            assert!(!String::from_utf8_lossy(&seen).contains(CANARY), "{file}");
        }
        let left = |value: &str| copies(server.id(), &format!("{CANARY}-{value}"));
        let (Some(old), Some(new)) = (left("old"), left("new")) else {
            eprintln!("skipped: this process may not look at another one's memory");
            return;
        };
        assert_eq!((old.plain, old.encoded), (0, 0), "{key}");
        assert_eq!(
            (new.plain, new.encoded),
            (1, 0),
            "{key}: what it starts the program with"
        );
        drop(server);
        keeper.ran(&["remove", "worker", "web"]);
    }
}

#[test]
fn several_processes_of_keyward_run_are_one_shared_worker_and_each_program_gets_the_key() {
    let keeper = Keeper::start();
    let begin = |no: usize| {
        let key = format!("token=file:key-{no}");
        let arguments = [
            "run", "web", "--shared", "--key", &key, "--signal", "HUP", "--",
        ];
        let server = SERVER.replace("cat key", &format!("cat key-{no}"));
        let server = server.replace(">> keys", &format!(">> keys-{no}"));
        let shell = ["env", "--default-signal=HUP", "sh", "-c", &server];
        keeper.begin(&[&arguments[..], &shell].concat())
    };
    let _servers = [begin(1), begin(2)];
    keeper.has_instances("web", 2);
    eventually("both run", || {
        [1, 2]
            .iter()
            .all(|no| keeper.read(&format!("keys-{no}")).contains('\n'))
    });
    let rotated = keeper.ran(&["rotate", "token", "--new-file", "next.key"]);
    assert_eq!(rotated.code, 0, "{} {}", rotated.out, rotated.err);
    let wanted = format!("{CANARY}-new");
    for no in [1, 2] {
        eventually("each has its new key", || {
            keeper.read(&format!("keys-{no}")).lines().last() == Some(&wanted)
        });
    }
    let roster = keeper.ran(&["workers"]).out;
    assert!(roster.contains("memory"), "{roster}");
}
