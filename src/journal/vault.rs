//! Sealing and opening records in their place.
//!
//! A stored record is its schema number, in plain so that a newer one can be told, and the sealed
//! bytes. The seal binds them to the database, the kind, the schema number and the place.

use std::sync::Arc;

use crate::crypto::crypto_tool::CryptoTool;
use crate::crypto::error::CryptoError;
use crate::journal::codec::{MAX_RECORD_BYTES, Plain, Record, TooLarge};
use crate::journal::error::JournalError;
use crate::journal::place::Place;
use crate::journal::records;
use crate::operator::status::UnreadableRecord;

/// More than any sealed record takes: what is larger is not given to the crypto tool.
const MAX_STORED_BYTES: usize = 2 * MAX_RECORD_BYTES;

/// Why a record could not be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The sealed bytes do not open in this place with this master key.
    DoesNotOpen(CryptoError),
    /// The record is none that this version reads.
    Unreadable(String),
    /// The crypto tool is, which says nothing about the record.
    Tool(CryptoError),
}

impl Unread {
    /// As an error of a call that needed the record.
    pub(super) fn needed(self, place: &Place) -> JournalError {
        match self.why() {
            Ok(why) => JournalError::Unreadable {
                space: place.space(),
                place: place.to_string(),
                why,
            },
            Err(cause) => JournalError::Crypto {
                place: place.to_string(),
                cause,
            },
        }
    }

    /// What is wrong with the record; the tool's error where that is not known.
    pub(super) fn why(self) -> Result<String, CryptoError> {
        match self {
            Self::DoesNotOpen(cause) => Ok(cause.to_string()),
            Self::Unreadable(why) => Ok(why),
            Self::Tool(cause) => Err(cause),
        }
    }

    /// As an entry in the list of what cannot be read.
    pub(super) fn listed(self, place: &Place) -> Result<UnreadableRecord, JournalError> {
        match self.why() {
            Ok(why) => Ok(UnreadableRecord {
                space: place.space(),
                place: place.to_string(),
                why,
            }),
            Err(cause) => Err(Self::Tool(cause).needed(place)),
        }
    }
}

/// The crypto tool and what it seals for: one database.
pub(super) struct Vault {
    crypto: Arc<dyn CryptoTool>,
    database: [u8; 16],
}

impl Vault {
    pub(super) fn new(crypto: Arc<dyn CryptoTool>, database: [u8; 16]) -> Self {
        Self { crypto, database }
    }

    pub(super) fn seal(
        &self,
        place: &Place,
        plain: Result<Plain, TooLarge>,
    ) -> Result<Vec<u8>, JournalError> {
        let plain = plain.map_err(|TooLarge { bytes }| JournalError::TooLarge {
            place: place.to_string(),
            bytes,
            most: MAX_RECORD_BYTES,
        })?;
        let schema = place.kind.schema;
        let associated = place.associated(&self.database, schema);
        let sealed = self
            .crypto
            .seal(&plain, &associated)
            .map_err(|cause| Unread::Tool(cause).needed(place))?;
        Ok([&[schema], sealed.as_slice()].concat())
    }

    /// The schema number of a record, and its bytes.
    fn open(&self, place: &Place, stored: &[u8]) -> Result<(u8, Plain), Unread> {
        let unreadable = |why: String| Err(Unread::Unreadable(why));
        let (kind, known) = (place.kind.name, place.kind.schema);
        let Some((&schema, sealed)) = stored.split_first() else {
            return unreadable("it is empty".to_owned());
        };
        if schema > known {
            return unreadable(format!(
                "its schema number is {schema} and this keyward knows `{kind}` up to {known}: it \
                 was changed, or a newer keyward wrote it"
            ));
        }
        if schema == 0 {
            return unreadable("its schema number is 0, which is none: it was changed".to_owned());
        }
        if sealed.len() > MAX_STORED_BYTES {
            return unreadable(format!("it has {} bytes, too many", sealed.len()));
        }
        let associated = place.associated(&self.database, schema);
        match self.crypto.open(sealed, &associated) {
            Ok(plain) => Ok((schema, plain)),
            Err(cause @ CryptoError::DoesNotOpen) => Err(Unread::DoesNotOpen(cause)),
            Err(cause) => Err(Unread::Tool(cause)),
        }
    }

    /// Opens a record and decodes it.
    pub(super) fn read<R: Record>(&self, place: &Place, stored: &[u8]) -> Result<R, Unread> {
        let (schema, plain) = self.open(place, stored)?;
        R::decode(place, schema, &plain).map_err(|why| Unread::Unreadable(why.to_string()))
    }

    /// Whether a record can be read, whatever it is.
    pub(super) fn check(&self, place: &Place, stored: &[u8]) -> Result<(), Unread> {
        let (schema, plain) = self.open(place, stored)?;
        records::check(place, schema, &plain).map_err(|why| Unread::Unreadable(why.to_string()))
    }
}
