//! One version of a key.

use std::fmt;

use uuid::Uuid;

use crate::key::versions::id::VersionId;
use crate::key::versions::state::{VersionEvent, VersionState};
use crate::secret::value::{InvalidKey, SecretKeyPair};
use crate::secret::visible::Visible;

/// The largest value of a version, in bytes: 64 KiB. Every version of a key is kept in memory.
pub const MAX_VERSION_BYTES: usize = 64 * 1024;

/// Checks that a value may be a version.
///
/// # Errors
/// [`InvalidKey::TooLongForVersions`].
pub fn check_size(pair: &SecretKeyPair) -> Result<(), InvalidKey> {
    let halves = [pair.forward(), pair.back()].into_iter();
    match halves.map(|half| half.expose().len()).max() {
        Some(bytes) if bytes > MAX_VERSION_BYTES => Err(InvalidKey::TooLongForVersions { bytes }),
        Some(_) | None => Ok(()),
    }
}

/// Why a version is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Cause {
    /// The key got versions, and its store answered this value.
    Adopted,
    /// The key got versions, and its state record had this value.
    StateRecord,
    /// The key got versions, and keyward made the value, because the store had none.
    Made,
    /// The rotation of this id; who declared it stands with the rotation.
    Rotation(#[cfg_attr(feature = "serde", serde(serialize_with = "as_text"))] Uuid),
    /// A person, with the reason.
    Person {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Nothing needs it any more.
    NotNeeded,
}

#[cfg(feature = "serde")]
fn as_text<S: serde::Serializer>(id: &Uuid, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adopted => "the key's store answered it when the key got versions",
            Self::StateRecord => "the key's state record had it when the key got versions",
            Self::Made => "keyward made it when the key got versions",
            Self::Rotation(id) => return write!(f, "rotation {id}"),
            Self::Person { by, why } => {
                return write!(f, "{}: {}", Visible(by), Visible(why));
            }
            Self::NotNeeded => "nothing needs it any more",
        })
    }
}

/// One arrow of a version's way: what it became, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Arrow {
    /// What it became.
    pub to: VersionState,
    /// When, in milliseconds since 1970 by the wall clock.
    pub at_ms: u64,
    /// Why.
    pub cause: Cause,
}

impl Arrow {
    /// The arrow to this state.
    pub fn new(to: VersionState, at_ms: u64, cause: Cause) -> Self {
        Self { to, at_ms, cause }
    }
}

/// The keyed fingerprints of a version's value: each half by itself. They outlive the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prints {
    /// Of the forward half; none where only the back half is known.
    pub forward: Option<[u8; 32]>,
    /// Of the back half.
    pub back: [u8; 32],
}

impl Prints {
    /// Of a whole value: the forward half's and the back half's.
    pub fn of([forward, back]: [[u8; 32]; 2]) -> Self {
        let forward = Some(forward);
        Self { forward, back }
    }

    /// Whether both are prints of the same value: both halves are the same, where both are known.
    pub fn is_same(&self, other: &Self) -> bool {
        self.back == other.back && self.forward == other.forward
    }
}

/// What is durable of one version, apart from its sealed value and its debts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Its number, for people: 1, 2, and so on.
    pub number: u64,
    /// What may be done with it.
    pub state: VersionState,
    /// How it came to be what it is, in order; the last one leads to its state.
    pub arrows: Vec<Arrow>,
    /// The fingerprints of its value.
    pub prints: Prints,
    /// Whether its value is known to somebody who should not know it: since when, and who said so.
    pub compromised: Option<Compromised>,
    /// For how long, in milliseconds that the keeper ran, nothing has been written with it; none while
    /// something may be.
    pub unwritten_ms: Option<u64>,
}

/// That a version's value is known to somebody who should not know it. It is a mark and no state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Compromised {
    /// When it was said, in milliseconds since 1970 by the wall clock.
    pub at_ms: u64,
    /// Who said so.
    pub by: String,
    /// Why.
    pub why: String,
}

impl Compromised {
    /// The mark.
    pub fn new(at_ms: u64, by: String, why: String) -> Self {
        Self { at_ms, by, why }
    }
}

impl Version {
    /// A version that begins.
    pub fn begin(id: VersionId, number: u64, prints: Prints, first: Arrow) -> Self {
        Self {
            id,
            number,
            state: first.to,
            arrows: vec![first],
            prints,
            compromised: None,
            unwritten_ms: None,
        }
    }

    /// Whether its value came from the key's state record.
    pub fn is_of_state_record(&self) -> bool {
        let first = self.arrows.first();
        first.is_some_and(|arrow| arrow.cause == Cause::StateRecord)
    }

    /// The version after an event; none where that cannot happen.
    pub fn after(&self, event: VersionEvent, at_ms: u64, cause: Cause) -> Option<Self> {
        let to = event.apply_to(self.state)?;
        let mut version = self.clone();
        version.state = to;
        version.arrows.push(Arrow::new(to, at_ms, cause));
        Some(version)
    }
}
