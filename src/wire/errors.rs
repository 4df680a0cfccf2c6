//! Errors: what the keeper answers, and what a client makes of it.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::key::error::KeyError;
use crate::key::keeper_error::KeeperError;
use crate::rotation::error::RotationError;
use crate::secret::visible::Visible;
use crate::wire::generated::Refusal;
use crate::wire::invalid::InvalidMessage;

/// The domain of every error of keyward.
const DOMAIN: &str = "keyward";

/// In an error's metadata: whether the same may succeed later.
const RETRIABLE: &str = "retriable";

/// The longest text, in bytes: it travels twice in headers, and other libraries take 8 KiB of these.
pub const MAX_TEXT_BYTES: usize = 2 * 1024;

/// Stands at the end of a text that was longer.
const CUT: &str = "… (cut)";

impl Refusal {
    /// An error of this code and text.
    pub fn new(code: &str, retriable: bool, text: String) -> Self {
        Self {
            code: code.to_owned(),
            text: shortened(text),
            retriable,
        }
    }

    /// What a status of the keeper says; none of a status that did not come from it: a connection that
    /// ended, for example.
    pub fn of_status(status: &Status) -> Option<Self> {
        let info = status.get_details_error_info()?;
        let retriable = info.metadata.get(RETRIABLE).is_some_and(|is| is == "true");
        (info.domain == DOMAIN).then(|| Self {
            code: info.reason,
            text: status.message().to_owned(),
            retriable,
        })
    }
}

impl From<&KeyError> for Refusal {
    fn from(error: &KeyError) -> Self {
        Self::new(error.code(), error.is_retriable(), error.to_string())
    }
}

impl From<&RotationError> for Refusal {
    fn from(error: &RotationError) -> Self {
        Self::new(error.code(), error.is_retriable(), error.to_string())
    }
}

impl From<&InvalidMessage> for Refusal {
    fn from(error: &InvalidMessage) -> Self {
        Self::new(error.code(), false, error.to_string())
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let retriable = refusal.retriable.to_string();
        let metadata = HashMap::from([(RETRIABLE.to_owned(), retriable)]);
        let code = grpc_code(&refusal);
        let details = ErrorDetails::with_error_info(refusal.code, DOMAIN, metadata);
        Self::with_error_details(code, refusal.text, details)
    }
}

impl From<Refusal> for KeeperError {
    fn from(refusal: Refusal) -> Self {
        let code = Visible(refusal.code.as_str()).to_string();
        let text = Visible(refusal.text.as_str()).to_string();
        Self::told(&code, refusal.retriable, text)
    }
}

/// What libraries that do not know keyward see of an error.
fn grpc_code(refusal: &Refusal) -> Code {
    if refusal.retriable {
        return Code::Unavailable;
    }
    match refusal.code.as_str() {
        "permission_denied" => Code::PermissionDenied,
        "key_not_defined" | "unknown_rotation" | "unknown_worker" | "unknown_callback"
        | "unknown_actor" | "unknown_call" | "unknown_instance" => Code::NotFound,
        "worker_name_taken" | "callback_taken" | "other_declaration" => Code::AlreadyExists,
        "invalid_name" | "invalid_key" | "invalid_flow" | "invalid_message" | "same_keys" => {
            Code::InvalidArgument
        }
        "too_many_callbacks" => Code::ResourceExhausted,
        _ => Code::FailedPrecondition,
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES - CUT.len()));
        text.push_str(CUT);
    }
    text
}
