//! Keys with versions: how they begin, what gets answer, what a rotation leaves, and what a crash at any write does.

mod beginning;
mod cut;
mod damage;
mod gets;
mod kills;
mod rotating;
mod rotation;
mod store;

use std::time::Duration;

use keyward::{
    Change, KeyAnswer, KeysManagement, SecretKeyDefinition, VersionId, VersionListing, VersionState,
};

use crate::support::within;
use crate::world::Source;

/// The key `documents` of this source, with versions and no drain.
pub fn versioned(source: &Source) -> SecretKeyDefinition {
    source.documents().versions(true).drain(Duration::ZERO)
}

/// The versions of the key `documents`, the newest first.
pub async fn versions(manager: &KeysManagement) -> Vec<VersionListing> {
    within(manager.versions("documents")).await.unwrap()
}

/// Number, state and whether it is current, of each version.
pub async fn states(manager: &KeysManagement) -> Vec<(u64, VersionState, bool)> {
    let versions = versions(manager).await.into_iter();
    versions
        .map(|version| (version.number, version.state, version.is_current))
        .collect()
}

/// The forward half and the id of its version.
pub fn written(answer: &KeyAnswer) -> (VersionId, String) {
    let version = answer.version.expect("the key has versions");
    (version.id, answer.expose_str().unwrap().to_owned())
}

/// Takes the key to this value; it must complete.
pub async fn rotate(manager: &KeysManagement, new: &str) {
    let change = Change::of("documents").new_keys(new);
    let report = within(manager.key_changed(change)).await.unwrap();
    assert_eq!(
        report.state,
        keyward::RotationState::Completed,
        "{report:?}"
    );
}
