//! The programs under `examples/` hold what they claim: each runs here, in a process of its own,
//! because some of them set variables of their environment or start themselves again.

#[path = "../examples/example_1_authentication.rs"]
mod example_1_authentication;
#[path = "../examples/example_2_lifetimes.rs"]
mod example_2_lifetimes;
#[path = "../examples/example_3_cached.rs"]
mod example_3_cached;
#[path = "../examples/example_4_command.rs"]
mod example_4_command;
#[path = "../examples/example_5_third_party.rs"]
mod example_5_third_party;
#[path = "../examples/first_program.rs"]
mod first_program;
#[path = "../examples/general_usage.rs"]
mod general_usage;

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Tells a process that it was started to run one example.
const RUNS_ONE: &str = "KEYWARD_RUNS_ONE_EXAMPLE";

/// An example takes a few seconds at most; one that hangs fails here.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Runs an example in a process of its own, which has this test alone.
fn runs<E>(test: &str, example: impl Fn() -> Result<(), E>) -> Outcome
where
    Box<dyn Error + Send + Sync>: From<E>,
{
    if env::var_os(RUNS_ONE).is_some() {
        return Ok(example()?);
    }
    let mut run = Command::new(env::current_exe()?)
        .args([test, "--exact", "--nocapture"])
        .env(RUNS_ONE, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let begun = Instant::now();
    while run.try_wait()?.is_none() {
        if begun.elapsed() > TIME_LIMIT {
            run.kill()?;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let run = run.wait_with_output()?;
    let story = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    let ran = run.status.success() && story.contains("1 passed");
    assert!(ran, "{}\n{story}\n{errors}", run.status);
    Ok(())
}

#[test]
fn general_usage_holds() -> Outcome {
    runs("general_usage_holds", general_usage::main)
}

#[test]
fn example_1_holds() -> Outcome {
    runs("example_1_holds", example_1_authentication::main)
}

#[test]
fn example_2_holds_with_each_alternative_of_its_callback() -> Outcome {
    runs(
        "example_2_holds_with_each_alternative_of_its_callback",
        example_2_lifetimes::main,
    )
}

#[test]
fn example_3_holds() -> Outcome {
    runs("example_3_holds", example_3_cached::main)
}

#[test]
fn example_4_holds() -> Outcome {
    runs("example_4_holds", example_4_command::main)
}

#[test]
fn example_5_holds() -> Outcome {
    runs("example_5_holds", example_5_third_party::main)
}

/// It runs in a folder of its own, with the key files that the README has made.
fn first_program_in_a_folder() -> Outcome {
    let folder = tempfile::tempdir()?;
    env::set_current_dir(&folder)?;
    let files =
        "umask 077; for f in master documents next; do head -c 32 /dev/urandom > $f.key; done";
    let made = Command::new("sh").args(["-c", files]).status()?;
    assert!(made.success());
    first_program::main().map_err(|error| error.to_string())?;
    Ok(())
}

#[test]
fn the_readmes_program_is_the_example_and_holds() -> Outcome {
    let example = include_str!("../examples/first_program.rs");
    let (_, program) = example.split_once("\n\n").ok_or("a program")?;
    let program = program.trim_end().replace("pub async", "async");
    assert!(include_str!("../README.md").contains(&program));
    runs(
        "the_readmes_program_is_the_example_and_holds",
        first_program_in_a_folder,
    )
}
