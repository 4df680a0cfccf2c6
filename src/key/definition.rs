//! What a definition says of a key, apart from its store.

use std::fmt;
use std::time::Duration;

use crate::key::flow::SecretKeyUseCase;
use crate::key::versions::rules::VersionRules;

/// What a rotation does when a callback has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum OnKeyChangedCallbackErrorStrategy {
    /// No further step runs; `key_changed` answers an error that carries the report.
    RaiseImmediately,
    /// The others run; at the end `key_changed` answers an error that carries the report.
    SkipAndRaise,
    /// The others run; `key_changed` answers the report.
    Skip,
    /// No further step runs; `key_changed` answers the report.
    #[default]
    Halt,
}

impl OnKeyChangedCallbackErrorStrategy {
    /// Every strategy, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::RaiseImmediately,
        Self::SkipAndRaise,
        Self::Skip,
        Self::Halt,
    ];

    /// Whether a failed callback ends the rotation's steps.
    pub fn stops(self) -> bool {
        match self {
            Self::RaiseImmediately | Self::Halt => true,
            Self::SkipAndRaise | Self::Skip => false,
        }
    }

    /// Whether a failed callback makes `key_changed` answer an error.
    pub fn raises(self) -> bool {
        match self {
            Self::RaiseImmediately | Self::SkipAndRaise => true,
            Self::Skip | Self::Halt => false,
        }
    }
}

impl fmt::Display for OnKeyChangedCallbackErrorStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RaiseImmediately => "RaiseImmediately",
            Self::SkipAndRaise => "SkipAndRaise",
            Self::Skip => "Skip",
            Self::Halt => "Halt",
        })
    }
}

/// How a key behaves: everything of its definition but the name and the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct KeyBehaviour {
    /// One flow or two.
    pub use_case: SecretKeyUseCase,
    /// Whether the key's state is *not* kept in the state repo.
    pub stateless: bool,
    /// Whether the pair stays in memory until the back path has had it.
    pub keep_in_cache: bool,
    /// What a failed callback does to a rotation.
    pub error_strategy: OnKeyChangedCallbackErrorStrategy,
    /// How long one fetch from the store may take.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "store_time_limit_ms", serialize_with = "milliseconds")
    )]
    pub store_time_limit: Duration,
    /// How long a request may take from its arrival.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "request_time_limit_ms", serialize_with = "milliseconds")
    )]
    pub request_time_limit: Duration,
    /// How long one callback may take.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "callback_time_limit_ms", serialize_with = "milliseconds")
    )]
    pub callback_time_limit: Duration,
    /// How many workers run their callbacks at once in a rotation of this key.
    pub workers_at_once: usize,
    /// How many requests may be admitted at once.
    pub max_requests: usize,
    /// How many accepted rotations of this key may wait.
    pub max_waiting_rotations: usize,
    /// What holds for its versions; none for a key that has none.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub versions: Option<VersionRules>,
}

#[cfg(feature = "serde")]
fn milliseconds<S: serde::Serializer>(limit: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
}

impl KeyBehaviour {
    /// Whether the state repo keeps a record of this key: a stated round-trip key.
    pub fn has_record(&self) -> bool {
        !self.stateless && self.use_case == SecretKeyUseCase::RoundTrip && self.versions.is_none()
    }

    /// How many of the admitted requests may wait for the store: three quarters, so that a held
    /// key is still answered while the store hangs.
    pub fn max_waiting_for_store(&self) -> usize {
        (self.max_requests / 4).saturating_mul(3).max(1)
    }
}
