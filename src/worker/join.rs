//! Under which name a worker joins, and how.

use crate::rotation::instance::Sharing;

/// How a worker joins. A name alone is a sole worker, which does not wait for its name.
///
/// ```
/// use keyward::Join;
/// let one_process = Join::sole("mailer");
/// let processes_of_a_server = Join::shared("web");
/// let takes_over_from_the_last_deploy = Join::sole("mailer").waiting();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a worker joins when `join` is given this"]
pub struct Join {
    pub(crate) name: String,
    pub(crate) sharing: Sharing,
    pub(crate) waits: bool,
}

impl Join {
    /// A worker with one instance at a time. The name is the same in every life of the
    /// program.
    pub fn sole(name: impl Into<String>) -> Self {
        Self::new(name, Sharing::Sole)
    }

    /// A worker that any number of processes may be: those of a prefork server. Workers in the
    /// keeper's own process are always sole.
    pub fn shared(name: impl Into<String>) -> Self {
        Self::new(name, Sharing::Shared)
    }

    fn new(name: impl Into<String>, sharing: Sharing) -> Self {
        Self {
            name: name.into(),
            sharing,
            waits: false,
        }
    }

    /// Waits until the name is free, as long as the caller does, where a living sole worker has it:
    /// for a deploy that starts the new process before the old one ends.
    pub fn waiting(mut self) -> Self {
        self.waits = true;
        self
    }
}

impl From<&str> for Join {
    fn from(name: &str) -> Self {
        Self::sole(name)
    }
}

impl From<String> for Join {
    fn from(name: String) -> Self {
        Self::sole(name)
    }
}

impl From<&String> for Join {
    fn from(name: &String) -> Self {
        Self::sole(name)
    }
}
