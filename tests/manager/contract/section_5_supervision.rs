//! Section 5: panics of plug-ins, and bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;
use keyward::{Change, KeyChange, MemoryRepo, SecretKeyDefinition, StateRepo};

use crate::support::{Gate, builder, define, until, within};
use crate::world::{Source, back, facts, forward, waits_at, with};

#[tokio::test]
async fn a_panic_in_a_store_is_an_error_of_that_one_request() {
    let panics = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&panics);
    let store = move || {
        assert!(!asks.load(Ordering::SeqCst), "the store panics");
        "value_1"
    };
    let manager = with(SecretKeyDefinition::round_trip("documents", store)).await;
    assert_eq!(forward(&manager).await, "value_1");
    panics.store(true, Ordering::SeqCst);
    assert_eq!(forward(&manager).await, "store_failed");
    assert_eq!(back(&manager).await, "value_1", "what was held is held");
    panics.store(false, Ordering::SeqCst);
    assert_eq!(forward(&manager).await, "value_1");
}

/// A repo that panics when it looks for states while the switch is on.
struct Panicking {
    content: MemoryRepo,
    panics: Arc<AtomicBool>,
}

impl StateRepo for Panicking {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        let panics = space == Space::States && self.panics.load(Ordering::SeqCst);
        assert!(!panics, "the repo panics");
        self.content.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.content.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.content.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        Ok(())
    }

    fn close(&self) -> Result<(), RepoError> {
        self.content.close()
    }
}

#[tokio::test]
async fn a_panic_in_the_state_repo_is_an_error_of_that_one_request() {
    let panics = Arc::new(AtomicBool::new(true));
    let content = MemoryRepo::new();
    let repo = Panicking {
        content,
        panics: Arc::clone(&panics),
    };
    let manager = builder().state_repo(repo).start().await.unwrap();
    define(
        &manager,
        Source::new("value_1").documents().stateless(false),
    )
    .await;
    assert_eq!(back(&manager).await, "repo_unavailable");
    panics.store(false, Ordering::SeqCst);
    assert_eq!(back(&manager).await, "value_1");
}

#[tokio::test]
async fn beyond_its_bounds_a_key_is_busy_at_once_and_a_held_key_is_still_answered() {
    let (gate, hangs) = (Gate::default(), Arc::new(AtomicBool::new(false)));
    let (passed, asks) = (gate.clone(), Arc::clone(&hangs));
    let store = move || {
        if asks.load(Ordering::SeqCst) {
            passed.pass_blocking();
        }
        "value_1"
    };
    let definition = SecretKeyDefinition::round_trip("documents", store).max_requests(8);
    let manager = with(definition).await;
    forward(&manager).await;
    hangs.store(true, Ordering::SeqCst);
    let mut asked = Vec::new();
    for _ in 0..6 {
        let manager = manager.clone();
        asked.push(tokio::spawn(async move { forward(&manager).await }));
    }
    until("six wait", async || {
        facts(&manager).await.facts.waiting == 6
    })
    .await;
    assert_eq!(
        forward(&manager).await,
        "busy",
        "three quarters wait for the store"
    );
    assert_eq!(back(&manager).await, "value_1");
    // The place of an asker that is gone is free at once.
    asked.pop().unwrap().abort();
    until("five wait", async || {
        facts(&manager).await.facts.waiting == 5
    })
    .await;
    gate.open();
    for asked in asked {
        assert_eq!(within(asked).await.unwrap(), "value_1");
    }
}

#[tokio::test]
async fn more_waiting_rotations_than_the_bound_are_busy() {
    let manager = with(Source::new("v").documents().max_waiting_rotations(2)).await;
    let gate = Gate::default();
    let call = waits_at(&gate);
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let declare = async || manager.declare(Change::of("documents")).await;
    declare().await.unwrap();
    gate.arrived(1).await;
    let waiting = [declare().await.unwrap(), declare().await.unwrap()];
    let refused = declare().await.unwrap_err();
    assert_eq!((refused.code(), refused.is_retriable()), ("busy", true));
    gate.open();
    for id in waiting {
        within(manager.wait(id)).await.unwrap();
    }
    declare().await.unwrap();
}

#[tokio::test]
async fn a_worker_has_no_more_callbacks_than_the_bound() {
    let started = builder()
        .max_callbacks(2)
        .state_repo(MemoryRepo::new())
        .start()
        .await;
    let manager = started.unwrap();
    define(&manager, Source::new("v").documents()).await;
    let register = async |name: &str| {
        manager
            .register_on_change("documents", name, |_: KeyChange| {})
            .await
    };
    register("a").await.unwrap();
    register("b").await.unwrap();
    assert_eq!(
        register("c").await.unwrap_err().code(),
        "too_many_callbacks"
    );
}
