//! The command line as a program that is run.

use std::process::{Command, Output, Stdio};

/// What a command did.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// The command line, with nothing of the environment that would lead it to a keeper.
pub fn keyward(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command
        .args(arguments)
        .env_remove("KEYWARD_SOCKET")
        .env_remove("KEYWARD_LOG")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub async fn ran(mut command: Command) -> Ran {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    Ran::of(output.await.unwrap())
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
