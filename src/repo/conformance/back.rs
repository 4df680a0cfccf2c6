//! The check of what is read backwards.

use std::ops::ControlFlow;

use crate::repo::batch::Batch;
use crate::repo::conformance::RepoPlace;
use crate::repo::conformance::seen::{Seen, keys, must_be};
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;

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

pub(super) fn scan_back(place: &dyn RepoPlace) -> Result<(), Seen> {
    let repo = place.open()?;
    let all = KEYS.iter().fold(Batch::new(), |batch, key| {
        batch.put(Space::States, *key, *key)
    });
    repo.apply(&all.put(Space::Rotations, "ab", "another space"))?;
    let prefixes: [&[u8]; 6] = [b"", b"a", b"abc", b"\xfe", b"\xff", b"\xff\xff\xff"];
    for prefix in prefixes {
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
) -> Result<Vec<Vec<u8>>, Seen> {
    let mut seen = Vec::new();
    let mut fits = true;
    repo.scan_back(Space::States, prefix, before, &mut |key, value| {
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
