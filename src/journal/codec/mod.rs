//! How records look in bytes, before they are sealed: serde and bincode are used here and nowhere
//! else. The frozen types of each schema stand beside the functions that encode and decode them;
//! none of them is a type of another room, so that a change there cannot change the format.
//!
//! Any bytes are a record or an error here: nothing panics, and no claimed length is believed
//! before that many bytes are there. Buffers of plain records are zeroized and never grow.
//!
//! Never in here: where records lie, how they are sealed, a repo.

pub(super) mod acts;
pub(super) mod instance;
pub(super) mod keys;
pub(super) mod meta;
pub(super) mod roster;
pub(super) mod rotation;
pub(super) mod versions;

#[cfg(test)]
mod earlier;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;

use std::fmt;
use std::marker::PhantomData;

use bincode::config::{self, Config};
use bincode::enc::write::SizeWriter;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::journal::kind::Kind;
use crate::journal::place::{Of, Place};

/// The largest record, in bytes before it is sealed: a pair of the largest values, twice over.
pub(super) const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// A record before it is sealed.
pub(super) type Plain = Zeroizing<Vec<u8>>;

/// A record. Each kind's file has its frozen types, and `impl Record` for what they are read to.
pub(super) trait Record: Sized {
    /// What it is, and where it lies.
    const KIND: Kind;

    /// Where one lies.
    fn place(of: Of) -> Place {
        let kind = Self::KIND;
        Place { kind, of }
    }

    /// Its bytes in the schema that this version writes.
    fn encode(&self) -> Result<Plain, TooLarge>;

    /// Reads bytes of the schema of this number, this version's or an earlier one.
    fn decode(place: &Place, schema: u8, plain: &[u8]) -> Result<Self, Malformed>;
}

/// A record that is larger than [`MAX_RECORD_BYTES`], or that bincode refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) bytes: usize,
}

/// Why the content of a record that opened is none. No content is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The bytes are not those of such a record.
    Bytes,
    /// No decoder reads this schema number.
    Schema(u8),
    /// A name in it cannot be one.
    Name,
    /// A key value in it cannot be one.
    Value,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema(number) => return write!(f, "no decoder reads schema number {number}"),
            Self::Bytes => "its content is not that of such a record",
            Self::Name => "it holds a name that cannot be one",
            Self::Value => "it holds a key value that cannot be one",
        })
    }
}

/// The frozen form of an enum without data, and both ways: a variant's number is its place in the list.
macro_rules! frozen {
    ($frozen:ident of $type:ident { $($variant:ident),+ }) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) enum $frozen { $($variant),+ }

        impl From<$type> for $frozen {
            fn from(of: $type) -> Self {
                match of { $($type::$variant => Self::$variant),+ }
            }
        }

        impl From<$frozen> for $type {
            fn from(frozen: $frozen) -> Self {
                match frozen { $($frozen::$variant => Self::$variant),+ }
            }
        }
    };
}
use frozen;

fn format() -> impl Config {
    config::standard().with_limit::<MAX_RECORD_BYTES>()
}

/// Encodes into a buffer of exactly the size that it takes, which is found out first.
fn encode(frozen: &impl Serialize) -> Result<Plain, TooLarge> {
    let mut size = SizeWriter::default();
    bincode::serde::encode_into_writer(frozen, &mut size, format())
        .map_err(|_| TooLarge { bytes: usize::MAX })?;
    let bytes = size.bytes_written;
    if bytes > MAX_RECORD_BYTES {
        return Err(TooLarge { bytes });
    }
    let mut plain = Zeroizing::new(vec![0; bytes]);
    bincode::serde::encode_into_slice(frozen, &mut plain, format())
        .map_err(|_| TooLarge { bytes })?;
    Ok(plain)
}

/// Decodes all of the bytes, borrowing texts and values from them.
fn decode<'a, T: Deserialize<'a>>(plain: &'a [u8]) -> Result<T, Malformed> {
    if plain.len() > MAX_RECORD_BYTES {
        return Err(Malformed::Bytes);
    }
    match bincode::serde::borrow_decode_from_slice(plain, format()) {
        Ok((frozen, read)) if read == plain.len() => Ok(frozen),
        Ok(_) | Err(_) => Err(Malformed::Bytes),
    }
}

