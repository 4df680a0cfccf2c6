//! An abort of the binary leaves no core: its limit is 0, and its memory cannot be dumped. And others
//! on the machine see no key in its arguments, its variables or its files' names.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{
    DumpableBehavior, Pid, Resource, Signal, dumpable_behavior, getrlimit, kill_process,
};

use crate::canary::{self, MASTER, NEW_FORWARD, OLD_FORWARD};
use crate::child;
use crate::hardening;

/// Raises the limit of core dumps as far as it goes, and becomes the program that follows.
const WITH_CORES: &str = "ulimit -c \"$(ulimit -H -c)\"; exec \"$@\"";

/// Whether a process that nothing protects is dumped on this system, from the same folder.
fn cores_are_dumped(folder: &Path) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", WITH_CORES, "sh", "sh", "-c", "kill -ABRT $$"]);
    let status = command.current_dir(folder).status().expect("a shell");
    assert_eq!(status.signal(), Some(6));
    status.core_dumped()
}

/// The binary, where a build beside this test cannot replace it, and its server's key files.
fn prepare(folder: &Path) -> PathBuf {
    let program = folder.join("keyward");
    fs::copy(env!("CARGO_BIN_EXE_keyward"), &program).expect("the binary");
    let keys = folder.join("served/keys");
    fs::create_dir_all(&keys).expect("a folder");
    for (name, key) in [
        ("master", MASTER),
        ("old", OLD_FORWARD),
        ("current", OLD_FORWARD),
        ("new", NEW_FORWARD),
    ] {
        let path = keys.join(name).with_extension("key");
        fs::write(&path, key).expect("a key file");
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&path, private).expect("a key file");
    }
    program
}

/// A server of the binary that holds its keys, with cores allowed by who started it.
fn serve(program: &Path, folder: &Path) -> Server {
    let parent = std::process::id().to_string();
    let mut server = Command::new("sh")
        .args(["-c", WITH_CORES, "sh"])
        .arg(program)
        .args(["demo-server", "--workers", "1", "--documents", "1"])
        .args(["--parent", &parent, "--folder"])
        .arg(folder.join("served"))
        .env("KEYWARD_LOG", "trace")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(folder.join("errors")).expect("a file"))
        .spawn()
        .expect("the binary starts");
    let output = server.stdout.take().expect("its output");
    let mut server = Server {
        commands: server.stdin.take().expect("its input"),
        lines: BufReader::new(output).lines(),
        process: server,
    };
    let mut next = || server.lines.next().expect("it ended").expect("a line");
    assert_eq!(next(), "ready");
    let asked = server.commands.write_all(b"declare\n");
    asked.expect("it listens");
    // Then it has fetched both keys, and they are in its journal.
    while !next().starts_with("accepted") {}
    server
}

/// A server that runs; it would end by itself with its standard input.
struct Server {
    process: Child,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn aborted(mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::ABORT).expect("it runs");
        self.process.wait().expect("it is a child")
    }
}

#[test]
fn an_abort_of_the_binary_leaves_no_core_dump() {
    let folder = tempfile::tempdir().expect("a folder");
    let control = folder.path().join("control");
    fs::create_dir(&control).expect("a folder");
    let dumped_otherwise = cores_are_dumped(&control);
    let program = prepare(folder.path());
    let server = serve(&program, folder.path());

    let about = |what: &str| fs::read(format!("/proc/{}/{what}", server.process.id())).expect(what);
    let limits = String::from_utf8(about("limits")).expect("text");
    let limit = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let limit: Vec<&str> = limit.expect("a limit").split_whitespace().collect();
    assert_eq!(limit[4..6], ["0", "0"], "{limits}");
    for what in ["cmdline", "environ", "comm"] {
        canary::nowhere(what, &about(what));
    }

    let status = server.aborted();
    assert_eq!(status.signal(), Some(6), "{status}");
    assert!(!status.core_dumped(), "{status}");
    println!("without protection a core is dumped here: {dumped_otherwise}");
    let names = fs::read_dir(folder.path()).expect("the folder");
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["control", "errors", "keyward", "served"]);
    assert!(canary::not_in_folder(&folder.path().join("served/data")) > 4);
    canary::nowhere("its log", &fs::read(folder.path().join("errors")).unwrap());
}

/// The child: protects itself as the binary does, and looks at what came of it.
pub fn hardened(_: &Path) {
    hardening::harden().expect("the system allows it");
    let limit = getrlimit(Resource::Core);
    assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    let dumpable = dumpable_behavior().expect("it is told");
    assert_eq!(dumpable, DumpableBehavior::NotDumpable);
    println!("hardened");
}

#[test]
fn the_memory_of_the_binary_cannot_be_dumped() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = child::run("hardened", folder.path(), &[]);
    assert!(ended.status.success(), "{}", ended.output);
    assert!(ended.output.contains("hardened\n"), "{}", ended.output);
}
