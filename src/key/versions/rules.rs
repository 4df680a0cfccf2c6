//! What a definition says of a key's versions.

use std::time::Duration;

use crate::key::versions::table::MAX_READABLE;
use crate::key::versions::version::MAX_VERSION_BYTES;

/// What a definition says of the versions of a key that has some.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct VersionRules {
    /// How many versions may be readable at once.
    pub max_readable: usize,
    /// How long after a plain get last answered another version nobody writes with that one any more.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "drain_ms", serialize_with = "milliseconds")
    )]
    pub drain: Duration,
    /// How long data lives that is written with the key; none for ever.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "data_lives_ms", serialize_with = "lifetime")
    )]
    pub data_lives: Option<Duration>,
    /// Of how many bytes keyward makes the first value where the store has none; none where it makes none.
    pub make_first: Option<usize>,
}

/// A time as its milliseconds.
#[cfg(feature = "serde")]
pub(crate) fn milliseconds<S: serde::Serializer>(
    limit: &Duration,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(feature = "serde")]
fn lifetime<S: serde::Serializer>(lives: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match lives {
        Some(lives) => milliseconds(lives, to),
        None => to.serialize_none(),
    }
}

impl Default for VersionRules {
    fn default() -> Self {
        Self {
            max_readable: MAX_READABLE,
            drain: Duration::from_secs(30),
            data_lives: None,
            make_first: None,
        }
    }
}

impl VersionRules {
    /// What is wrong with them, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.max_readable < 2 {
            let text = "max_readable_versions is less than 2; a rotation needs the old version and the new one";
            return Some(text.to_owned());
        }
        if self.data_lives.is_some_and(|lives| lives.is_zero()) {
            return Some("data_lives is zero; give it more".to_owned());
        }
        let made = self.make_first?;
        (!(1..=MAX_VERSION_BYTES).contains(&made))
            .then(|| format!("make_first_value is {made} bytes; give it 1 to {MAX_VERSION_BYTES}"))
    }
}
