//! A process of its own for a test: this test program, run again with that test alone. The test is given
//! as its function, so that no path is written down that may become wrong.

use std::any::type_name;
use std::env;
use std::future::Future;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// No process takes longer, on a machine that does much else.
pub const LONGEST: Duration = Duration::from_secs(120);

/// Set in a process that `alone` has started.
const ALONE: &str = "KEYWARD_TEST_ALONE";

/// No backtraces there: to find the names for one takes seconds, and more memory than some tests may use.
const BACKTRACE: &str = "RUST_BACKTRACE";

/// This program, to run this test and no other; it may be one that is ignored otherwise.
pub fn again<T>(test: T) -> Command {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args(arguments(test)).env(BACKTRACE, "0");
    command
}

/// The same, started by another program, which becomes it: its arguments end with ours.
pub fn again_by<T>(mut starter: Command, test: T) -> Command {
    starter.arg(env::current_exe().expect("this test"));
    starter.args(arguments(test)).env(BACKTRACE, "0");
    starter
}

/// The same, started by a shell that does something to its process first.
pub fn again_after<T>(does: &str, test: T) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{does}\nexec \"$0\" \"$@\"")]);
    again_by(shell, test)
}

fn arguments<T>(_: T) -> [&'static str; 6] {
    let (_, path) = type_name::<T>().split_once("::").expect("a path");
    // Quiet: what a test prints begins on a line of its own.
    [
        path,
        "--exact",
        "--include-ignored",
        "--nocapture",
        "--quiet",
        "--test-threads=1",
    ]
}

/// Runs the body of a test in a process of its own: the test calls this with itself, and is run again.
#[track_caller]
pub fn alone<T>(test: T, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let mut command = again(test);
    command.env(ALONE, "1");
    passes(command);
}

/// The same for an async test.
#[track_caller]
pub fn alone_async<T>(test: T, body: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    alone(test, || runtime.block_on(body));
}

/// Runs a process that has one test, which must pass. Answers what was printed.
#[track_caller]
pub fn passes(mut command: Command) -> String {
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the test starts itself");
    let process = Pid::from_child(&child);
    let (ended, ends) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if let Err(mpsc::RecvTimeoutError::Timeout) = ends.recv_timeout(LONGEST) {
            let _ = kill_process(process, Signal::KILL);
        }
    });
    let output = child.wait_with_output().expect("it is a child");
    drop(ended);
    watch.join().expect("no panic");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{}: {said}", output.status);
    said
}

/// Waits for the end of a process, which must not take long.
#[track_caller]
pub fn ended(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is a child") {
            return status;
        }
        if begun.elapsed() > LONGEST {
            drop(child.kill());
            drop(child.wait());
            panic!("the process hangs");
        }
        thread::sleep(Duration::from_millis(5));
    }
}
