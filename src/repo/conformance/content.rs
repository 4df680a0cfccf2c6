//! Checks of what is written and read: gets, scans, batches, preconditions.

use std::ops::ControlFlow;

use crate::repo::batch::Batch;
use crate::repo::conformance::RepoPlace;
use crate::repo::conformance::seen::{FoundRecords, Violation, all, keys, must_be, must_fail};
use crate::repo::space::Space;

pub(super) fn put_get_delete(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    must_be("nothing written yet", repo.get(Space::Keys, b"k")?, None)?;
    for value in [b"one".to_vec(), b"two".to_vec()] {
        repo.apply(&Batch::new().put(Space::Keys, "k", value.clone()))?;
        must_be("a put", repo.get(Space::Keys, b"k")?, Some(value))?;
    }
    must_be("another key", repo.get(Space::Keys, b"kk")?, None)?;
    for _ in 0..2 {
        repo.apply(&Batch::new().delete(Space::Keys, "k"))?;
        must_be("a delete", repo.get(Space::Keys, b"k")?, None)?;
    }
    repo.apply(&Batch::new())?;
    must_be(
        "all deleted",
        all(&*repo, Space::Keys, b"")?,
        FoundRecords::new(),
    )
}

const SORTED: [&[u8]; 9] = [
    b"",
    b"\x00",
    b"\x00\xff",
    b"A",
    b"a",
    b"a\x00",
    b"aa",
    b"b",
    b"\xff",
];

pub(super) fn scan_order(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    for (index, key) in SORTED.iter().enumerate().rev() {
        repo.apply(&Batch::new().put(Space::States, *key, index.to_string()))?;
    }
    let wanted = SORTED.map(<[u8]>::to_vec).to_vec();
    must_be("all keys", keys(&*repo, b"")?, wanted.clone())?;
    let values = all(&*repo, Space::States, b"")?
        .into_iter()
        .map(|(_, value)| value);
    let indices = (0..SORTED.len()).map(|index| index.to_string().into_bytes());
    must_be("all values", values.collect::<Vec<_>>(), indices.collect())?;
    let mut seen = Vec::new();
    repo.scan(Space::States, b"", &mut |key, _| {
        seen.push(key.to_vec());
        if seen.len() == 3 {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    must_be(
        "a scan that stops",
        seen,
        wanted.into_iter().take(3).collect(),
    )
}

pub(super) fn scan_prefix(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    let all: [&[u8]; 8] = [
        b"a",
        b"ab",
        b"ab\xff",
        b"ac",
        b"b",
        b"\xfe\xff",
        b"\xff",
        b"\xff\xff",
    ];
    let batch = all.iter().fold(Batch::new(), |batch, key| {
        batch.put(Space::States, *key, "")
    });
    repo.apply(&batch.put(Space::Rotations, "ab", ""))?;
    let prefixes: [&[u8]; 9] = [
        b"",
        b"a",
        b"ab",
        b"ab\xff",
        b"abc",
        b"\xfe",
        b"\xff",
        b"\xff\xff",
        b"\xff\xff\xff",
    ];
    for prefix in prefixes {
        let wanted = all.iter().filter(|key| key.starts_with(prefix));
        let wanted = wanted.map(|key| key.to_vec()).collect::<Vec<_>>();
        must_be(&format!("prefix {prefix:?}"), keys(&*repo, prefix)?, wanted)?;
    }
    Ok(())
}

pub(super) fn spaces_are_separate(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    let batch = Space::ALL.iter().fold(Batch::new(), |batch, space| {
        batch.put(*space, "same key", space.name())
    });
    repo.apply(&batch)?;
    repo.apply(&Batch::new().delete(Space::History, "same key"))?;
    for space in Space::ALL {
        let wanted = (space != Space::History).then(|| space.name().as_bytes().to_vec());
        let found = wanted
            .iter()
            .map(|value| (b"same key".to_vec(), value.clone()));
        must_be(space.name(), all(&*repo, space, b"")?, found.collect())?;
        must_be(space.name(), repo.get(space, b"same key")?, wanted)?;
    }
    Ok(())
}

pub(super) fn order_in_a_batch(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    let batch = Batch::new()
        .put(Space::Meta, "a", "1")
        .put(Space::Meta, "a", "2")
        .delete(Space::Meta, "b")
        .put(Space::Meta, "b", "3")
        .put(Space::Meta, "c", "4")
        .delete(Space::Meta, "c");
    repo.apply(&batch)?;
    must_be(
        "two puts",
        repo.get(Space::Meta, b"a")?,
        Some(b"2".to_vec()),
    )?;
    must_be(
        "delete, put",
        repo.get(Space::Meta, b"b")?,
        Some(b"3".to_vec()),
    )?;
    must_be("put, delete", repo.get(Space::Meta, b"c")?, None)
}

pub(super) fn preconditions(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    let fence = |expected: Option<&str>, next: &str| {
        Batch::new()
            .put(Space::Rotations, "r", next)
            .put(Space::Meta, "fence", next)
            .expect(
                Space::Meta,
                "fence",
                expected.map(|text| text.as_bytes().to_vec()),
            )
    };
    let failed = "precondition_failed";
    must_fail(
        "a value where none is",
        failed,
        repo.apply(&fence(Some("1"), "x")),
    )?;
    must_fail(
        "an empty value where none is",
        failed,
        repo.apply(&fence(Some(""), "x")),
    )?;
    must_be("after failing", repo.get(Space::Rotations, b"r")?, None)?;
    repo.apply(&fence(None, "1"))?;
    must_fail(
        "none where a value is",
        failed,
        repo.apply(&fence(None, "x")),
    )?;
    must_fail("another value", failed, repo.apply(&fence(Some("11"), "x")))?;
    must_be(
        "after failing",
        repo.get(Space::Rotations, b"r")?,
        Some(b"1".to_vec()),
    )?;
    repo.apply(&fence(Some("1"), "2"))?;
    must_be(
        "after holding",
        repo.get(Space::Rotations, b"r")?,
        Some(b"2".to_vec()),
    )?;
    let bare = |expected: &[u8]| Batch::new().expect(Space::Meta, "fence", Some(expected.to_vec()));
    repo.apply(&bare(b"2"))?;
    must_fail("a bare precondition", failed, repo.apply(&bare(b"1")))
}
