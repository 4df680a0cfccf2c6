//! The state of a version, and its one transition table.

use std::fmt;

/// What may be done with a version. Which of the active ones is current stands in the key's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum VersionState {
    /// A rotation brings it: it may be read, and nothing is under it yet.
    Pending,
    /// It is the current one, or was until a rotation turned that has not ended.
    Active,
    /// Nothing is written with it, and it is read.
    Deactivated,
    /// It is not read any more, and its value is still there.
    Withdrawn,
    /// Its value is gone; id, number, times and fingerprint stay.
    Destroyed,
}

/// What can happen to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    not(feature = "testing"),
    allow(dead_code, reason = "nothing withdraws or destroys a version yet")
)]
pub enum VersionEvent {
    /// Its rotation has turned.
    Turn,
    /// A rotation has ended, and it is not the current one.
    Deactivate,
    /// Nothing needs it any more.
    Withdraw,
    /// An operator takes the withdrawal back.
    TakeBack,
    /// It goes for good.
    Destroy,
}

impl VersionEvent {
    /// Every one.
    #[cfg(any(test, feature = "testing"))]
    pub const ALL: [Self; 5] = [
        Self::Turn,
        Self::Deactivate,
        Self::Withdraw,
        Self::TakeBack,
        Self::Destroy,
    ];

    /// The state that it leads to; none where it cannot happen. An undo of a pending version leaves no
    /// version, and so no state.
    pub fn apply_to(self, state: VersionState) -> Option<VersionState> {
        use VersionState::{Active, Deactivated, Destroyed, Pending, Withdrawn};
        match (self, state) {
            (Self::Turn, Pending) => Some(Active),
            (Self::Deactivate, Active) => Some(Deactivated),
            (Self::Withdraw, Deactivated) => Some(Withdrawn),
            (Self::TakeBack, Withdrawn) => Some(Deactivated),
            (Self::Destroy, Withdrawn) => Some(Destroyed),
            (Self::Turn, Active | Deactivated | Withdrawn | Destroyed)
            | (Self::Deactivate, Pending | Deactivated | Withdrawn | Destroyed)
            | (Self::Withdraw, Pending | Active | Withdrawn | Destroyed)
            | (Self::TakeBack, Pending | Active | Deactivated | Destroyed)
            | (Self::Destroy, Pending | Active | Deactivated | Destroyed) => None,
        }
    }
}

impl VersionState {
    /// Whether data under it may be read.
    pub fn is_readable(self) -> bool {
        match self {
            Self::Pending | Self::Active | Self::Deactivated => true,
            Self::Withdrawn | Self::Destroyed => false,
        }
    }
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Withdrawn => "withdrawn",
            Self::Destroyed => "destroyed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_follows_the_arrows_and_no_others() {
        use VersionEvent::{Deactivate, Destroy, TakeBack, Turn, Withdraw};
        use VersionState::{Active, Deactivated, Destroyed, Pending, Withdrawn};
        let arrows = [
            (Turn, Pending, Active),
            (Deactivate, Active, Deactivated),
            (Withdraw, Deactivated, Withdrawn),
            (TakeBack, Withdrawn, Deactivated),
            (Destroy, Withdrawn, Destroyed),
        ];
        for event in VersionEvent::ALL {
            for from in [Pending, Active, Deactivated, Withdrawn, Destroyed] {
                let arrow = arrows
                    .iter()
                    .find(|(of, at, _)| (*of, *at) == (event, from));
                assert_eq!(event.apply_to(from), arrow.map(|(.., to)| *to));
            }
        }
    }
}
