//! How a fetch ended, and in words why one that its store did not answer has failed.

use std::time::Duration;

use crate::guard::fault::Fault;
use crate::guard::foreign_call::Returned;
use crate::key::event::FetchFailure;
use crate::secret::scrub::Scrubber;
use crate::store::error::StoreError;
use crate::store::keys_store::{FetchResult, Fetched};
use crate::store::origin::StoreOrigin;

/// How a fetch ended.
pub struct FetchEnd {
    /// What the store answered, or why it has not.
    pub answer: Result<Fetched, FetchFailure>,
    /// When the store comes back that its limit could not stop: it blocks its thread.
    pub still_running: Option<Returned>,
    /// What the system said, if it refused the thread that the fetch needs.
    pub refused: Option<String>,
    /// Whether the store said that it has no keys.
    pub has_none: bool,
    /// Why the store cannot be written, if that was asked and it cannot.
    pub cannot_write: Option<CannotWrite>,
}

/// Why a store cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotWrite {
    /// It is none that is written.
    ReadOnly,
    /// It is of a kind that is written, and this one cannot be.
    Refused,
}

/// What the text of a failure needs to know of its fetch.
pub(super) struct Circumstances<'a> {
    pub(super) origin: StoreOrigin,
    pub(super) limit: Duration,
    /// What is left of the limit.
    pub(super) left: Duration,
    pub(super) scrubber: &'a Scrubber,
}

impl FetchEnd {
    pub(super) fn new(
        ended: Result<FetchResult, Fault>,
        still_running: Option<Returned>,
        circumstances: &Circumstances<'_>,
    ) -> Self {
        let scrubber = circumstances.scrubber;
        let refused = match &ended {
            Err(Fault::ThreadRefused { why }) => Some(why.clone()),
            _ => None,
        };
        let has_none = matches!(
            &ended,
            Ok(Err(StoreError::Missing { .. } | StoreError::Nothing))
        );
        let cannot_write = match &ended {
            Ok(Err(StoreError::ReadOnly)) => Some(CannotWrite::ReadOnly),
            Ok(Err(StoreError::NotWritable { .. })) => Some(CannotWrite::Refused),
            _ => None,
        };
        let answer = match ended {
            Ok(Ok(fetched)) => Ok(fetched),
            Ok(Err(StoreError::Invalid(why))) => Err(FetchFailure::Invalid(why)),
            Ok(Err(error)) => {
                let why = error.described(scrubber);
                Err(FetchFailure::Failed { why })
            }
            Err(fault) => {
                let why = scrubber.scrub_str(&circumstances.why(fault));
                Err(FetchFailure::Failed { why })
            }
        };
        Self {
            answer,
            still_running,
            refused,
            has_none,
            cannot_write,
        }
    }
}

impl Circumstances<'_> {
    fn why(&self, fault: Fault) -> String {
        let limit = self.limit;
        let threads = match self.origin {
            StoreOrigin::Command => "commands",
            StoreOrigin::File => "key files",
            StoreOrigin::Foreign | StoreOrigin::Closure | StoreOrigin::Environment => {
                "blocking stores"
            }
        };
        match fault {
            Fault::NoThread { threads: bound } if self.left > Duration::ZERO => format!(
                "no thread: all {bound} threads for {threads} are held by calls that have passed \
                 their time limits; see which stores hang"
            ),
            Fault::NoThread { threads: bound } => format!(
                "no thread: none of the {bound} threads for {threads} was free within {limit:?}; \
                 see which are slow, or allow more threads"
            ),
            Fault::ThreadRefused { .. } => format!("no thread: {fault}"),
            Fault::TimedOut { .. } => Fault::TimedOut { limit }.to_string(),
            fault => fault.described(self.scrubber),
        }
    }
}
