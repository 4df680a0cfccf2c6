//! The programs under `examples/` hold what they claim: each runs here, in a process of its own,
//! because some of them set variables of their environment or start themselves again.

#[path = "../../examples/example_1_authentication.rs"]
mod example_1_authentication;
#[path = "../../examples/example_2_lifetimes.rs"]
mod example_2_lifetimes;
#[path = "../../examples/example_3_cached.rs"]
mod example_3_cached;
#[path = "../../examples/example_4_command.rs"]
mod example_4_command;
#[path = "../../examples/example_5_third_party.rs"]
mod example_5_third_party;
#[path = "../../examples/first_program.rs"]
mod first_program;
#[path = "../../examples/general_usage.rs"]
mod general_usage;
#[path = "../../examples/versions.rs"]
mod versions;

use std::env;
use std::error::Error;
use std::fmt::Debug;
use std::process::Command;

use crate::support::alone::alone;

/// Runs an example in a process of its own, which has this test alone.
#[track_caller]
fn runs<T, E: Debug>(test: T, example: impl FnOnce() -> Result<(), E>) {
    alone(test, || example().expect("the example ends well"));
}

#[test]
fn general_usage_holds() {
    runs(general_usage_holds, general_usage::main);
}

#[test]
fn documents_are_read_without_a_failure_while_their_key_changes() {
    runs(
        documents_are_read_without_a_failure_while_their_key_changes,
        versions::main,
    );
}

#[test]
fn example_1_holds() {
    runs(example_1_holds, example_1_authentication::main);
}

#[test]
fn example_2_holds_with_each_alternative_of_its_callback() {
    runs(
        example_2_holds_with_each_alternative_of_its_callback,
        example_2_lifetimes::main,
    );
}

#[test]
fn example_3_holds() {
    runs(example_3_holds, example_3_cached::main);
}

#[test]
fn example_4_holds() {
    runs(example_4_holds, example_4_command::main);
}

#[test]
fn example_5_holds() {
    runs(example_5_holds, example_5_third_party::main);
}

/// It runs in a folder of its own, with the key files that the README has made.
fn first_program_in_a_folder() -> Result<(), Box<dyn Error>> {
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
fn the_readmes_program_is_the_example_and_holds() {
    let example = include_str!("../../examples/first_program.rs");
    let (_, program) = example.split_once("\n\n").unwrap();
    let program = program.trim_end().replace("pub async", "async");
    assert!(include_str!("../../README.md").contains(&program));
    runs(
        the_readmes_program_is_the_example_and_holds,
        first_program_in_a_folder,
    );
}
