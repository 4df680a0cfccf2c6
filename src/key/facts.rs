//! What an operator may know of a key.

use crate::key::declared::StoreAnswers;
use crate::key::flow::SecretKeyFlow;

/// What is known of a key in this life of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct KeyFacts {
    /// The last flow that is known in this lifetime.
    pub last_flow: Option<SecretKeyFlow>,
    /// Whether a pair is held for the back path.
    pub holds: bool,
    /// Whether a change has been declared over the held pair.
    pub superseded: bool,
    /// How many requests wait.
    pub waiting: usize,
    /// How often the store was asked.
    pub store_calls: u64,
    /// How often the record was loaded.
    pub state_reads: u64,
    /// How what the store answered last compares with the change that was declared last.
    pub store_answers: StoreAnswers,
}
