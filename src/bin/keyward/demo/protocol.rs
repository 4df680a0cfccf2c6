//! What the demo and its server tell each other: one line a message, over the server's standard
//! input and output. No message holds a key.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use keyward::RotationId;

use crate::demo::error::DemoError;

/// Where a server waits for its end: in the middle of a worker's callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The worker.
    pub worker: String,
    /// After how many re-encrypted documents.
    pub documents: u32,
}

/// What the demo asks of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerCommand {
    /// Declare the change from the old to the new key.
    Declare,
    /// Wait for the end of a rotation.
    Wait(RotationId),
    /// Shut down.
    Stop,
}

/// What the server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEvent {
    /// The key is defined, and every worker has joined and registered its callback.
    Ready,
    /// The change is declared.
    Accepted(RotationId),
    /// A callback was called.
    Begun {
        /// The worker.
        worker: String,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// So many of a worker's documents are under the new key.
    Documents {
        /// The worker.
        worker: String,
        /// How many.
        done: u32,
    },
    /// A callback waits for the end of the process.
    Holding {
        /// The worker.
        worker: String,
        /// How many documents are under the new key.
        done: u32,
    },
    /// A callback is done.
    Ended {
        /// The worker.
        worker: String,
        /// How many documents it found under the new key already.
        skipped: u32,
    },
    /// The rotation has settled.
    Settled {
        /// Which.
        id: RotationId,
        /// Its state, as the library names it.
        state: String,
    },
    /// The server has shut down.
    Stopped,
}

/// Tells the demo something, over the server's standard output.
///
/// # Errors
/// The demo has gone, so that its end of the pipe is closed.
pub fn tell(event: &ServerEvent) -> Result<(), DemoError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{event}")
        .and_then(|()| out.flush())
        .map_err(DemoError::process("telling the demo"))
}

/// A line that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line is no message of the demo's")]
pub struct NoMessage;

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.worker, self.documents)
    }
}

impl FromStr for Hold {
    type Err = NoMessage;

    fn from_str(text: &str) -> Result<Self, NoMessage> {
        let (worker, documents) = text.split_once(':').ok_or(NoMessage)?;
        Ok(Self {
            worker: worker.to_owned(),
            documents: number(documents)?,
        })
    }
}

impl fmt::Display for ServerCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declare => f.write_str("declare"),
            Self::Wait(id) => write!(f, "wait {id}"),
            Self::Stop => f.write_str("stop"),
        }
    }
}

impl FromStr for ServerCommand {
    type Err = NoMessage;

    fn from_str(line: &str) -> Result<Self, NoMessage> {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["declare"] => Ok(Self::Declare),
            ["wait", id] => id.parse().map(Self::Wait).map_err(|_| NoMessage),
            ["stop"] => Ok(Self::Stop),
            _ => Err(NoMessage),
        }
    }
}

impl fmt::Display for ServerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Accepted(id) => write!(f, "accepted {id}"),
            Self::Begun { worker, attempt } => write!(f, "begun {worker} {attempt}"),
            Self::Documents { worker, done } => write!(f, "documents {worker} {done}"),
            Self::Holding { worker, done } => write!(f, "holding {worker} {done}"),
            Self::Ended { worker, skipped } => write!(f, "ended {worker} {skipped}"),
            Self::Settled { id, state } => write!(f, "settled {id} {state}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl FromStr for ServerEvent {
    type Err = NoMessage;

    fn from_str(line: &str) -> Result<Self, NoMessage> {
        let words: Vec<&str> = line.split(' ').collect();
        Ok(match words.as_slice() {
            ["ready"] => Self::Ready,
            ["accepted", id] => Self::Accepted(id.parse().map_err(|_| NoMessage)?),
            ["begun", worker, attempt] => Self::Begun {
                worker: (*worker).to_owned(),
                attempt: number(attempt)?,
            },
            ["documents", worker, done] => Self::Documents {
                worker: (*worker).to_owned(),
                done: number(done)?,
            },
            ["holding", worker, done] => Self::Holding {
                worker: (*worker).to_owned(),
                done: number(done)?,
            },
            ["ended", worker, skipped] => Self::Ended {
                worker: (*worker).to_owned(),
                skipped: number(skipped)?,
            },
            ["settled", id, state] => Self::Settled {
                id: id.parse().map_err(|_| NoMessage)?,
                state: (*state).to_owned(),
            },
            ["stopped"] => Self::Stopped,
            _ => return Err(NoMessage),
        })
    }
}

fn number(text: &str) -> Result<u32, NoMessage> {
    text.parse().map_err(|_| NoMessage)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018f3a5e-1111-7222-8333-123456789abc";

    #[test]
    fn every_message_reads_as_it_was_written() {
        let id: RotationId = ID.parse().unwrap();
        let worker = || "worker-1".to_owned();
        let events = [
            ServerEvent::Ready,
            ServerEvent::Accepted(id),
            ServerEvent::Begun {
                worker: worker(),
                attempt: 2,
            },
            ServerEvent::Documents {
                worker: worker(),
                done: 7,
            },
            ServerEvent::Holding {
                worker: worker(),
                done: 7,
            },
            ServerEvent::Ended {
                worker: worker(),
                skipped: 3,
            },
            ServerEvent::Settled {
                id,
                state: "completed".to_owned(),
            },
            ServerEvent::Stopped,
        ];
        for event in events {
            assert_eq!(event.to_string().parse(), Ok(event));
        }
        for command in [
            ServerCommand::Declare,
            ServerCommand::Wait(id),
            ServerCommand::Stop,
        ] {
            assert_eq!(command.to_string().parse(), Ok(command));
        }
        let hold = Hold {
            worker: worker(),
            documents: 9,
        };
        assert_eq!(hold.to_string().parse(), Ok(hold));
    }

    #[test]
    fn any_other_line_is_refused() {
        for line in [
            "",
            "ready now",
            "begun worker-1",
            "begun worker-1 x",
            "accepted 1",
        ] {
            assert_eq!(line.parse::<ServerEvent>(), Err(NoMessage), "{line}");
        }
        for line in ["", "wait", "wait 1", "declare it"] {
            assert_eq!(line.parse::<ServerCommand>(), Err(NoMessage), "{line}");
        }
        assert_eq!("worker-1".parse::<Hold>(), Err(NoMessage));
    }
}
