//! Use cases and flows.

use std::fmt;

/// What a key is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum SecretKeyUseCase {
    /// One flow only, as in authentication: every request gets a fresh value, nothing is kept.
    OneWayTrip,
    /// Two flows, as in encryption and decryption: what the forward path took, the back path owes.
    RoundTrip,
}

impl SecretKeyUseCase {
    /// Another name of [`SecretKeyUseCase::OneWayTrip`].
    #[expect(
        non_upper_case_globals,
        reason = "an alias reads like the variant it stands for"
    )]
    pub const Authentication: Self = Self::OneWayTrip;
    /// Another name of [`SecretKeyUseCase::RoundTrip`].
    #[expect(
        non_upper_case_globals,
        reason = "an alias reads like the variant it stands for"
    )]
    pub const EncryptionDecryption: Self = Self::RoundTrip;
}

impl fmt::Display for SecretKeyUseCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneWayTrip => "one-way",
            Self::RoundTrip => "round-trip",
        })
    }
}

/// The path that a request takes through a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum SecretKeyFlow {
    /// The only flow of a one-way key.
    Default,
    /// The first flow of a round-trip key, encryption: always a fresh value.
    ForwardPath,
    /// The second flow of a round-trip key, decryption: the value that the forward path had.
    BackPath,
}

impl SecretKeyFlow {
    /// Another name of [`SecretKeyFlow::Default`].
    #[expect(
        non_upper_case_globals,
        reason = "an alias reads like the variant it stands for"
    )]
    pub const Authentication: Self = Self::Default;
    /// Another name of [`SecretKeyFlow::ForwardPath`].
    #[expect(
        non_upper_case_globals,
        reason = "an alias reads like the variant it stands for"
    )]
    pub const Encryption: Self = Self::ForwardPath;
    /// Another name of [`SecretKeyFlow::BackPath`].
    #[expect(
        non_upper_case_globals,
        reason = "an alias reads like the variant it stands for"
    )]
    pub const Decryption: Self = Self::BackPath;

    /// Whether a key of this use case has this flow.
    pub fn fits(self, use_case: SecretKeyUseCase) -> bool {
        match use_case {
            SecretKeyUseCase::OneWayTrip => self == Self::Default,
            SecretKeyUseCase::RoundTrip => self != Self::Default,
        }
    }
}

impl fmt::Display for SecretKeyFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "Default",
            Self::ForwardPath => "ForwardPath",
            Self::BackPath => "BackPath",
        })
    }
}
