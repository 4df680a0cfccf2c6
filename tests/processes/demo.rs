//! `keyward demo`, run as a program.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use data_encoding::{BASE64_NOPAD, HEXLOWER};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long something may take that takes a second or two.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder for temporary folders.
fn place() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn demo(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command
        .arg("demo")
        .args(arguments)
        .env("TMPDIR", place)
        .env_remove("KEYWARD_LOG")
        .stdin(Stdio::null());
    command
}

fn run(place: &Path, arguments: &[&str]) -> Output {
    demo(place, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// The number that the summary has for something.
fn summary(out: &str, of: &str) -> u32 {
    let summary = out.split("Summary\n").nth(1).unwrap();
    let line = summary.lines().find(|line| line.trim().starts_with(of));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn the_demo_ends_well_and_says_what_it_did() {
    let place = place();
    let ran = run(place.path(), &["--workers", "3", "--documents", "6"]);
    let out = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{out}{}", text(&ran.stderr));
    assert_eq!(summary(&out, "steps run once"), 2);
    assert_eq!(summary(&out, "steps run again"), 1);
    assert_eq!(summary(&out, "documents checked"), 18);
    assert_eq!(summary(&out, "documents lost"), 0);
    assert!(out.contains("Every claim holds."), "{out}");
    assert_eq!(text(&ran.stderr), "");
    assert!(is_empty(place.path()), "the folder is left");
}

/// A shell, or a supervisor, that ignores SIGCHLD hands that on to what it starts.
#[test]
fn a_parent_that_ignores_the_ends_of_its_children_does_no_harm() {
    let place = place();
    let ignoring = "trap '' CHLD; exec \"$0\" demo --workers 2 --documents 2";
    let ran = Command::new("bash")
        .args(["-c", ignoring, env!("CARGO_BIN_EXE_keyward")])
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{}{said}", text(&ran.stdout));
}

#[test]
fn the_demo_goes_well_where_its_standard_error_is_full_closed_or_read_by_nobody() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let (_reader, mut blocked) = std::io::pipe().unwrap();
    blocked.write_all(&[b'.'; 65_536]).unwrap();
    for errors in [Stdio::from(full), closed.into(), blocked.into()] {
        let place = place();
        let mut demo = demo(place.path(), &["--workers", "2", "--documents", "4"]);
        let ran = demo.env("KEYWARD_LOG", "trace").stderr(errors).output();
        let ran = ran.unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stdout));
    }
}

#[test]
fn the_journal_is_printed_as_the_kill_left_it() {
    let place = place();
    let ran = run(place.path(), &["--workers", "3", "--documents", "6"]);
    let out = text(&ran.stdout);
    let journal = out
        .lines()
        .skip_while(|line| !line.contains("journal as found"))
        .skip(3);
    let steps: Vec<Vec<&str>> = journal
        .take(3)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let expected = [
        ["worker-1", "reencrypt", "Succeeded", "1"],
        ["worker-2", "reencrypt", "InProgress", "1"],
        ["worker-3", "reencrypt", "Pending", "0"],
    ];
    assert_eq!(steps, expected, "{out}");
}

