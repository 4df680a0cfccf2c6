//! Actors die, at every point of what they do, and keyward goes on: nothing that they knew is lost,
//! no caller waits for ever, and an operator sees it.

mod coordinator;
mod escalation;
mod keys;
mod plugins;
mod workers;

use keyward::key::name::{KeyName, WorkerName};
use keyward::{ActorName, ActorState, ActorStatus, KeysManagement};

/// The actor of a key.
fn key(name: &str) -> ActorName {
    ActorName::Key(KeyName::new(name).unwrap())
}

/// The actor of a worker.
fn worker(name: &str) -> ActorName {
    ActorName::Worker(WorkerName::new(name).unwrap())
}

/// How an actor is.
async fn actor(manager: &KeysManagement, name: &ActorName) -> ActorStatus {
    let status = crate::support::within(manager.status())
        .await
        .expect("it lives");
    let mut actors = status.actors.into_iter();
    let found = actors.find(|actor| actor.actor == *name);
    found.unwrap_or_else(|| panic!("there is no actor {name}"))
}

/// Kills an actor at its next fault point and waits until it runs again.
async fn kill(manager: &KeysManagement, name: &ActorName) {
    let before = actor(manager, name).await.restarts;
    assert!(manager.kill_actor(name, 1));
    crate::support::until("it is restarted", async || {
        let now = actor(manager, name).await;
        now.restarts > before && now.state == ActorState::Running
    })
    .await;
}

/// Kills an actor until it has failed.
async fn wear_out(manager: &KeysManagement, name: &ActorName) {
    crate::support::until("it has failed", async || {
        manager.kill_actor(name, 1);
        actor(manager, name).await.state == ActorState::Failed
    })
    .await;
    // The last kill may not have come to its point: it must not kill the next life.
    manager.kill_actor(name, 0);
}
