//! What a command prints: text for people, or with `--json` one object a line for programs.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value, json};

use crate::colour::wants_colour;
use crate::command_error::CommandError;
use crate::shown::paint::Paint;

/// How a command prints.
#[derive(Debug, Clone, Args)]
pub struct Printing {
    /// Print JSON for programs: one object, or one a line where more follow
    #[arg(long, global = true)]
    pub json: bool,
}

impl Printing {
    /// For a command that has no `--json`.
    pub fn for_people() -> Self {
        Self { json: false }
    }

    /// Paints what people read.
    pub fn paint(&self) -> Paint {
        Paint::new(!self.json && wants_colour(&io::stdout()))
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

    /// A failure, for programs. Where the object cannot be printed, nothing is said: the text is on standard
    /// error all the same.
    pub fn failure(&self, code: &str, text: &dyn Display, retriable: bool) {
        drop(self.object(&json!({ "error": {
            "code": code, "text": text.to_string(), "retriable": retriable,
        } })));
    }
}

/// The time of the wall clock in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
