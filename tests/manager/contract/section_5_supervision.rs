//! Section 5: panics of plug-ins, and bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;
use keyward::{MemoryRepo, SecretKeyDefinition, StateRepo};

use crate::support::{builder, define};
use crate::world::{Source, back, forward, with};

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