/// Decodes a record of the first schema; one of another number is refused.
fn decode_first<'a, T: Deserialize<'a>>(schema: u8, plain: &'a [u8]) -> Result<T, Malformed> {
    match schema {
        1 => decode(plain),
        other => Err(Malformed::Schema(other)),
    }
}

/// Reads a list. serde itself makes room for up to a mebibyte of what a length claims.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(one) = from.next_element()? {
                list.push(one);
            }
            Ok(list)
        }
    }

    from.deserialize_seq(List(PhantomData))
}

/// Bytes as they are, borrowed: a length and the bytes.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;

        impl<'de> Visitor<'de> for Borrowed {
            type Value = &'de [u8];

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<&'de [u8], E> {
                Ok(bytes)
            }
        }

        deserializer.deserialize_bytes(Borrowed).map(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::codec::meta::SequenceRecord;
    use crate::journal::codec::samples::{decode_at, every_place};
    use crate::journal::records;
    use crate::secret::value::{MAX_VALUE_BYTES, SecretKeyPair, SecretKeyValue};
    use proptest::prelude::*;

    fn decode_as_everything(plain: &[u8]) {
        for place in every_place() {
            for schema in 0..=4 {
                let _ = records::check(&place, schema, plain);
            }
        }
    }

    #[test]
    fn every_decoder_is_given_the_schema_number_and_refuses_one_that_it_does_not_know() {
        for place in every_place() {
            for schema in [0, place.kind.schema + 1, u8::MAX] {
                let refused = records::check(&place, schema, b"");
                assert_eq!(refused, Err(Malformed::Schema(schema)), "{place}");
                let text = format!("no decoder reads schema number {schema}");
                assert_eq!(Malformed::Schema(schema).to_string(), text);
            }
            for schema in 1..=place.kind.schema {
                assert_eq!(records::check(&place, schema, b""), Err(Malformed::Bytes));
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(plain: Vec<u8>) {
            decode_as_everything(&plain);
        }

        #[test]
        fn every_golden_record_with_any_bytes_changed_decodes_or_is_refused(
            which: prop::sample::Index,
            at: prop::sample::Index,
            byte: u8,
            cut: prop::sample::Index,
        ) {
            let all = samples::all();
            let mut plain = which.get(&all).1.clone();
            let at = at.index(plain.len());
            plain[at] = byte;
            decode_as_everything(&plain);
            decode_as_everything(&plain[..cut.index(plain.len())]);
        }
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        for claimed in [250_u64, 70_000, 1 << 22, 1 << 33, u64::MAX] {
            let mut plain = vec![253];
            plain.extend(claimed.to_le_bytes());
            decode_as_everything(&plain);
            decode_as_everything(&[&[1], plain.as_slice()].concat());
            assert_eq!(decode_at::<SecretKeyPair>(&plain), Err(Malformed::Bytes));
        }
    }

    #[test]
    fn the_largest_pair_fits_and_its_buffer_was_not_grown() {
        let value = SecretKeyValue::new(vec![7; MAX_VALUE_BYTES]);
        let pair = SecretKeyPair::new(value.clone(), value);
        let plain = pair.encode().unwrap();
        assert_eq!(plain.capacity(), plain.len());
        assert_eq!(decode_at(&plain), Ok(pair));
    }

    #[test]
    fn a_record_beyond_the_bound_is_refused_before_it_is_written() {
        let value = SecretKeyValue::new(vec![7; 3 * MAX_VALUE_BYTES]);
        let refused = SecretKeyPair::new(value.clone(), value).encode();
        assert!(matches!(refused, Err(TooLarge { bytes }) if bytes > MAX_RECORD_BYTES));
    }

    #[test]
    fn what_follows_a_record_makes_it_malformed() {
        let mut plain = SequenceRecord { next: 7 }.encode().unwrap().to_vec();
        plain.push(0);
        assert_eq!(decode_at::<SequenceRecord>(&plain), Err(Malformed::Bytes));
    }
}
