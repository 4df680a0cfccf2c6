//! What a check sees, and how it says what it should have seen.

use std::fmt::Debug;
use std::ops::ControlFlow;

use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;

/// What was seen that should not be.
pub(super) struct Violation(pub(super) String);

impl From<RepoError> for Violation {
    fn from(error: RepoError) -> Self {
        Self(format!("unexpected error `{}`: {error}", error.code()))
    }
}

pub(super) type FoundRecords = Vec<(Vec<u8>, Vec<u8>)>;

pub(super) fn must_be<T: PartialEq + Debug>(
    what: &str,
    seen: T,
    wanted: T,
) -> Result<(), Violation> {
    if seen == wanted {
        return Ok(());
    }
    Err(Violation(format!(
        "{what}: saw {seen:?}, expected {wanted:?}"
    )))
}

pub(super) fn must_fail<T>(
    what: &str,
    code: &str,
    seen: Result<T, RepoError>,
) -> Result<(), Violation> {
    match seen {
        Ok(_) => Err(Violation(format!(
            "{what}: succeeded, expected the error `{code}`"
        ))),
        Err(error) => must_be(what, error.code(), code),
    }
}

pub(super) fn all(
    repo: &dyn StateRepo,
    space: Space,
    prefix: &[u8],
) -> Result<FoundRecords, Violation> {
    let mut found = FoundRecords::new();
    repo.scan(space, prefix, &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

pub(super) fn keys(repo: &dyn StateRepo, prefix: &[u8]) -> Result<Vec<Vec<u8>>, Violation> {
    let found = all(repo, Space::States, prefix)?;
    Ok(found.into_iter().map(|(key, _)| key).collect())
}
