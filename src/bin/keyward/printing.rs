//! What a command prints: text for people, or with `--json` one object a line for programs.

use std::fmt::Display;
use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use crate::command_error::CommandError;

/// How a command prints.
#[derive(Debug, Args)]
pub struct Printing {
    /// Print JSON for programs: one object, or one a line where more follow
    #[arg(long)]
    pub json: bool,
}

impl Printing {
    /// For a command that has no `--json`.
    pub fn for_people() -> Self {
        Self { json: false }
    }

    /// A line for people, not for programs.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn line(&self, text: impl Display) -> Result<(), CommandError> {
        if self.json {
            return Ok(());
        }
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// A line for programs, not for people.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn object(&self, object: &Value) -> Result<(), CommandError> {
        if !self.json {
            return Ok(());
        }
        self.bytes(format!("{object}\n").as_bytes())
    }

    /// Bytes as they are.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), CommandError> {
        let mut out = io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        written.map_err(CommandError::process("writing to standard output"))
    }

    /// A failure, for programs.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn failure(&self, code: &str, text: impl Display) -> Result<(), CommandError> {
        self.object(&json!({ "error": { "code": code, "text": text.to_string() } }))
    }
}
