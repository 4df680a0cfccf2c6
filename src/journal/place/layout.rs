//! The bytes of places: what a record lies under, and back.

use uuid::Uuid;

use crate::journal::kind::{Kind, Shape};
use crate::journal::place::{Number, Of, OfVersions, Place};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::versions::id::VersionId;
use crate::repo::space::Space;
use crate::rotation::id::RotationId;

/// Where the database's id lies, the one record that is not sealed.
pub(in super::super) const DATABASE: &[u8] = b"database";

/// The byte of callbacks: those of one worker lie together.
pub(in super::super) const CALLBACK: u8 = 2;

/// The byte of instances: those of one worker lie together.
pub(in super::super) const INSTANCE: u8 = 3;

const ENDED: u8 = 1;
const ORDER: u8 = 2;

impl Place {
    /// The key in the repo.
    pub(in super::super) fn bytes(&self) -> Vec<u8> {
        let Kind { name, tag, .. } = self.kind;
        match &self.of {
            Of::Database => name.as_bytes().to_vec(),
            Of::Key(key) => key.as_str().as_bytes().to_vec(),
            Of::Worker(worker) => [vec![tag], named(worker.as_str())].concat(),
            Of::Callback(worker, key, callback) => {
                let (key, callback) = (named(key.as_str()), named(callback.as_str()));
                [vec![tag], named(worker.as_str()), key, callback].concat()
            }
            Of::Instance(worker, number) => {
                let number = number.to_be_bytes().to_vec();
                [vec![tag], named(worker.as_str()), number].concat()
            }
            Of::Rotation(id, key, number) => {
                let of_rotation = match self.space() {
                    Space::History => ended_prefix(*id),
                    _ => living_prefix(*id),
                };
                let number = match number {
                    Number::None => vec![],
                    Number::Step(no) => no.to_be_bytes().to_vec(),
                    Number::Keys(id) => id.to_be_bytes().to_vec(),
                };
                [of_rotation, named(key.as_str()), vec![tag], number].concat()
            }
            Of::Versions(key, of) => {
                let of = match of {
                    OfVersions::Current => vec![],
                    OfVersions::Version(id) => id.as_bytes().to_vec(),
                    OfVersions::Debt(id, worker) => {
                        [id.as_bytes().to_vec(), named(worker.as_str())].concat()
                    }
                };
                [versions_of(key), vec![tag], of].concat()
            }
        }
    }
}

/// Which record of this kind lies at a key of the kind's space; none if that is no place of this kind.
pub(in super::super) fn parse(kind: Kind, bytes: &[u8]) -> Option<Of> {
    match kind.shape {
        Shape::One => (bytes == kind.name.as_bytes()).then_some(Of::Database),
        Shape::Key => key_name(bytes).map(Of::Key),
        Shape::Worker => match split_name(bytes.strip_prefix(&[kind.tag])?)? {
            (worker, []) => WorkerName::new(worker).ok().map(Of::Worker),
            _ => None,
        },
        Shape::Callback => {
            let (worker, rest) = split_name(bytes.strip_prefix(&[kind.tag])?)?;
            let (key, rest) = split_name(rest)?;
            let (callback, []) = split_name(rest)? else {
                return None;
            };
            let (worker, key) = (WorkerName::new(worker).ok()?, KeyName::new(key).ok()?);
            Some(Of::Callback(worker, key, CallbackName::new(callback).ok()?))
        }
        Shape::Instance => {
            let (worker, number) = split_name(bytes.strip_prefix(&[kind.tag])?)?;
            let number = u64::from_be_bytes(number.try_into().ok()?);
            Some(Of::Instance(WorkerName::new(worker).ok()?, number))
        }
        Shape::Versions | Shape::Version | Shape::Debt => {
            let (key, rest) = split_name(bytes)?;
            let rest = rest.strip_prefix(&[kind.tag])?;
            let of = match (kind.shape, rest.split_first_chunk::<16>()) {
                (Shape::Versions, None) => rest.is_empty().then_some(OfVersions::Current)?,
                (Shape::Version, Some((id, []))) => OfVersions::Version(version_id(id)),
                (Shape::Debt, Some((id, worker))) => {
                    let (worker, []) = split_name(worker)? else {
                        return None;
                    };
                    OfVersions::Debt(version_id(id), WorkerName::new(worker).ok()?)
                }
                _ => return None,
            };
            Some(Of::Versions(KeyName::new(key).ok()?, of))
        }
        Shape::Rotation | Shape::Step | Shape::Keys => {
            let (id, key, rest) = split_rotation(kind.space, bytes)?;
            let rest = rest.strip_prefix(&[kind.tag])?;
            let number = match kind.shape {
                Shape::Step => Number::Step(u32::from_be_bytes(rest.try_into().ok()?)),
                Shape::Keys => Number::Keys(u128::from_be_bytes(rest.try_into().ok()?)),
                _ => rest.is_empty().then_some(Number::None)?,
            };
            Some(Of::Rotation(id, KeyName::new(key).ok()?, number))
        }
    }
}

