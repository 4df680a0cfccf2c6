//! The checks of what is read from a place on, forwards and backwards.

use std::ops::ControlFlow;

use crate::repo::batch::Batch;
use crate::repo::conformance::RepoPlace;
use crate::repo::conformance::seen::{Violation, keys, must_be};
use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::repo::state_repo::{StateRepo, Visitor};

const KEYS: [&[u8]; 8] = [
    b"",
    b"a",
    b"ab",
    b"ab\xff",
    b"b",
    b"\xfe\xff",
    b"\xff",
    b"\xff\xff",
];

const PREFIXES: [&[u8]; 6] = [b"", b"a", b"abc", b"\xfe", b"\xff", b"\xff\xff\xff"];

fn filled(place: &dyn RepoPlace) -> Result<Box<dyn StateRepo>, Violation> {
    let repo = place.open()?;
    let all = KEYS.iter().fold(Batch::new(), |batch, key| {
        batch.put(Space::States, *key, *key)
    });
    repo.apply(&all.put(Space::Rotations, "ab", "another space"))?;
    Ok(repo)
}

pub(super) fn scan_after(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = filled(place)?;
    for prefix in PREFIXES {
        let wanted = keys(&*repo, prefix)?;
        let places = [
            b"".as_slice(),
            b"a",
            b"aa",
            b"b",
            b"\xff\xff",
            b"\xff\xff\xff",
        ];
        let places = places.into_iter().map(Some);
        for after in [None].into_iter().chain(places) {
            let mut above = wanted.clone();
            above.retain(|key| after.is_none_or(|after| key.as_slice() > after));
            let what = format!("prefix {prefix:?} after {after:?}");
            for most in [KEYS.len(), 2] {
                above.truncate(most);
                let seen = seen(most, |visit| {
                    repo.scan_after(Space::States, prefix, after, visit)
                })?;
                must_be(&format!("{what}, {most} of them"), seen, above.clone())?;
            }
        }
    }
    Ok(())
}

pub(super) fn scan_back(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = filled(place)?;
    for prefix in PREFIXES {
        let mut wanted = keys(&*repo, prefix)?;
        wanted.reverse();
        let what = format!("prefix {prefix:?}");
        must_be(
            &what,
            back(&*repo, prefix, None, KEYS.len())?,
            wanted.clone(),
        )?;
        for before in [b"a".as_slice(), b"aa", b"b", b"\xff\xff", b"\xff\xff\xff"] {
            let mut below = wanted.clone();
            below.retain(|key| key.as_slice() < before);
            let what = format!("prefix {prefix:?} before {before:?}");
            let found = back(&*repo, prefix, Some(before), KEYS.len())?;
            must_be(&what, found, below.clone())?;
            below.truncate(2);
            let found = back(&*repo, prefix, Some(before), 2)?;
            must_be(&format!("{what}, two of them"), found, below)?;
        }
    }
    Ok(())
}

fn back(
    repo: &dyn StateRepo,
    prefix: &[u8],
    before: Option<&[u8]>,
    most: usize,
) -> Result<Vec<Vec<u8>>, Violation> {
    seen(most, |visit| {
        repo.scan_back(Space::States, prefix, before, visit)
    })
}

/// The first so many keys that a scan shows, each with itself as its value.
fn seen(
    most: usize,
    scan: impl FnOnce(Visitor<'_>) -> Result<(), RepoError>,
) -> Result<Vec<Vec<u8>>, Violation> {
    let mut seen = Vec::new();
    let mut fits = true;
    scan(&mut |key, value| {
        fits &= key == value;
        seen.push(key.to_vec());
        if seen.len() == most {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    must_be("the values", fits, true)?;
    Ok(seen)
}
