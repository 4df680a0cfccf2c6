//! The list of all calls of callbacks, in the order in which they began, kept apart from keyward:
//! it is what the journal is checked against.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use keyward::RotationId;

use crate::demo::error::DemoError;
use crate::demo::protocol::NoMessage;

/// One call of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// For which rotation.
    pub rotation: RotationId,
    /// The worker.
    pub worker: String,
    /// Which attempt, as keyward told it.
    pub attempt: u32,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rotation, self.worker, self.attempt)
    }
}

impl FromStr for Call {
    type Err = NoMessage;

    fn from_str(line: &str) -> Result<Self, NoMessage> {
        let words: Vec<&str> = line.split(' ').collect();
        let [rotation, worker, attempt] = words.as_slice() else {
            return Err(NoMessage);
        };
        Ok(Self {
            rotation: rotation.parse().map_err(|_| NoMessage)?,
            worker: (*worker).to_owned(),
            attempt: attempt.parse().map_err(|_| NoMessage)?,
        })
    }
}

/// Adds a call to the list, in one write, which a kill of the process does not undo.
///
/// # Errors
/// What the operating system says.
pub fn add(list: &Path, call: &Call) -> Result<(), DemoError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(list)
        .and_then(|mut file| file.write_all(format!("{call}\n").as_bytes()))
        .map_err(DemoError::io("writing", list))
}

/// The calls so far.
///
/// # Errors
/// What the operating system says, and a line that is no call.
pub fn read(list: &Path) -> Result<Vec<Call>, DemoError> {
    let text = fs::read_to_string(list).map_err(DemoError::io("reading", list))?;
    let calls = text
        .lines()
        .map(str::parse)
        .collect::<Result<_, NoMessage>>();
    calls.map_err(|_| DemoError::Server {
        what: "wrote a list of calls that cannot be read".to_owned(),
    })
}
