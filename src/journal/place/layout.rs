//! The bytes of places: what a record lies under, and back.

use uuid::Uuid;

use crate::journal::place::{Part, Place};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::repo::space::Space;
use crate::rotation::id::RotationId;

/// Where the database's id lies, the one record that is not sealed.
pub(in crate::journal) const DATABASE: &[u8] = b"database";

const CHECK: &[u8] = b"check";
const BATCH: &[u8] = b"batch";
const SEQUENCE: &[u8] = b"sequence";

const MEMBER: u8 = 1;
const CALLBACK: u8 = 2;

const ENDED: u8 = 1;
const ORDER: u8 = 2;

const HEADER: u8 = 1;
const STEP: u8 = 2;
const KEYS: u8 = 3;
const SNAPSHOT: u8 = 4;

/// What a place among the rotations tells; no part where another version made it.
pub(in crate::journal) type RotationPlace = (RotationId, KeyName, Option<Part>);

impl Place {
    /// The key in the repo.
    pub(in crate::journal) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Check => CHECK.to_vec(),
            Self::Batch => BATCH.to_vec(),
            Self::Sequence => SEQUENCE.to_vec(),
            Self::State(key) | Self::Declared(key) => key.as_str().as_bytes().to_vec(),
            Self::Member(worker) => [&[MEMBER], named(worker.as_str()).as_slice()].concat(),
            Self::Callback(worker, key, callback) => {
                let of_worker = callbacks_of(worker);
                let (key, callback) = (named(key.as_str()), named(callback.as_str()));
                [of_worker, key, callback].concat()
            }
            Self::Living(id, key, part) => rotation_bytes(*id, key, *part),
            Self::Ended(id, key, part) => [vec![ENDED], rotation_bytes(*id, key, *part)].concat(),
        }
    }

    /// What lies at a key of a space, except among the rotations; none if this version puts
    /// nothing there.
    pub(in crate::journal) fn parse(space: Space, bytes: &[u8]) -> Option<Self> {
        match space {
            Space::Meta => [Self::Check, Self::Batch, Self::Sequence]
                .into_iter()
                .find(|place| place.bytes() == bytes),
            Space::States => key_name(bytes).map(Self::State),
            Space::Keys => key_name(bytes).map(Self::Declared),
            Space::Roster => parse_roster(bytes),
            Space::Rotations => {
                let (id, key, part) = parse_living(bytes)?;
                part.map(|part| Self::Living(id, key, part))
            }
            Space::History => {
                let (id, key, part) = parse_ended(bytes)?;
                part.map(|part| Self::Ended(id, key, part))
            }
            Space::Quarantine => None,
        }
    }
}

/// A name with its length before it.
fn named(text: &str) -> Vec<u8> {
    // Names have at most 255 bytes.
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    [&[length], text.as_bytes()].concat()
}

fn rotation_bytes(id: RotationId, key: &KeyName, part: Part) -> Vec<u8> {
    let mut bytes = [&living_prefix(id), named(key.as_str()).as_slice()].concat();
    match part {
        Part::Header => bytes.push(HEADER),
        Part::Step(no) => {
            bytes.push(STEP);
            bytes.extend_from_slice(&no.to_be_bytes());
        }
        Part::Keys(id) => {
            bytes.push(KEYS);
            bytes.extend_from_slice(&id.to_be_bytes());
        }
        Part::Snapshot => bytes.push(SNAPSHOT),
    }
    bytes
}

/// What the places of all records of a rotation that has not ended start with.
pub(in crate::journal) fn living_prefix(id: RotationId) -> Vec<u8> {
    id.as_uuid().as_bytes().to_vec()
}

/// What the places of all records of a rotation that has ended start with.
pub(in crate::journal) fn ended_prefix(id: RotationId) -> Vec<u8> {
    [vec![ENDED], living_prefix(id)].concat()
}

/// What the places of all callbacks of a worker start with.
pub(in crate::journal) fn callbacks_of(worker: &WorkerName) -> Vec<u8> {
    [vec![CALLBACK], named(worker.as_str())].concat()
}

/// What the places in the order of the history start with; the newest comes first.
pub(in crate::journal) const ORDER_PREFIX: &[u8] = &[ORDER];

/// The place of an ended rotation in the order of the history.
pub(in crate::journal) fn order_bytes(sequence: u64, id: RotationId, key: &KeyName) -> Vec<u8> {
    let mut bytes = vec![ORDER];
    bytes.extend_from_slice(&(!sequence).to_be_bytes());
    bytes.extend_from_slice(&living_prefix(id));
    bytes.extend_from_slice(key.as_str().as_bytes());
    bytes
}

/// Behind this place in the order of the history are the rotations of which the sequence numbers are
/// below this one; none where there can be none.
pub(in crate::journal) fn order_before(sequence: u64) -> Option<Vec<u8>> {
    let newest = sequence.checked_sub(1)?;
    Some([ORDER_PREFIX, &(!newest).to_be_bytes()].concat())
}

/// What a place in the order of the history tells.
pub(in crate::journal) fn parse_order(bytes: &[u8]) -> Option<(u64, RotationId, KeyName)> {
    let bytes = bytes.strip_prefix(ORDER_PREFIX)?;
    let (sequence, bytes) = bytes.split_first_chunk::<8>()?;
    let (id, key) = bytes.split_first_chunk::<16>()?;
    let id = RotationId::new(Uuid::from_bytes(*id));
    Some((!u64::from_be_bytes(*sequence), id, key_name(key)?))
}

