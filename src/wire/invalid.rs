//! Why a message is refused, and what every translation asks of a field.

use crate::key::name::InvalidName;
use crate::rotation::id::RotationId;
use crate::secret::visible::{Visible, debug_with_code};

/// Why a message is refused. It quotes no value of a key.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message is refused: its field `{field}` {why}")]
#[allow(unnameable_types, reason = "programs see the error that is made of it")]
pub struct InvalidMessage {
    /// Which field, as `keyward.proto` names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
}

debug_with_code!(InvalidMessage);

impl InvalidMessage {
    /// This field, for this reason.
    pub fn new(field: &'static str, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { field, why }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "invalid_message"
    }
}

/// A field that has to be there.
pub fn needed<T>(field: &'static str, value: Option<T>) -> Result<T, InvalidMessage> {
    value.ok_or_else(|| InvalidMessage::new(field, "is missing"))
}

/// A value of an enumeration that is known here, and not the unspecified one, which `is_said` tells.
pub fn enumerated<E: TryFrom<i32>>(field: &'static str, number: i32) -> Result<E, InvalidMessage> {
    let unknown = |_| {
        let why = format!("has the value {number}, which this version does not know");
        InvalidMessage::new(field, why)
    };
    E::try_from(number).map_err(unknown)
}

/// What an enumeration does not say.
pub fn unspecified(field: &'static str) -> InvalidMessage {
    InvalidMessage::new(field, "is not specified")
}

/// The id of a rotation.
pub fn id(field: &'static str, text: &str) -> Result<RotationId, InvalidMessage> {
    let refused = |error| InvalidMessage::new(field, format!("is no UUID: {}", Visible(error)));
    text.parse().map_err(refused)
}

/// A name.
pub fn name<N>(field: &'static str, name: Result<N, InvalidName>) -> Result<N, InvalidMessage> {
    name.map_err(|error| InvalidMessage::new(field, format!("is no name: {error}")))
}
