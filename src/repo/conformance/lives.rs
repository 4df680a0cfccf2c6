//! Checks over several lives of a repo: durable, closed.

use std::ops::ControlFlow;

use crate::repo::batch::Batch;
use crate::repo::conformance::RepoPlace;
use crate::repo::conformance::seen::{FoundRecords, Violation, all, must_be, must_fail};
use crate::repo::space::Space;

pub(super) fn odd_sizes(place: &dyn RepoPlace) -> Result<(), Violation> {
    let large: Vec<u8> = (0..2 * 1024 * 1024_u32)
        .map(|n| n.to_le_bytes()[0])
        .collect();
    let binary: Vec<u8> = (0..=255).collect();
    let long_key = vec![0xff; 4096];
    let batch = Batch::new()
        .put(Space::Keys, "", "under the empty key")
        .put(Space::Keys, "empty value", "")
        .put(Space::Keys, binary.clone(), binary.clone())
        .put(Space::Keys, long_key.clone(), large.clone());
    let repo = place.open()?;
    repo.apply(&batch)?;
    repo.close()?;
    let repo = place.open()?;
    let under_empty = repo.get(Space::Keys, b"")?;
    must_be(
        "the empty key",
        under_empty,
        Some(b"under the empty key".to_vec()),
    )?;
    must_be(
        "the empty value",
        repo.get(Space::Keys, b"empty value")?,
        Some(Vec::new()),
    )?;
    must_be("all bytes", repo.get(Space::Keys, &binary)?, Some(binary))?;
    let whole = repo.get(Space::Keys, &long_key)? == Some(large);
    must_be("2 MiB are whole", whole, true)
}

pub(super) fn durable(place: &dyn RepoPlace) -> Result<(), Violation> {
    let mut wanted = FoundRecords::new();
    for life in 0..3_u8 {
        let repo = place.open()?;
        must_be(
            "at the start of a life",
            all(&*repo, Space::History, b"")?,
            wanted.clone(),
        )?;
        for number in 0..20_u8 {
            let key = vec![life, number];
            repo.apply(
                &Batch::new()
                    .put(Space::History, key.clone(), "kept")
                    .delete(Space::History, [9]),
            )?;
            wanted.push((key, b"kept".to_vec()));
        }
        repo.reopen()?;
        must_be(
            "after reopening",
            all(&*repo, Space::History, b"")?,
            wanted.clone(),
        )?;
        repo.apply(&Batch::new().put(Space::Meta, "life", [life]))?;
        // Every other life ends without being closed.
        if life % 2 == 0 {
            repo.close()?;
        }
    }
    let repo = place.open()?;
    must_be(
        "the last life",
        repo.get(Space::Meta, b"life")?,
        Some(vec![2]),
    )?;
    must_be("in the end", all(&*repo, Space::History, b"")?, wanted)
}

pub(super) fn closed(place: &dyn RepoPlace) -> Result<(), Violation> {
    let repo = place.open()?;
    repo.apply(&Batch::new().put(Space::Meta, "k", "v"))?;
    repo.close()?;
    let refused = "repo_closed";
    must_fail("get", refused, repo.get(Space::Meta, b"k"))?;
    let scan = repo.scan(Space::Meta, b"", &mut |_, _| ControlFlow::Continue(()));
    must_fail("scan", refused, scan)?;
    let batch = Batch::new().put(Space::Meta, "k", "too late");
    must_fail("apply", refused, repo.apply(&batch))?;
    must_fail("an empty batch", refused, repo.apply(&Batch::new()))?;
    must_fail("reopen", refused, repo.reopen())?;
    must_fail("close", refused, repo.close())?;
    // The place is free although the closed repo is still there.
    let next = place.open()?;
    must_be(
        "the next life",
        next.get(Space::Meta, b"k")?,
        Some(b"v".to_vec()),
    )?;
    must_fail("the closed one", refused, repo.get(Space::Meta, b"k"))
}
