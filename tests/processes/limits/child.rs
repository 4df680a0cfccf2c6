//! Children: this test's own executable, run again to do one thing in a process of its own.

use std::env;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use crate::support::alone::{again, ended};

const ORDER: &str = "KEYWARD_TEST_CHILD";
const FOLDER: &str = "KEYWARD_TEST_FOLDER";
const NUMBER: &str = "KEYWARD_TEST_NUMBER";
/// How a child says what it saw, among what the test harness prints.
const SAYS: &str = "it says: ";

#[test]
#[ignore = "run by its parent tests only"]
fn a_child_process_does_one_thing() {
    let order = env::var(ORDER).expect("run by its parent tests only");
    let folder = PathBuf::from(env::var_os(FOLDER).expect("a child has a folder"));
    let number = env::var(NUMBER).expect("a child has a number");
    let number: u64 = number.parse().expect("it is one");
    match order.as_str() {
        "start-with-threads" => crate::limits::walks::start_with_threads(&folder, number),
        "start-with-descriptors" => crate::limits::walks::start_with_descriptors(&folder, number),
        "no-thread-while-alive" => crate::limits::alive::without_threads(&folder),
        "shutdown-without-threads" => crate::limits::alive::shut_down_without_threads(&folder),
        "drop-without-threads" => crate::limits::alive::drop_without_threads(&folder),
        "no-descriptor-while-alive" => crate::limits::alive::without_descriptors(&folder),
        "start-with-memory" => crate::limits::walks::start_with_memory(&folder, number),
        "exit-while-flushing" => crate::limits::ends::exit_while_flushing(&folder, number),
        "exit-in-a-callback" => crate::limits::ends::exit_in_a_callback(&folder, number),
        "shut-down-at-exit" => crate::limits::ends::shut_down_at_exit(&folder),
        "exit-after-drop" => crate::limits::ends::exit_after_drop(&folder, number),
        "exit-while-reopening" => crate::limits::ends::exit_while_reopening(&folder, number),
        "exit-inside-a-use" => crate::limits::ends::exit_inside_a_use(&folder),
        "file-size" => crate::limits::file_size::with_a_limit(&folder, number),
        "file-size-at-start" => crate::limits::file_size::start_with_a_limit(&folder, number),
        other => panic!("no child does {other}"),
    }
}

/// Says something to the parent.
pub fn say(what: &str) {
    println!("{SAYS}{what}");
}

/// How a child ended, and what it said.
pub struct Ended {
    pub status: ExitStatus,
    pub said: Vec<String>,
    pub errors: String,
}

impl Ended {
    /// Asserts that it ended by itself, without a panic, and answers what it said.
    #[track_caller]
    pub fn cleanly(self, what: &str) -> Vec<String> {
        let Self {
            status,
            said,
            errors,
        } = self;
        assert_eq!(status.signal(), None, "{what}: {said:?} {errors}");
        assert_eq!(status.code(), Some(0), "{what}: {said:?} {errors}");
        assert!(!errors.contains("panicked"), "{what}: {errors}");
        said
    }
}

/// Runs a child in this folder to its end.
pub fn run(order: &str, folder: &Path, number: u64) -> Ended {
    // Pipes: a limit of the size of files does not bind them.
    let mut child = again(a_child_process_does_one_thing)
        .env(ORDER, order)
        .env(FOLDER, folder)
        .env(NUMBER, number.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the test starts itself");
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let status = ended(&mut child);
    let printed = read(output);
    let said = printed.lines().filter_map(|line| line.split_once(SAYS));
    Ended {
        status,
        said: said.map(|(_, said)| said.to_owned()).collect(),
        errors: read(errors),
    }
}

fn read(pipe: Option<impl Read>) -> String {
    let mut text = Vec::new();
    let all = pipe.expect("a pipe").read_to_end(&mut text);
    all.expect("what it printed");
    String::from_utf8_lossy(&text).into_owned()
}
