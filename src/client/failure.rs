//! Why a call of the keeper failed: what it answered, or that it did not.

use std::error::Error;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::client::session::Session;
use crate::key::keeper_error::KeeperError;

/// The domain of the errors that keyward answers.
const DOMAIN: &str = "keyward";

impl Session {
    /// What a status says.
    pub(super) fn failure(&self, status: &Status) -> KeeperError {
        if let Some(told) = told(status) {
            return told;
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

    /// An answer of which something is missing, or not understood.
    pub(super) fn not_understood(&self, what: &str) -> KeeperError {
        let place = self.connector.place().display();
        let text = format!(
            "the keeper at {place}: its answer is not understood ({what}); use versions of keyward that fit"
        );
        KeeperError::new("invalid_answer", false, text)
    }
}

/// The error that the keeper told.
fn told(status: &Status) -> Option<KeeperError> {
    let info = status.get_details_error_info()?;
    (info.domain == DOMAIN).then(|| {
        let retriable = info
            .metadata
            .get("retriable")
            .is_some_and(|is| is == "true");
        KeeperError::told(&info.reason, retriable, status.message().to_owned())
    })
}
