//! What is refused where an actor has died too often, with the keys that it knew when it died.

use std::time::Duration;

use keyward::key::name::KeyName;
use keyward::{ActorName, ActorState, Change, KeysManagement, RotationError};

use crate::canary::DECLARED;
use crate::errors::Seen;
use crate::errors::repo::Disk;
use crate::errors::rotations::change;
use crate::heard::Said;
use crate::story::{ask_for_keys, builder, define};
use crate::support::{until, within};

fn documents() -> ActorName {
    ActorName::Key(KeyName::new("documents").expect("a name"))
}

/// Kills an actor until it has failed.
async fn wear_out(manager: &KeysManagement, name: &ActorName) {
    until("it has failed", async || {
        manager.kill_actor(name, 1);
        let status = manager.status().await.expect("a status");
        let actor = status.actors.iter().find(|actor| actor.actor == *name);
        actor.expect("it is known").state == ActorState::Failed
    })
    .await;
}

async fn start(disk: Disk, said: &Said) -> KeysManagement {
    let builder = builder().state_repo(disk).restart_backoff(Duration::ZERO);
    let manager = builder.start().await.expect("it starts");
    define(&manager).await;
    ask_for_keys(&manager, said).await;
    manager
}

pub(super) async fn all(seen: &mut Seen) {
    let disk = Disk::default();
    let manager = start(disk.clone(), &seen.said).await;
    let nobody = ActorName::Key(KeyName::new("nobody").expect("a name"));
    seen.refused("UnknownActor", manager.restart(&nobody).await);
    seen.refused("NotFailed", manager.restart(&documents()).await);
    disk.fill();
    seen.refused("Unwritten", manager.save_state("documents").await);
    within(manager.shutdown()).await.expect("it shuts down");

    let manager = start(Disk::default(), &seen.said).await;
    wear_out(&manager, &documents()).await;
    let back = within(manager.get_back_path_key("documents")).await;
    seen.refused("Failed", back);
    let held = Change::of("documents").new_keys(DECLARED);
    seen.refused("KeyFailed", within(manager.declare(held)).await);
    wear_out(&manager, &ActorName::Coordinator).await;
    let declared = within(manager.declare(change())).await;
    seen.refused("CoordinatorFailed", declared);
    let candidates = within(manager.back_path_candidates("documents")).await;
    seen.refused("CoordinatorFailed", candidates);
    seen.said.add(&manager.status().await.expect("a status"));
    within(manager.shutdown()).await.expect("it shuts down");
    let error = RotationError::Unavailable { id: None };
    let why = "it says that an actor died in the middle of a call, and holds an id at most";
    seen.constructed("Unavailable", error, why);
}
