//! Records that were cut, changed, moved or written by a newer version: each is named, stays where
//! it is, and the rest loads.

use std::sync::atomic::{AtomicBool, Ordering};

use keyward::crypto::crypto_tool::CryptoTool;
use keyward::crypto::error::CryptoError;
use keyward::journal::load::LoadedJournal;
use keyward::key::state::Loaded;
use zeroize::Zeroizing;

use super::*;

/// A crypto tool that fails while it is told to.
pub struct Sometimes {
    tool: AeadCryptoTool,
    broken: Arc<AtomicBool>,
}

impl Sometimes {
    pub fn new(salt: &[u8]) -> Self {
        let master = SecretKeyValue::from([1; 32]);
        Self {
            tool: AeadCryptoTool::derive(&master, salt).unwrap(),
            broken: Arc::default(),
        }
    }

    pub fn broken(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.broken)
    }

    fn check(&self) -> Result<(), CryptoError> {
        if self.broken.load(Ordering::SeqCst) {
            let cause = "no answer".into();
            return Err(CryptoError::Failed { cause });
        }
        Ok(())
    }
}

impl CryptoTool for Sometimes {
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.check()?;
        self.tool.seal(plain, associated)
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.check()?;
        self.tool.open(sealed, associated)
    }
}

/// What a load names as unreadable, besides the rotations and states that it could read.
fn unreadable(journal: &Journal) -> (LoadedJournal, Vec<String>) {
    let loaded = journal.load().unwrap();
    let history = journal.history(100, None).unwrap();
    let mut named: Vec<String> = Vec::new();
    for record in &loaded.unreadable {
        named.push(format!("{}/{}", record.space, record.place));
    }
    for rotation in &loaded.facts.unreadable {
        assert!(rotation.unfinished);
        named.push(format!("rotation {} of {}", rotation.id, rotation.key));
    }
    for rotation in &history.unreadable {
        assert!(!rotation.unfinished);
        named.push(format!("ended {} of {}", rotation.id, rotation.key));
    }
    (loaded, named)
}

/// What is named where the record at this place cannot be read.
fn expected(space: Space, place: &[u8]) -> Option<String> {
    let states = |what: &str| Some(format!("states/the state of key {what}"));
    let rotation = |kind: &str, bytes: &[u8], key| {
        let id = Uuid::from_slice(bytes).unwrap();
        Some(format!("{kind} {id} of {key}"))
    };
    match (space, place) {
        (Space::Meta, b"sequence") => Some("meta/the next sequence number".to_owned()),
        (Space::States, b"a") => states("a"),
        (Space::States, b"b") => states("b"),
        (Space::Keys, b"a") => Some("keys/the last declaration of key a".to_owned()),
        (Space::Keys, b"b") => Some("keys/the last declaration of key b".to_owned()),
        (Space::Roster, [1, 1, name]) => Some(format!("roster/worker {}", char::from(*name))),
        (Space::Roster, place) => {
            let last = char::from(*place.last().unwrap());
            Some(format!("roster/callback c{last} of worker w for key a"))
        }
        (Space::Rotations, place) => rotation("rotation", &place[..16], char::from(place[17])),
        (Space::History, [1, rest @ ..]) => rotation("ended", &rest[..16], char::from(rest[17])),
        (Space::Meta | Space::History, _) => None,
        (space, place) => panic!("{space}/{}", place.escape_ascii()),
    }
}

/// How many facts of each sort a whole load has, without what a damaged record takes away.
fn check_rest(loaded: &LoadedJournal, space: Space, place: &[u8]) {
    let member = space == Space::Roster && place[0] == 1;
    let callback = space == Space::Roster && place[0] == 2;
    let rotation = space == Space::Rotations;
    let facts = &loaded.facts;
    assert_eq!(facts.members.len(), 2 - usize::from(member));
    assert_eq!(facts.callbacks.len(), 2 - usize::from(callback));
    assert_eq!(facts.rotations.len(), 2 - usize::from(rotation));
    assert_eq!(loaded.secrets.len(), facts.rotations.len());
    assert!(facts.next_sequence >= 13 - 2 * u64::from(rotation));
}

