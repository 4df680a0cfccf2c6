//! What a keeper tells of what happens.

use std::collections::BTreeMap;
use std::fmt;

/// How serious an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum EventLevel {
    /// A person is needed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Something happened.
    #[default]
    Info,
    /// For those who look for a fault.
    Debug,
}

impl fmt::Display for EventLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        })
    }
}

/// Something that happened in a keeper. It never holds keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeeperEvent {
    /// When, in milliseconds since 1970 by the wall clock of the keeper.
    pub at_ms: u64,
    /// How serious it is.
    pub level: EventLevel,
    /// What happened.
    pub text: String,
    /// What it was about: `key`, `rotation`, `worker`, `callback`, `error` and others.
    pub fields: BTreeMap<String, String>,
    /// How many events before this one were left out, because they were not read fast enough.
    pub left_out: u64,
}

/// The text, then what it was about.
impl fmt::Display for KeeperEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.level, self.text)?;
        for (name, value) in &self.fields {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

/// What came of a keeper's reading its configuration again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ReloadReport {
    /// What was changed, a sentence each.
    pub changed: Vec<String>,
    /// What differs and needs a restart of the keeper, a sentence each.
    pub needs_restart: Vec<String>,
}
