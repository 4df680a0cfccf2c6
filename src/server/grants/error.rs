//! What a grant cannot be.

use std::io;

use crate::secret::visible::{Visible, debug_with_code};

/// Why a grant cannot be made. The fault of the program or configuration that has it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum InvalidGrant {
    /// The system knows no such user.
    #[error("there is no user `{}` on this system; name one by its name or number", Visible(.user))]
    UnknownUser {
        /// What was given.
        user: String,
    },
    /// The system knows no such group.
    #[error("there is no group `{}` on this system; name one by its name or number", Visible(.group))]
    UnknownGroup {
        /// What was given.
        group: String,
    },
    /// The system's users cannot be asked now.
    #[error("the users and groups of the system cannot be asked: {cause}; name `{}` by its number", Visible(.name))]
    Unavailable {
        /// Which user or group was asked for.
        name: String,
        /// What the system said.
        cause: io::Error,
    },
    /// No name can match the pattern: it is empty, too long, or has control characters.
    #[error("`{}` matches no name: {why}", Visible(.pattern))]
    InvalidPattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no such right.
    #[error("there is no right `{}`; there are forward, back, work, declare, operate, recover", Visible(.right))]
    UnknownRight {
        /// What was given.
        right: String,
    },
}

debug_with_code!(InvalidGrant);

impl PartialEq for InvalidGrant {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code() && self.to_string() == other.to_string()
    }
}

impl InvalidGrant {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownUser { .. } => "unknown_user",
            Self::UnknownGroup { .. } => "unknown_group",
            Self::Unavailable { .. } => "users_unavailable",
            Self::InvalidPattern { .. } => "invalid_pattern",
            Self::UnknownRight { .. } => "unknown_right",
        }
    }
}