/// Damages each record in turn and checks that it, and nothing else, is named, and that reading
/// changes nothing; answers how many damaged records were read. The records that are needed to open
/// the journal at all are in `opening.rs`; in the order of the history a record's place says it all.
fn check_damage(damage: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> usize {
    let repo = filled();
    let journal = open(&repo);
    let (mut records, mut read) = (0, 0);
    for ((space, place), stored) in content(&repo) {
        let Some(expected) = expected(space, &place) else {
            let opening: [&[u8]; 3] = [b"database", b"check", b"batch"];
            let known = space == Space::Meta && opening.contains(&place.as_slice());
            assert!(known || space == Space::History && stored.is_empty());
            continue;
        };
        records += 1;
        for damaged in damage(&stored) {
            overwrite(&repo, space, &place, &damaged);
            let before = content(&repo);
            let (loaded, named) = unreadable(&journal);
            assert_eq!(named, [expected.as_str()]);
            check_rest(&loaded, space, &place);
            assert!(content(&repo) == before, "reading {expected} has written");
            read += 1;
        }
        overwrite(&repo, space, &place, &stored);
    }
    assert_eq!(records, 1 + 2 + 2 + 4 + 6 + 5 + 3);
    assert!(unreadable(&journal).1.is_empty());
    read
}

#[test]
fn a_record_cut_at_any_length_is_named_and_left() {
    let cut = check_damage(|stored| (0..stored.len()).map(|at| stored[..at].to_vec()).collect());
    println!("lengths cut in records: {cut}");
}

#[test]
fn a_record_with_a_changed_byte_is_named_and_left() {
    let flipped = check_damage(|stored| {
        let flipped = |at: usize| {
            let mut flipped = stored.to_vec();
            flipped[at] ^= 1 << (at % 8);
            flipped
        };
        (0..stored.len()).map(flipped).collect()
    });
    println!("bytes flipped in records: {flipped}");
}

#[test]
fn a_record_with_a_byte_too_many_is_named_and_left() {
    check_damage(|stored| vec![[stored, b"x"].concat()]);
}

#[test]
fn a_newer_schema_number_is_told() {
    check_damage(|stored| vec![[&[9], &stored[1..]].concat()]);
    let repo = filled();
    let journal = open(&repo);
    let stored = repo.get(Space::States, b"a").unwrap().unwrap();
    let newer = [&[2], &stored[1..]].concat();
    overwrite(&repo, Space::States, b"a", &newer);
    let Loaded::Unreadable { why } = journal.load_state(&key("a")) else {
        panic!("a newer record was read");
    };
    assert!(
        why.contains("schema number is 2") && why.contains("up to 1"),
        "{why}"
    );
}

#[test]
fn a_record_of_another_database_under_the_same_master_key_is_none() {
    let others = content(&filled());
    let others: Vec<_> = others.into_iter().collect();
    let repo = filled();
    let journal = open(&repo);
    for ((space, place), foreign) in others {
        let Some(expected) = expected(space, &place) else {
            continue;
        };
        let stored = repo.get(space, &place).unwrap().unwrap();
        overwrite(&repo, space, &place, &foreign);
        assert_eq!(unreadable(&journal).1, [expected]);
        overwrite(&repo, space, &place, &stored);
    }
}

#[test]
fn a_record_in_the_place_of_any_other_is_unreadable() {
    let repo = filled();
    let journal = open(&repo);
    let all: Vec<_> = content(&repo).into_iter().collect();
    let mut swaps = 0;
    for ((space, place), stored) in &all {
        let Some(expected) = expected(*space, place) else {
            continue;
        };
        for ((other_space, other_place), other) in &all {
            if (space, place) == (other_space, other_place) {
                continue;
            }
            overwrite(&repo, *space, place, other);
            assert_eq!(unreadable(&journal).1, [expected.as_str()]);
            swaps += 1;
        }
        overwrite(&repo, *space, place, stored);
    }
    assert!(swaps > 400, "{swaps}");
}

#[test]
fn a_rotation_that_lost_any_record_is_unreadable_as_a_whole() {
    let repo = filled();
    let journal = open(&repo);
    for space in [Space::Rotations, Space::History] {
        for (place, stored) in in_space(&repo, space) {
            let Some(expected) = expected(space, &place) else {
                continue;
            };
            repo.apply(&Batch::new().delete(space, place.as_slice()))
                .unwrap();
            assert_eq!(unreadable(&journal).1, [expected]);
            overwrite(&repo, space, &place, &stored);
        }
    }
}

#[test]
fn a_record_of_an_unknown_kind_makes_its_rotation_unreadable() {
    let repo = filled();
    let journal = open(&repo);
    let mut place = in_space(&repo, Space::Rotations)[0].0.clone();
    *place.last_mut().unwrap() = 9;
    overwrite(&repo, Space::Rotations, &place, b"\x01new");
    let (loaded, named) = unreadable(&journal);
    assert_eq!(named, [format!("rotation {} of a", id(11))]);
    assert!(loaded.facts.unreadable[0].why.contains("kind"));
}

#[test]
fn places_that_this_version_does_not_know_are_listed() {
    let repo = filled();
    let journal = open(&repo);
    for space in [Space::Meta, Space::States, Space::Roster, Space::Rotations] {
        overwrite(&repo, space, b"\xFF\n", b"x");
        let (_, named) = unreadable(&journal);
        assert_eq!(named, [format!("{space}/\"\\xff\\n\"")]);
        repo.apply(&Batch::new().delete(space, &b"\xFF\n"[..]))
            .unwrap();
    }
}

#[test]
fn a_damaged_header_that_is_written_to_is_an_error_and_stays() {
    let repo = filled();
    let mut journal = open(&repo);
    let place = in_space(&repo, Space::Rotations)[0].0.clone();
    overwrite(&repo, Space::Rotations, &place, b"\x01damaged");
    let before = content(&repo);
    let fact = Fact::Step(id(11), key("a"), step(0));
    let error = journal.write(&[fact.into()]).unwrap_err();
    assert_eq!(error.code(), "record_unreadable");
    assert_eq!(content(&repo), before);
}

#[test]
fn a_dismissed_rotation_goes_to_quarantine_byte_for_byte() {
    let repo = filled();
    let mut journal = open(&repo);
    let all = in_space(&repo, Space::Rotations);
    overwrite(&repo, Space::Rotations, &all[1].0, b"\x01damaged");
    let mut of_it = in_space(&repo, Space::Rotations);
    of_it.retain(|(place, _)| place.starts_with(id(11).as_uuid().as_bytes()));
    assert_eq!(of_it.len(), 6);
    journal.write(&[Fact::Dismissed(id(11)).into()]).unwrap();
    let aside = in_space(&repo, Space::Quarantine);
    assert_eq!(aside.len(), of_it.len());
    for ((place, stored), (copy, copied)) in of_it.iter().zip(&aside) {
        assert!(copy.ends_with(&[b"rotations/", place.as_slice()].concat()));
        assert_eq!(stored, copied);
    }
    let (loaded, named) = unreadable(&journal);
    assert!(named.is_empty());
    assert_eq!(loaded.facts.rotations.len(), 1);
    journal.write(&accepted(&header(21, "a"))).unwrap();
}

#[test]
fn a_roster_record_that_is_replaced_is_kept_in_quarantine() {
    let repo = filled();
    let mut journal = open(&repo);
    let place = in_space(&repo, Space::Roster)[0].0.clone();
    overwrite(&repo, Space::Roster, &place, b"damaged");
    journal
        .write(&[Fact::Member(member("v", 30)).into()])
        .unwrap();
    assert_eq!(in_space(&repo, Space::Quarantine)[0].1, b"damaged");
    assert!(unreadable(&journal).1.is_empty());
}

#[test]
fn a_lost_sequence_number_is_found_again_in_what_was_numbered() {
    let repo = filled();
    repo.apply(&Batch::new().delete(Space::Meta, "sequence"))
        .unwrap();
    assert_eq!(open(&repo).load().unwrap().facts.next_sequence, 13);
    let mut journal = open(&repo);
    for number in [11, 12] {
        let ended = Header {
            state: RotationState::Aborted,
            ..header(number, "a")
        };
        journal
            .write(&[Fact::Ended(ended, Vec::new()).into()])
            .unwrap();
    }
    assert_eq!(journal.load().unwrap().facts.next_sequence, 13);
}