fn version_id(bytes: &[u8; 16]) -> VersionId {
    VersionId::new(Uuid::from_bytes(*bytes))
}

/// What the places of all records of a key's versions start with.
pub(in super::super) fn versions_of(key: &KeyName) -> Vec<u8> {
    named(key.as_str())
}

/// The key that a place in the space of versions tells, also where another version made it.
pub(in super::super) fn versions_at(bytes: &[u8]) -> Option<KeyName> {
    let (key, _) = split_name(bytes)?;
    KeyName::new(key).ok()
}

/// A name with its length before it.
fn named(text: &str) -> Vec<u8> {
    // Names have at most 255 bytes.
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    [&[length], text.as_bytes()].concat()
}

/// What the places of all records of a rotation that has not ended start with.
pub(in super::super) fn living_prefix(id: RotationId) -> Vec<u8> {
    id.as_uuid().as_bytes().to_vec()
}

/// What the places of all records of a rotation that has ended start with.
pub(in super::super) fn ended_prefix(id: RotationId) -> Vec<u8> {
    [vec![ENDED], living_prefix(id)].concat()
}

/// What the places of all callbacks of a worker start with.
pub(in super::super) fn callbacks_of(worker: &WorkerName) -> Vec<u8> {
    [vec![CALLBACK], named(worker.as_str())].concat()
}

/// What the places of all instances of a worker start with.
pub(in super::super) fn instances_of(worker: &WorkerName) -> Vec<u8> {
    [vec![INSTANCE], named(worker.as_str())].concat()
}

/// What the places in the order of the history start with; the newest comes first.
pub(in super::super) const ORDER_PREFIX: &[u8] = &[ORDER];

/// The place of an ended rotation in the order of the history.
pub(in super::super) fn order_bytes(sequence: u64, id: RotationId, key: &KeyName) -> Vec<u8> {
    let mut bytes = vec![ORDER];
    bytes.extend_from_slice(&(!sequence).to_be_bytes());
    bytes.extend_from_slice(&living_prefix(id));
    bytes.extend_from_slice(key.as_str().as_bytes());
    bytes
}

/// The place in the order of the history behind which the rotations with lower sequence numbers lie; none
/// for the lowest.
pub(in super::super) fn order_before(sequence: u64) -> Option<Vec<u8>> {
    let newest = sequence.checked_sub(1)?;
    Some([ORDER_PREFIX, &(!newest).to_be_bytes()].concat())
}

/// What a place in the order of the history tells.
pub(in super::super) fn parse_order(bytes: &[u8]) -> Option<(u64, RotationId, KeyName)> {
    let bytes = bytes.strip_prefix(ORDER_PREFIX)?;
    let (sequence, bytes) = bytes.split_first_chunk::<8>()?;
    let (id, key) = bytes.split_first_chunk::<16>()?;
    let id = RotationId::new(Uuid::from_bytes(*id));
    Some((!u64::from_be_bytes(*sequence), id, key_name(key)?))
}

/// What a place in the spaces of rotations tells, also where another version made it.
pub(in super::super) fn rotation_at(space: Space, bytes: &[u8]) -> Option<(RotationId, KeyName)> {
    let (id, key, _) = split_rotation(space, bytes)?;
    Some((id, KeyName::new(key).ok()?))
}

