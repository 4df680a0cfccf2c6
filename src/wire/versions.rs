//! Versions of keys: which one a value is of, and what is shown of them.

use crate::key::answer;
#[cfg(feature = "client")]
use crate::key::name::WorkerName;
#[cfg(feature = "client")]
use crate::key::versions::debt;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::{OpenDebt, VersionListing};
use crate::key::versions::state;
use crate::key::versions::version::{self, Cause};
use crate::secret::visible::Visible;
use crate::wire::generated::{
    AnsweredVersion, Arrow, CallVersions, Compromised, Debt, Version, VersionCause, VersionState,
};
use crate::wire::invalid::InvalidMessage;
#[cfg(feature = "client")]
use crate::wire::invalid::{enumerated, id, name, unspecified};
use crate::worker::call_versions;

/// The id of a version.
///
/// # Errors
/// It is no UUID.
pub fn version_id(field: &'static str, text: &str) -> Result<VersionId, InvalidMessage> {
    let refused = |error| InvalidMessage::new(field, Visible(error).to_string());
    text.parse().map_err(refused)
}

impl From<answer::AnsweredVersion> for AnsweredVersion {
    fn from(version: answer::AnsweredVersion) -> Self {
        Self {
            id: version.id.to_string(),
            number: version.number,
        }
    }
}

impl TryFrom<AnsweredVersion> for answer::AnsweredVersion {
    type Error = InvalidMessage;

    fn try_from(version: AnsweredVersion) -> Result<Self, InvalidMessage> {
        let id = version_id("version.id", &version.id)?;
        Ok(Self::new(id, version.number))
    }
}

impl From<call_versions::CallVersions> for CallVersions {
    fn from(versions: call_versions::CallVersions) -> Self {
        Self {
            old: versions.old.to_string(),
            new: versions.new.to_string(),
        }
    }
}

impl TryFrom<CallVersions> for call_versions::CallVersions {
    type Error = InvalidMessage;

    fn try_from(versions: CallVersions) -> Result<Self, InvalidMessage> {
        Ok(Self {
            old: version_id("versions.old", &versions.old)?,
            new: version_id("versions.new", &versions.new)?,
        })
    }
}

impl From<state::VersionState> for VersionState {
    fn from(state: state::VersionState) -> Self {
        match state {
            state::VersionState::Pending => Self::Pending,
            state::VersionState::Active => Self::Active,
            state::VersionState::Deactivated => Self::Deactivated,
            state::VersionState::Withdrawn => Self::Withdrawn,
            state::VersionState::Destroyed => Self::Destroyed,
        }
    }
}

#[cfg(feature = "client")]
fn version_state(field: &'static str, number: i32) -> Result<state::VersionState, InvalidMessage> {
    Ok(match enumerated(field, number)? {
        VersionState::Unspecified => return Err(unspecified(field)),
        VersionState::Pending => state::VersionState::Pending,
        VersionState::Active => state::VersionState::Active,
        VersionState::Deactivated => state::VersionState::Deactivated,
        VersionState::Withdrawn => state::VersionState::Withdrawn,
        VersionState::Destroyed => state::VersionState::Destroyed,
    })
}

impl From<&VersionListing> for Version {
    fn from(version: &VersionListing) -> Self {
        let compromised = version.compromised.as_ref().map(|mark| Compromised {
            at_ms: mark.at_ms,
            by: mark.by.clone(),
            why: mark.why.clone(),
        });
        Self {
            id: version.id.to_string(),
            number: version.number,
            state: VersionState::from(version.state).into(),
            is_current: version.is_current,
            compromised,
        }
    }
}

#[cfg(feature = "client")]
impl TryFrom<Version> for VersionListing {
    type Error = InvalidMessage;

    fn try_from(version: Version) -> Result<Self, InvalidMessage> {
        let mark = |of: Compromised| version::Compromised::new(of.at_ms, of.by, of.why);
        Ok(Self {
            id: version_id("version.id", &version.id)?,
            number: version.number,
            state: version_state("version.state", version.state)?,
            is_current: version.is_current,
            arrows: Vec::new(),
            compromised: version.compromised.map(mark),
            debts: Vec::new(),
        })
    }
}

impl From<&version::Arrow> for Arrow {
    fn from(arrow: &version::Arrow) -> Self {
        let mut own = Self {
            to: VersionState::from(arrow.to).into(),
            at_ms: arrow.at_ms,
            ..Self::default()
        };
        let cause = match &arrow.cause {
            Cause::Adopted => VersionCause::Adopted,
            Cause::StateRecord => VersionCause::StateRecord,
            Cause::Made => VersionCause::Made,
            Cause::Rotation(id) => {
                own.rotation = id.to_string();
                VersionCause::Rotation
            }
            Cause::Person { by, why } => {
                (own.by, own.why) = (by.clone(), why.clone());
                VersionCause::Person
            }
            Cause::NotNeeded => VersionCause::NotNeeded,
        };
        own.cause = cause.into();
        own
    }
}

/// An arrow; none where this version does not know its cause.
///
/// # Errors
/// What is wrong with the rest of it.
#[cfg(feature = "client")]
pub fn arrow(arrow: Arrow) -> Result<Option<version::Arrow>, InvalidMessage> {
    let cause = match VersionCause::try_from(arrow.cause) {
        Ok(VersionCause::Adopted) => Cause::Adopted,
        Ok(VersionCause::StateRecord) => Cause::StateRecord,
        Ok(VersionCause::Made) => Cause::Made,
        Ok(VersionCause::Rotation) => {
            Cause::Rotation(id("arrow.rotation", &arrow.rotation)?.as_uuid())
        }
        Ok(VersionCause::Person) => Cause::Person {
            by: arrow.by,
            why: arrow.why,
        },
        Ok(VersionCause::NotNeeded) => Cause::NotNeeded,
        Ok(VersionCause::Unspecified) | Err(_) => return Ok(None),
    };
    let to = version_state("arrow.to", arrow.to)?;
    Ok(Some(version::Arrow::new(to, arrow.at_ms, cause)))
}

impl From<&OpenDebt> for Debt {
    fn from(debt: &OpenDebt) -> Self {
        Self {
            worker: debt.worker.as_str().to_owned(),
            since_ms: debt.debt.since_ms,
        }
    }
}

#[cfg(feature = "client")]
impl TryFrom<Debt> for OpenDebt {
    type Error = InvalidMessage;

    fn try_from(of: Debt) -> Result<Self, InvalidMessage> {
        Ok(Self {
            worker: name("debt.worker", WorkerName::new(&of.worker))?,
            debt: debt::Debt::since(of.since_ms),
        })
    }
}
