//! Children: this test's own executable, run again to do one thing in a process of its own.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use crate::support::alone::{again, ended};

/// What the child is to do.
const ORDER: &str = "KEYWARD_TEST_CHILD";
/// The folder of the child.
const FOLDER: &str = "KEYWARD_TEST_FOLDER";

/// The files in its folder that take its standard output and error.
const OUTPUT: &str = "output";
const ERRORS: &str = "errors";

#[test]
#[ignore = "run by its parent tests only"]
fn a_child_process_does_one_thing() {
    let order = env::var(ORDER).expect("run by its parent tests only");
    let folder = PathBuf::from(env::var_os(FOLDER).expect("a child has a folder"));
    match order.as_str() {
        "crash" => crate::folder::crash(&folder),
        "hardened" => crate::core_dump::hardened(&folder),
        "panics" => crate::panics::with_the_hook_of_the_binary(&folder),
        "panics-elsewhere" => crate::panics::with_a_hook_of_its_own(&folder),
        "memory" => crate::memory::life::live(&folder),
        "memory-control" => crate::memory::control::live(&folder),
        other => panic!("no child does {other}"),
    }
}

/// How a child ended, and what it printed.
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, with what the test harness prints around it.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

/// Runs a child in this folder to its end, with these variables besides its own.
pub fn run(order: &str, folder: &Path, set: &[(&str, &str)]) -> Ended {
    let open = |name: &str| File::create(folder.join(name)).expect("a file");
    let mut child = again(a_child_process_does_one_thing)
        .env(ORDER, order)
        .env(FOLDER, folder)
        .envs(set.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(open(OUTPUT))
        .stderr(open(ERRORS))
        .spawn()
        .expect("the test starts itself");
    let status = ended(&mut child);
    let read = |name: &str| {
        let bytes = std::fs::read(folder.join(name)).expect("what it printed");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ended {
        status,
        output: read(OUTPUT),
        errors: read(ERRORS),
    }
}