fn split_rotation(space: Space, bytes: &[u8]) -> Option<(RotationId, &str, &[u8])> {
    let bytes = match space {
        Space::History => bytes.strip_prefix(&[ENDED])?,
        _ => bytes,
    };
    let (id, bytes) = bytes.split_first_chunk::<16>()?;
    let (key, rest) = split_name(bytes)?;
    Some((RotationId::new(Uuid::from_bytes(*id)), key, rest))
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
    use crate::journal::codec::Record;
    use crate::journal::codec::keys::DeclaredRecord;
    use crate::journal::codec::meta::{BatchRecord, CheckRecord, SequenceRecord};
    use crate::journal::codec::rotation::{ENDED_HEADER, ENDED_STEP, HeaderRecord};
    use crate::journal::records;
    use crate::key::state::{Snapshot, StateRecord};
    use crate::rotation::instance::Instance;
    use crate::rotation::plan::Step;
    use crate::rotation::roster::{Member, MemberCallback};
    use crate::secret::value::SecretKeyPair;

    fn key(text: &str) -> KeyName {
        KeyName::new(text).unwrap()
    }

    fn callback(worker: &str, for_key: &str, callback: &str) -> Place {
        let worker = WorkerName::new(worker).unwrap();
        let callback = CallbackName::new(callback).unwrap();
        MemberCallback::place(Of::Callback(worker, key(for_key), callback))
    }

    fn places() -> Vec<Place> {
        let mut places = vec![
            CheckRecord::place(Of::Database),
            BatchRecord::place(Of::Database),
            SequenceRecord::place(Of::Database),
            StateRecord::place(Of::Key(key("a"))),
            DeclaredRecord::place(Of::Key(key("a"))),
            Member::place(Of::Worker(WorkerName::new("a").unwrap())),
            callback("a", "b", "cd"),
            callback("a", "bc", "d"),
            callback("ab", "c", "d"),
        ];
        let instance = |worker, number| {
            Instance::place(Of::Instance(WorkerName::new(worker).unwrap(), number))
        };
        for (n, name) in [(1, "a"), (1, "é"), (2, "a")] {
            let id = RotationId::new(Uuid::from_u128(n));
            let of = |number| Of::Rotation(id, key(name), number);
            places.push(HeaderRecord::place(of(Number::None)));
            places.push(Step::place(of(Number::Step(0))));
            places.push(Step::place(of(Number::Step(1))));
            places.push(SecretKeyPair::place(of(Number::Keys(1))));
            for (kind, number) in [
                (ENDED_HEADER, Number::None),
                (ENDED_STEP, Number::Step(0)),
                (ENDED_STEP, Number::Step(1)),
            ] {
                let of = of(number);
                places.push(Place { kind, of });
            }
            places.push(Snapshot::place(of(Number::None)));
        }
        let instances = [instance("a", 1), instance("a", 2), instance("ab", 1)];
        [instances.to_vec(), places].concat()
    }

    #[test]
    fn no_place_has_changed_its_bytes_or_its_words() {
        let instances = 3;
        let seen = places()
            .into_iter()
            .skip(instances)
            .take(EXPECTED.len())
            .map(|place| {
                let text = format!("{} {place}", place.bytes().escape_ascii());
                let id = RotationId::new(Uuid::from_u128(1)).to_string();
                text.replace(&r"\x00".repeat(15), "0*").replace(&id, "1")
            });
        assert_eq!(seen.collect::<Vec<_>>(), EXPECTED);
    }

    const EXPECTED: [&str; 17] = [
        "check the check record",
        "batch the record of the last batch",
        "sequence the next sequence number",
        "a the state of key a",
        "a the last declaration of key a",
        r"\x01\x01a worker a",
        r"\x02\x01a\x01b\x02cd callback cd of worker a for key b",
        r"\x02\x01a\x02bc\x01d callback d of worker a for key bc",
        r"\x02\x02ab\x01c\x01d callback d of worker ab for key c",
        r"0*\x01\x01a\x01 the header of rotation 1 of key a",
        r"0*\x01\x01a\x02\x00\x00\x00\x00 the step 0 of rotation 1 of key a",
        r"0*\x01\x01a\x02\x00\x00\x00\x01 the step 1 of rotation 1 of key a",
        r"0*\x01\x01a\x030*\x01 the keys of rotation 1 of key a",
        r"\x010*\x01\x01a\x01 the header of the ended rotation 1 of key a",
        r"\x010*\x01\x01a\x02\x00\x00\x00\x00 the step 0 of the ended rotation 1 of key a",
        r"\x010*\x01\x01a\x02\x00\x00\x00\x01 the step 1 of the ended rotation 1 of key a",
        r"0*\x01\x01a\x04 the snapshot of rotation 1 of key a",
    ];

    #[test]
    fn no_place_of_an_instance_has_changed() {
        let worker = WorkerName::new("a").unwrap();
        let place = Instance::place(Of::Instance(worker.clone(), 258));
        let bytes = place.bytes();
        assert_eq!(bytes, b"\x03\x01a\0\0\0\0\0\0\x01\x02");
        assert!(bytes.starts_with(&instances_of(&worker)));
        assert_eq!(place.to_string(), "instance 258 of worker a");
    }

    #[test]
    fn a_place_is_found_again_in_its_bytes() {
        for place in places() {
            assert_eq!(records::parse(place.space(), &place.bytes()), Some(place));
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
        assert_eq!(records::parse(place.space(), &bytes), None);
        let Of::Rotation(id, key, _) = place.of else {
            panic!("the last place is a living rotation's");
        };
        assert_eq!(rotation_at(Space::Rotations, &bytes), Some((id, key)));
    }

    #[test]
    fn the_order_of_the_history_is_newest_first() {
        let key = key("k");
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
        let place = Step::place(Of::Rotation(id, key("key"), Number::Step(3)));
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
                if let Some(place) = records::parse(space, &bytes) {
                    prop_assert_eq!(place.bytes(), bytes.clone());
                }
            }
            let _ = parse_order(&bytes);
        }
    }
}
