//! Who did what about a rotation, a worker or a callback, and why.

use std::fmt;
use std::sync::Arc;

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::id::RotationId;
use crate::secret::visible::{Visible, debug_with_code};

/// The longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 1_024;

/// How many acts of one rotation are kept: its declaration, and the latest.
pub const MAX_ACTS: usize = 32;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Deed {
    /// A change was declared.
    Declared,
    /// A rotation was resumed.
    Resumed,
    /// A rotation was aborted.
    Aborted,
    /// An unreadable rotation was dismissed.
    Dismissed,
    /// A worker, a callback or an instance was removed.
    Removed,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Declared => "declared",
            Self::Resumed => "resumed",
            Self::Aborted => "aborted",
            Self::Dismissed => "dismissed",
            Self::Removed => "removed",
        })
    }
}

/// Why a reason was refused, code `invalid_reason`. The fault is the caller's, and nothing was done: give another one, or
/// none.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReason {
    /// The reason is longer than 1,024 bytes.
    #[error("the reason has {bytes} bytes; give at most 1,024")]
    TooLong {
        /// How many bytes were given.
        bytes: usize,
    },
    /// The reason contains a control character, a line end for example.
    #[error("the reason has a control character at byte {at}; leave it out")]
    ControlCharacter {
        /// Where the character starts.
        at: usize,
    },
}

debug_with_code!(InvalidReason);

impl InvalidReason {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "invalid_reason"
    }
}

/// By whom something is done, and why. User and process are what the kernel says; the worker is the one as
/// which the caller has joined.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct By {
    /// The user, by number.
    pub user: u32,
    /// The process, by number.
    pub process: u32,
    /// The worker, if it was done by a worker's handle or over its connection.
    pub worker: Option<WorkerName>,
    /// Why, as the caller said.
    pub reason: Option<String>,
}

impl By {
    /// This process of this user does it, and says nothing more.
    pub(crate) fn process(user: u32, process: u32) -> Self {
        Self {
            user,
            process,
            ..Self::default()
        }
    }

    /// It is done as this worker.
    pub(crate) fn of_worker(mut self, worker: Option<WorkerName>) -> Self {
        self.worker = worker;
        self
    }

    /// It is done for this reason; an empty one is none.
    ///
    /// # Errors
    /// `invalid_reason`.
    pub(crate) fn because(mut self, reason: &str) -> Result<Self, InvalidReason> {
        let bytes = reason.len();
        if bytes > MAX_REASON_BYTES {
            return Err(InvalidReason::TooLong { bytes });
        }
        if let Some((at, _)) = reason.char_indices().find(|(_, c)| c.is_control()) {
            return Err(InvalidReason::ControlCharacter { at });
        }
        self.reason = (!reason.is_empty()).then(|| reason.to_owned());
        Ok(self)
    }

    /// It did this, then.
    pub(crate) fn did(self, deed: Deed, about: Option<About>, at_ms: u64) -> Act {
        Act {
            deed,
            about,
            at_ms,
            by: self,
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by user {}, process {}", self.user, self.process)?;
        if let Some(worker) = &self.worker {
            write!(f, ", worker {worker}")?;
        }
        match &self.reason {
            Some(reason) => write!(f, ": {}", Visible(reason)),
            None => Ok(()),
        }
    }
}

/// What an act was about that stands in no rotation's report.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum About {
    /// A rotation that could not be read.
    Rotation {
        /// Its id.
        id: RotationId,
        /// The key that was to change.
        key: KeyName,
    },
    /// A worker.
    Worker {
        /// Its name.
        worker: WorkerName,
    },
    /// A callback.
    Callback {
        /// Its worker.
        worker: WorkerName,
        /// Its key.
        key: KeyName,
        /// Its name.
        callback: CallbackName,
    },
    /// An instance of a worker.
    Instance {
        /// The worker.
        worker: WorkerName,
        /// Its number.
        instance: u64,
    },
}

impl About {
    /// The key, if it was about one key only.
    pub fn key(&self) -> Option<&KeyName> {
        match self {
            Self::Rotation { key, .. } | Self::Callback { key, .. } => Some(key),
            Self::Worker { .. } | Self::Instance { .. } => None,
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rotation { id, key } => write!(f, "rotation {id} of key {key}"),
            Self::Worker { worker } => write!(f, "worker {worker}"),
            Self::Callback {
                worker,
                key,
                callback,
            } => write!(f, "callback {callback} of worker {worker} for key {key}"),
            Self::Instance { worker, instance } => {
                write!(f, "instance {instance} of worker {worker}")
            }
        }
    }
}

/// Something that was done: who did what, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Act {
    /// What was done.
    pub deed: Deed,
    /// About what; none where it stands with the rotation that it was about.
    pub about: Option<About>,
    /// When, in milliseconds since 1970 by the wall clock.
    pub at_ms: u64,
    /// By whom, and why.
    pub by: By,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            deed, about, by, ..
        } = self;
        match about {
            Some(about) => write!(f, "{about} {deed} {by}"),
            None => write!(f, "{deed} {by}"),
        }
    }
}

/// The acts about one rotation, in the order of time. A copy shares them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Acts(Arc<[Act]>);

impl Acts {
    /// These.
    pub fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self(acts.into_iter().collect())
    }

    /// All of them.
    pub fn all(&self) -> &[Act] {
        &self.0
    }

    /// Adds one. Where there are too many, the one after the declaration is left out.
    pub fn push(&mut self, act: Act) {
        let left_out = usize::from(self.0.len() >= MAX_ACTS);
        let declared = self.0.iter().take(1);
        let later = self.0.iter().skip(1).skip(left_out);
        self.0 = declared.chain(later).cloned().chain([act]).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(at_ms: u64) -> Act {
        By::default().did(Deed::Resumed, None, at_ms)
    }

    #[test]
    fn a_reason_has_1024_bytes_at_most_and_no_control_characters() {
        let because = |reason: &str| By::default().because(reason);
        let longest = "ä".repeat(512);
        assert_eq!(because(&longest).unwrap().reason, Some(longest.clone()));
        assert_eq!(because("").unwrap().reason, None);
        for bad in [
            format!("{longest}."),
            "a\nb".to_owned(),
            "\u{9b}".to_owned(),
        ] {
            assert_eq!(because(&bad).unwrap_err().code(), "invalid_reason");
        }
    }

    #[test]
    fn the_declaration_and_the_latest_acts_are_kept() {
        let mut acts = Acts::default();
        for at_ms in 0..100 {
            acts.push(act(at_ms));
        }
        let kept: Vec<u64> = acts.all().iter().map(|act| act.at_ms).collect();
        let latest = 100 - (MAX_ACTS as u64 - 1)..100;
        assert_eq!(kept, [0].into_iter().chain(latest).collect::<Vec<_>>());
    }
}