/// What a place among the rotations that have not ended tells.
pub(in crate::journal) fn parse_living(bytes: &[u8]) -> Option<RotationPlace> {
    let (id, bytes) = bytes.split_first_chunk::<16>()?;
    let (key, part) = split_name(bytes)?;
    let key = KeyName::new(key).ok()?;
    Some((
        RotationId::new(Uuid::from_bytes(*id)),
        key,
        parse_part(part),
    ))
}

/// What a place among the records of rotations that have ended tells.
pub(in crate::journal) fn parse_ended(bytes: &[u8]) -> Option<RotationPlace> {
    parse_living(bytes.strip_prefix(&[ENDED])?)
}

fn parse_part(bytes: &[u8]) -> Option<Part> {
    match bytes.split_first()? {
        (&HEADER, []) => Some(Part::Header),
        (&STEP, no) => no.try_into().ok().map(u32::from_be_bytes).map(Part::Step),
        (&KEYS, id) => id.try_into().ok().map(u128::from_be_bytes).map(Part::Keys),
        (&SNAPSHOT, []) => Some(Part::Snapshot),
        _ => None,
    }
}

fn parse_roster(bytes: &[u8]) -> Option<Place> {
    let (tag, bytes) = bytes.split_first()?;
    let (worker, rest) = split_name(bytes)?;
    let worker = WorkerName::new(worker).ok()?;
    match (*tag, rest) {
        (MEMBER, []) => Some(Place::Member(worker)),
        (CALLBACK, rest) => {
            let (key, rest) = split_name(rest)?;
            let (callback, []) = split_name(rest)? else {
                return None;
            };
            let (key, callback) = (KeyName::new(key).ok()?, CallbackName::new(callback).ok()?);
            Some(Place::Callback(worker, key, callback))
        }
        _ => None,
    }
}

fn split_name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, bytes) = bytes.split_first()?;
    let (name, rest) = bytes.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

fn key_name(bytes: &[u8]) -> Option<KeyName> {
    KeyName::new(std::str::from_utf8(bytes).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn places() -> Vec<Place> {
        let key = |text: &str| KeyName::new(text).unwrap();
        let worker = |text: &str| WorkerName::new(text).unwrap();
        let callback = |text: &str| CallbackName::new(text).unwrap();
        let id = |n| RotationId::new(Uuid::from_u128(n));
        let mut places = vec![
            Place::Check,
            Place::Batch,
            Place::Sequence,
            Place::State(key("a")),
            Place::Declared(key("a")),
            Place::Member(worker("a")),
            Place::Callback(worker("a"), key("b"), callback("cd")),
            Place::Callback(worker("a"), key("bc"), callback("d")),
            Place::Callback(worker("ab"), key("c"), callback("d")),
        ];
        for (n, name) in [(1, "a"), (1, "é"), (2, "a")] {
            for part in [Part::Header, Part::Step(0), Part::Step(1), Part::Keys(1)] {
                places.push(Place::Living(id(n), key(name), part));
            }
            for part in [Part::Header, Part::Step(0), Part::Step(1)] {
                places.push(Place::Ended(id(n), key(name), part));
            }
            places.push(Place::Living(id(n), key(name), Part::Snapshot));
        }
        places
    }

    #[test]
    fn a_place_is_found_again_in_its_bytes() {
        for place in places() {
            assert_eq!(Place::parse(place.space(), &place.bytes()), Some(place));
        }
    }

    #[test]
    fn no_two_places_share_their_bytes_or_their_associated_data() {
        let places = places();
        let bytes: HashSet<_> = places.iter().map(|p| (p.space(), p.bytes())).collect();
        let bound: HashSet<_> = places.iter().map(|p| p.associated(&[0; 16], 1)).collect();
        assert_eq!((bytes.len(), bound.len()), (places.len(), places.len()));
        for place in places {
            let one = place.associated(&[0; 16], 1);
            assert_ne!(one, place.associated(&[1; 16], 1));
            assert_ne!(one, place.associated(&[0; 16], 2));
        }
    }

    #[test]
    fn a_part_of_another_version_still_tells_its_rotation() {
        let place = places().pop().unwrap();
        let bytes = [place.bytes(), vec![9]].concat();
        let Place::Living(id, key, _) = place else {
            panic!("the last place is a living rotation's");
        };
        assert_eq!(parse_living(&bytes), Some((id, key, None)));
    }

    #[test]
    fn the_order_of_the_history_is_newest_first() {
        let key = KeyName::new("k").unwrap();
        let id = RotationId::new(Uuid::from_u128(7));
        let places: Vec<_> = [u64::MAX, 300, 2, 1, 0]
            .map(|n| order_bytes(n, id, &key))
            .into();
        assert!(places.is_sorted());
        assert_eq!(parse_order(&places[1]), Some((300, id, key)));
    }

    #[test]
    fn the_associated_data_has_not_changed() {
        let id = RotationId::new(Uuid::from_u128(5));
        let place = Place::Living(id, KeyName::new("key").unwrap(), Part::Step(3));
        let mut expected = Vec::new();
        let parts: [&[u8]; 9] = [
            &[9; 16],
            b"step",
            &[1],
            b"key",
            &5_u128.to_be_bytes(),
            &[0, 0, 0, 3],
            b"",
            b"",
            b"",
        ];
        for part in parts {
            expected.extend([part.len() as u8, 0, 0, 0, 0, 0, 0, 0]);
            expected.extend(part);
        }
        assert_eq!(place.associated(&[9; 16], 1), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_place_or_none(bytes: Vec<u8>) {
            for space in Space::ALL {
                if let Some(place) = Place::parse(space, &bytes) {
                    prop_assert_eq!(place.bytes(), bytes.clone());
                }
            }
            let _ = parse_order(&bytes);
        }
    }
}
