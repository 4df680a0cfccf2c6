//! What a grant gives.

use std::fmt;
use std::str::FromStr;

use crate::server::grants::error::InvalidGrant;

/// What a grant gives on the keys that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Right {
    /// Gets on flow Default or ForwardPath, and `save_state`.
    Forward,
    /// Gets on flow BackPath, and candidates. A get without a flow, and a look, need Forward and Back.
    Back,
    /// Joining as one of the workers that the grant names and registering callbacks: and so the values
    /// of the rotations of those keys.
    Work,
    /// Declaring a change, and waiting for its end.
    Declare,
    /// The operator's calls. What touches several keys needs it on `*`.
    Operate,
    /// Recovering the keys of a rotation that has not ended.
    Recover,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Forward,
        Self::Back,
        Self::Work,
        Self::Declare,
        Self::Operate,
        Self::Recover,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Back => "back",
            Self::Work => "work",
            Self::Declare => "declare",
            Self::Operate => "operate",
            Self::Recover => "recover",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Right {
    type Err = InvalidGrant;

    fn from_str(name: &str) -> Result<Self, InvalidGrant> {
        let right = Self::ALL.into_iter().find(|right| right.name() == name);
        right.ok_or_else(|| InvalidGrant::UnknownRight {
            right: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_is_read_as_it_is_shown() {
        for right in Right::ALL {
            assert_eq!(right.to_string().parse(), Ok(right));
        }
        let unknown: Result<Right, _> = "forwards".parse();
        assert_eq!(unknown.unwrap_err().code(), "unknown_right");
    }
}