#[test]
fn elsewhere_than_on_a_terminal_there_are_plain_lines() {
    let place = place();
    let ran = run(place.path(), &["--workers", "2", "--documents", "4"]);
    assert!(!ran.stdout.contains(&b'\r') && !ran.stdout.contains(&0x1b));
    let out = text(&ran.stdout);
    for line in [
        "worker-1  attempt 1",
        "worker-1  4 re-encrypted",
        "worker-2  attempt 2",
    ] {
        assert!(
            out.lines().any(|told| told.trim() == line),
            "{line} is not in {out}"
        );
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let place = place();
    let story = || {
        let ran = run(
            place.path(),
            &["--workers", "5", "--documents", "20", "--seed", "11"],
        );
        assert_eq!(ran.status.code(), Some(0));
        let changes = |line: &&str| {
            let line = line.to_lowercase();
            !["rotation", "process", "seed", "took"]
                .iter()
                .any(|word| line.contains(word))
        };
        let out = text(&ran.stdout);
        out.lines().filter(changes).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(story(), story());
}

#[test]
fn one_worker_with_one_document_is_enough() {
    let place = place();
    let ran = run(place.path(), &["--workers", "1", "--documents", "1"]);
    let out = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{out}{}", text(&ran.stderr));
    assert_eq!(summary(&out, "steps run again"), 1);
    assert_eq!(summary(&out, "documents checked"), 1);
}

#[test]
fn bad_values_are_told_and_nothing_is_made() {
    let place = place();
    for bad in [
        ["--workers", "0"],
        ["--workers", "65"],
        ["--documents", "0"],
        ["--documents", "10001"],
        ["--workers", "four"],
        ["--seed", "x"],
        ["--unknown", "1"],
    ] {
        let ran = run(place.path(), &bad);
        assert_eq!(ran.status.code(), Some(2), "{bad:?}");
        assert!(
            text(&ran.stderr).contains(bad[0]),
            "{bad:?}: {}",
            text(&ran.stderr)
        );
        assert!(is_empty(place.path()));
    }
}

/// The folder that `--keep` left, as the last line names it.
fn kept(out: &str) -> PathBuf {
    let line = out.lines().last().unwrap();
    PathBuf::from(
        line.strip_prefix("The folder is left, its keys too: ")
            .unwrap(),
    )
}

#[test]
fn a_kept_folder_has_the_keys_in_their_files_and_nowhere_else() {
    let place = place();
    let mut command = demo(
        place.path(),
        &["--workers", "2", "--documents", "5", "--keep"],
    );
    let ran = command.env("KEYWARD_LOG", "trace").output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let folder = kept(&text(&ran.stdout));
    let keys = folder.join("keys");
    let mut needles = Vec::new();
    for path in files(&keys) {
        let key = fs::read(path).unwrap();
        let key = key.strip_suffix(b"\n").unwrap();
        assert_eq!(key.len(), 64);
        needles.push(key.to_vec());
        needles.push(HEXLOWER.decode(key).unwrap());
        needles.push(HEXLOWER.encode(key).into_bytes());
        needles.push(key.escape_ascii().to_string().to_uppercase().into_bytes());
        for skipped in 0..3 {
            let part = &key[skipped..skipped + 60];
            needles.push(BASE64_NOPAD.encode(part).into_bytes());
        }
    }
    let seen = files(&folder)
        .into_iter()
        .filter(|path| !path.starts_with(&keys));
    let mut seen: Vec<(String, Vec<u8>)> = seen
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    assert!(seen.len() > 12, "{} files", seen.len());
    seen.push(("standard output".to_owned(), ran.stdout));
    seen.push(("standard error".to_owned(), ran.stderr));
    for (name, bytes) in seen {
        for needle in &needles {
            let found = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_slice());
            assert!(!found, "a key is in {name}");
        }
    }
}

/// A demo that is ended early. Its standard error is the server's too, and ends with both.
struct Ended {
    demo: Child,
    lines: BufReader<ChildStdout>,
    all_gone: mpsc::Receiver<String>,
}

/// Starts a demo and reads its lines up to one that says that a callback runs.
fn in_the_middle(place: &Path) -> Ended {
    let mut demo = demo(place, &["--workers", "2", "--documents", "1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (tell, all_gone) = mpsc::channel();
    let mut errors = demo.stderr.take().unwrap();
    std::thread::spawn(move || {
        let mut said = String::new();
        let _ = errors.read_to_string(&mut said);
        let _ = tell.send(said);
    });
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("attempt 1") {
        line.clear();
        assert_ne!(
            lines.read_line(&mut line).unwrap(),
            0,
            "the demo ended early"
        );
    }
    Ended {
        demo,
        lines,
        all_gone,
    }
}

#[test]
fn a_killed_demo_leaves_no_server_behind() {
    let place = place();
    let mut ended = in_the_middle(place.path());
    ended.demo.kill().unwrap();
    ended.demo.wait().unwrap();
    ended
        .all_gone
        .recv_timeout(LIMIT)
        .expect("the server still runs");
}

#[test]
fn a_demo_that_is_asked_to_end_leaves_neither_server_nor_folder() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = place();
        let mut ended = in_the_middle(place.path());
        kill_process(Pid::from_child(&ended.demo), signal).unwrap();
        let said = ended
            .all_gone
            .recv_timeout(LIMIT)
            .expect("the server still runs");
        assert_eq!(ended.demo.wait().unwrap().code(), Some(1), "{said}");
        assert!(said.contains("interrupted"), "{said}");
        assert!(is_empty(place.path()), "the folder is left");
    }
}

#[test]
fn a_demo_that_nobody_reads_ends_and_leaves_nothing() {
    let place = place();
    let Ended {
        mut demo,
        lines,
        all_gone,
    } = in_the_middle(place.path());
    drop(lines);
    let said = all_gone.recv_timeout(LIMIT).expect("the server still runs");
    assert_eq!(demo.wait().unwrap().code(), Some(1), "{said}");
    assert!(is_empty(place.path()), "the folder is left");
}

#[test]
fn the_server_ends_with_its_standard_input() {
    let place = place();
    let ran = run(
        place.path(),
        &["--workers", "1", "--documents", "2", "--keep"],
    );
    let mut server = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args([
            "demo-server",
            "--workers",
            "1",
            "--documents",
            "2",
            "--folder",
        ])
        .arg(kept(&text(&ran.stdout)))
        .args(["--parent", &std::process::id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    let mut commands = server.stdin.take().unwrap();
    commands.write_all(b"no command\n").unwrap();
    assert!(server.try_wait().unwrap().is_none());
    drop(commands);
    assert_eq!(server.wait().unwrap().signal(), Some(9));
}

#[test]
fn the_server_refuses_a_parent_that_is_not_its_own() {
    let place = place();
    let ran = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args([
            "demo-server",
            "--workers",
            "1",
            "--documents",
            "2",
            "--parent",
            "1",
            "--folder",
        ])
        .arg(place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("was not started by the demo"));
    assert!(is_empty(place.path()));
}

/// Whatever umask the shell that starts it has.
#[test]
fn what_the_binary_makes_is_for_its_user_only() {
    let place = place();
    let open = "umask 000; exec \"$0\" demo --workers 1 --documents 2 --keep";
    let ran = Command::new("bash")
        .args(["-c", open, env!("CARGO_BIN_EXE_keyward")])
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let made = files(&kept(&text(&ran.stdout)));
    let of_rocksdb = made.iter().filter(|path| path.ends_with("CURRENT")).count();
    assert!(of_rocksdb > 0, "{made:?}");
    for path in made {
        let folders = path.ancestors().skip(1);
        let inside = folders.take_while(|folder| *folder != place.path());
        for made in inside.chain([path.as_path()]) {
            let mode = fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", made.display());
        }
    }
}
