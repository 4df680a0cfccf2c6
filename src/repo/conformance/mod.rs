//! The suite that every repo must pass. It ships with the trait, so that a program can run it over
//! an adapter of its own.
//!
//! Never in here: what only one adapter promises (its files, its errors at opening), and panics: what
//! a repo does wrong is told by a value.
//!
//! ```
//! use keyward::conformance::{RepoPlace, check_all};
//! use keyward::{MemoryRepo, StateRepo};
//!
//! check_all(&|| {
//!     let content = MemoryRepo::new();
//!     let open = move || Ok(Box::new(content.clone()) as Box<dyn StateRepo>);
//!     Box::new(open) as Box<dyn RepoPlace>
//! })?;
//! # Ok::<(), keyward::conformance::ConformanceFailure>(())
//! ```

mod back;
mod backup;
mod content;
mod lives;
mod seen;
mod threads;

use std::path::PathBuf;

use crate::repo::conformance::seen::Violation;
use crate::repo::error::RepoError;
use crate::repo::state_repo::StateRepo;
use crate::secret::visible::debug_with_code;

/// A place where one repo lies, which outlives the repo being closed.
///
/// Closures that answer a repo are places.
pub trait RepoPlace {
    /// Opens the repo: empty at first, later with what was left there. It is not open at that time.
    ///
    /// # Errors
    /// The [`RepoError`] that keeps it from opening; the suite fails then.
    fn open(&self) -> Result<Box<dyn StateRepo>, RepoError>;

    /// A folder for a backup, which is missing or empty, and the place that it is then; none for a
    /// repo that makes no backups.
    fn backup(&self) -> Option<(PathBuf, Box<dyn RepoPlace>)> {
        None
    }
}

impl<F: Fn() -> Result<Box<dyn StateRepo>, RepoError>> RepoPlace for F {
    fn open(&self) -> Result<Box<dyn StateRepo>, RepoError> {
        self()
    }
}

/// What a repo does other than the trait says. The author of the adapter has to mend it.
#[derive(thiserror::Error)]
#[non_exhaustive]
#[error("the repo does not conform: {check}: {what}")]
pub struct ConformanceFailure {
    /// The check that failed.
    pub check: &'static str,
    /// What was seen, and what should have been.
    pub what: String,
}

debug_with_code!(ConformanceFailure);

impl ConformanceFailure {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "repo_not_conforming"
    }
}

/// One check of the suite.
pub struct Check {
    /// What must hold.
    pub name: &'static str,
    run: fn(&dyn RepoPlace) -> Result<(), Violation>,
}

impl Check {
    /// Runs the check in an empty place.
    ///
    /// # Errors
    /// A [`ConformanceFailure`]: what the repo does other than the trait says.
    pub fn run(&self, place: &dyn RepoPlace) -> Result<(), ConformanceFailure> {
        (self.run)(place).map_err(|Violation(what)| ConformanceFailure {
            check: self.name,
            what,
        })
    }
}

/// Runs every check, each in an empty place of its own.
///
/// # Errors
/// The [`ConformanceFailure`] of the first check that fails.
pub fn check_all(new_place: &dyn Fn() -> Box<dyn RepoPlace>) -> Result<(), ConformanceFailure> {
    CHECKS.iter().try_for_each(|check| check.run(&*new_place()))
}

/// The checks.
pub const CHECKS: &[Check] = &[
    Check {
        name: "what was put is got, replaced and deleted",
        run: content::put_get_delete,
    },
    Check {
        name: "a scan shows keys in ascending order of bytes, until it is told to stop",
        run: content::scan_order,
    },
    Check {
        name: "a scan shows what has the prefix and nothing else",
        run: content::scan_prefix,
    },
    Check {
        name: "a scan shows what is above the place from which it is told to go on",
        run: back::scan_after,
    },
    Check {
        name: "a scan back shows the same in descending order, from where it is told",
        run: back::scan_back,
    },
    Check {
        name: "spaces are separate",
        run: content::spaces_are_separate,
    },
    Check {
        name: "a batch writes in its order",
        run: content::order_in_a_batch,
    },
    Check {
        name: "a batch whose precondition fails changes nothing",
        run: content::preconditions,
    },
    Check {
        name: "a reader sees a batch whole or not at all",
        run: threads::atomic_to_readers,
    },
    Check {
        name: "of several writers with one precondition exactly one wins",
        run: threads::one_writer_wins,
    },
    Check {
        name: "empty, binary and large keys and values are kept",
        run: lives::odd_sizes,
    },
    Check {
        name: "what was written is there after reopening and in a later life",
        run: lives::durable,
    },
    Check {
        name: "a backup that is made during writes opens, with what was written before it and each batch whole",
        run: backup::during_writes,
    },
    Check {
        name: "every call after close is refused as closed",
        run: lives::closed,
    },
];
