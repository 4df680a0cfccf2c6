//! A definition that comes to nothing leaves nothing: no actor, and nothing of its store.

use std::sync::Arc;

use keyward::{ActorName, KeysManagement, SecretKeyDefinition};

use crate::load::clients::ask_and_go;
use crate::support::{define, in_memory, until};

/// A key whose store keeps this alive.
fn keeping(name: &str, alive: &Arc<()>) -> SecretKeyDefinition {
    let alive = Arc::clone(alive);
    SecretKeyDefinition::round_trip(name, move || {
        let _alive = &alive;
        "value_1"
    })
}

/// How many keys are defined, and how many actors of keys there are.
async fn keys_and_actors(manager: &KeysManagement) -> (usize, usize) {
    let status = manager.status().await.expect("it lives");
    let is_key = |actor: &&ActorName| matches!(actor, ActorName::Key(_));
    let actors = status.actors.iter().map(|status| &status.actor);
    (status.keys.len(), actors.filter(is_key).count())
}

#[tokio::test]
async fn definitions_that_nobody_waits_for_leave_no_actor_and_no_store() {
    let (manager, alive) = (in_memory().await, Arc::new(()));
    for no in 0..2_000 {
        let defining = manager.define_key(keeping(&format!("key {no}"), &alive));
        let mut defining = Box::pin(defining);
        // They are given up at every point of their way.
        for _ in 0..no % 8 {
            if ask_and_go(&mut defining).await.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(defining);
    }
    until("what is kept is what is defined", async || {
        let (keys, actors) = keys_and_actors(&manager).await;
        (keys, actors) == (keys, keys) && Arc::strong_count(&alive) == keys + 1
    })
    .await;
}

#[tokio::test]
async fn definitions_that_are_refused_leave_no_actor_and_no_store() {
    let (manager, alive) = (in_memory().await, Arc::new(()));
    define(&manager, keeping("documents", &alive)).await;
    for _ in 0..100 {
        let again = manager.define_key(keeping("documents", &alive)).await;
        let again = again.expect_err("it is defined already");
        assert_eq!(again.code(), "invalid_definition");
    }
    until("only the first is kept", async || {
        keys_and_actors(&manager).await == (1, 1) && Arc::strong_count(&alive) == 2
    })
    .await;
}
