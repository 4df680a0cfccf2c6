//! Why nothing came of what the journal was asked for.

use crate::guard::events::Events;
use crate::guard::fault::Fault;
use crate::key::event::WriteFailure;
use crate::key::journal_down::JournalDown;

/// Why nothing came of a job: the journal is closed, or the repo or crypto tool panicked in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal is closed, or its repo or crypto tool panicked")]
pub struct JournalClosed;

impl From<JournalClosed> for WriteFailure {
    fn from(closed: JournalClosed) -> Self {
        let (why, unknown) = (closed.into(), false);
        Self { why, unknown }
    }
}

impl From<JournalClosed> for JournalDown {
    fn from(closed: JournalClosed) -> Self {
        closed.to_string().into()
    }
}

/// Says that the repo or the crypto tool panicked.
pub(super) fn panicked(events: &Events, fault: Fault) {
    events.tell(move || tracing::error!(%fault, "a state repo or crypto tool panicked"));
}
