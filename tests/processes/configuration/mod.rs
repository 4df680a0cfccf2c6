//! The configuration of a keeper, as programs and people meet it.

mod check;
mod init;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the command line in a folder.
fn keyward(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("KEYWARD_CONFIG")
        .env_remove("KEYWARD_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// How a command ended, and what it said on standard output and on standard error.
fn said(output: &Output) -> (Option<i32>, String, String) {
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}
