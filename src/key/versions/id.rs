//! Ids of versions.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use uuid::{Builder, Uuid};

use crate::secret::visible::debug_with_code;

/// How many characters a `kid` has.
const KID_CHARACTERS: usize = 22;

/// Why a text is no id of a version, code `invalid_version_id`. It came from outside: refuse what it stood in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidVersionId {
    /// It is no UUID.
    #[error("the text is no id of a version; such an id is a UUID, as `versions` shows it")]
    Uuid,
    /// It is no `kid`.
    #[error(
        "the text is no kid of a version; such a kid has {KID_CHARACTERS} characters of base64url"
    )]
    Kid,
}

debug_with_code!(InvalidVersionId);

impl InvalidVersionId {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "invalid_version_id"
    }
}

/// The id of one version of a key: a random UUID (version 4), never used again.
///
/// It stands in ciphertexts and tokens, and says nothing about the value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(Uuid);

impl VersionId {
    /// The id of these 16 bytes, as data carries it.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// A new id of 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The UUID.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }

    /// The 16 bytes, as data carries them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id as a `kid`, which names the key in the head of a JSON web token: 22 characters of base64url.
    pub fn kid(&self) -> String {
        BASE64URL_NOPAD.encode(self.as_bytes())
    }

    /// The id that a `kid` stands for.
    ///
    /// # Errors
    /// [`InvalidVersionId::Kid`], code `invalid_version_id`.
    pub fn from_kid(kid: &str) -> Result<Self, InvalidVersionId> {
        // What comes from outside may be long, and is not copied.
        if kid.len() != KID_CHARACTERS {
            return Err(InvalidVersionId::Kid);
        }
        let bytes = BASE64URL_NOPAD.decode(kid.as_bytes());
        let bytes = bytes.map_err(|_| InvalidVersionId::Kid)?;
        let bytes: [u8; 16] = bytes.try_into().map_err(|_| InvalidVersionId::Kid)?;
        Ok(Self(Uuid::from_bytes(bytes)))
    }
}

impl FromStr for VersionId {
    type Err = InvalidVersionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uuid = text.parse().map_err(|_| InvalidVersionId::Uuid)?;
        Ok(Self(uuid))
    }
}

impl From<Uuid> for VersionId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<VersionId> for Uuid {
    fn from(id: VersionId) -> Self {
        id.0
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for VersionId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_a_uuid_of_version_4_whatever_the_random_bytes() {
        for bytes in [[0; 16], [0xff; 16], [7; 16]] {
            let id = VersionId::from_random(bytes);
            assert_eq!(id.as_uuid().get_version_num(), 4);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(format!("{id:?}"), id.to_string());
        }
        assert_eq!("no uuid".parse::<VersionId>(), Err(InvalidVersionId::Uuid));
    }

    #[test]
    fn a_kid_that_is_no_id_is_refused() {
        for text in [
            "",
            "AAAA",
            &"A".repeat(21),
            &"A".repeat(23),
            &"=".repeat(22),
            "é",
        ] {
            assert_eq!(
                VersionId::from_kid(text),
                Err(InvalidVersionId::Kid),
                "{text}"
            );
        }
        // The last character holds two bits only: another one would be another spelling of the same id.
        let odd = format!("{}B", "A".repeat(21));
        assert_eq!(VersionId::from_kid(&odd), Err(InvalidVersionId::Kid));
        assert_eq!(InvalidVersionId::Kid.code(), InvalidVersionId::Uuid.code());
    }

    proptest! {
        #[test]
        fn a_kid_has_22_characters_and_is_its_id(bytes: [u8; 16]) {
            let id = VersionId::from_random(bytes);
            prop_assert_eq!(id.kid().len(), KID_CHARACTERS);
            prop_assert!(id.kid().chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
            prop_assert_eq!(VersionId::from_kid(&id.kid()), Ok(id));
        }
    }
}
