//! Why a call of the keeper failed: what it answered, or that it did not.

use std::error::Error;
use std::fmt::Display;

use tonic::{Code, Status};

use crate::client::session::ClientSession;
use crate::key::keeper_error::KeeperError;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::wire::generated::Refusal;
use crate::wire::invalid;

impl ClientSession {
    /// What a status says.
    pub(super) fn failure(&self, status: &Status) -> KeeperError {
        if let Some(told) = Refusal::of_status(status) {
            return told.into();
        }
        let mut source = status.source();
        while let Some(error) = source {
            if let Some(own) = error.downcast_ref::<KeeperError>() {
                return own.clone();
            }
            source = error.source();
        }
        let place = self.connector.place().display();
        match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => KeeperError::new(
                "message_too_large",
                false,
                format!(
                    "the keeper at {place}: a message is too large: {}",
                    status.message()
                ),
            ),
            Code::Unimplemented => KeeperError::new(
                "invalid_answer",
                false,
                format!(
                    "the keeper at {place} does not know this call; use versions of keyward that fit"
                ),
            ),
            _ => self.ended(),
        }
    }

    /// An answer that is not what it should be.
    pub(super) fn not_understood(&self, why: impl Display) -> KeeperError {
        let place = self.connector.place().display();
        let text = format!(
            "the keeper at {place}: its answer is not understood: {why}; use versions of keyward that fit"
        );
        KeeperError::new("invalid_answer", false, text)
    }

    /// The id of a rotation that the keeper answered.
    pub(super) fn id(&self, id: &str) -> Result<RotationId, RotationError> {
        let id = invalid::id("id", id);
        id.map_err(|why| self.not_understood(why).into())
    }
}
