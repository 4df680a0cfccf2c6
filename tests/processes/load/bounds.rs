//! The bounds that no setting changes: what is beyond one is `busy` at once, and named. Those of a
//! definition and of a builder are in `bad_input/bounds.rs`, those that stores meet in `load/stores.rs`.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use keyward::key::name::KeyName;
use keyward::{
    ActorName, KeyError, KeysManagement, MemoryRepo, RotationError, RotationId,
    SecretKeyDefinition, Uuid,
};

use crate::load::clients::ask_and_go;
use crate::load::source::SlowRepo;
use crate::support::log::Log;
use crate::support::{builder, define, on, until, within};

/// An error of a call, whichever it is.
trait Refusal: Display {
    fn code(&self) -> &'static str;
}

impl Refusal for RotationError {
    fn code(&self) -> &'static str {
        self.code()
    }
}

impl Refusal for KeyError {
    fn code(&self) -> &'static str {
        self.code()
    }
}

/// Asks until one is answered at once, which is to be `busy` and to name the bound, and keeps those that
/// wait; no more than twice the bound.
async fn ask_until_busy<F, T, E: Refusal>(bound: usize, ask: impl Fn() -> F) -> Vec<Pin<Box<F>>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = Vec::new();
    while waiting.len() < 2 * bound {
        let mut asked = Box::pin(ask());
        match ask_and_go(&mut asked).await {
            None => waiting.push(asked),
            Some(answer) => {
                is_busy(answer, bound);
                break;
            }
        }
    }
    waiting
}

#[track_caller]
fn is_busy<T>(answer: Result<T, impl Refusal>, bound: usize) {
    let error = answer.err().expect("it is one too many");
    assert_eq!(error.code(), "busy", "{error}");
    let text = error.to_string();
    assert!(text.contains(&bound.to_string()), "{text}");
}

/// A manager with an actor that has just died, and is started again after a second. The message that killed
/// it is its first one then.
async fn without(actor: ActorName) -> KeysManagement {
    let log = Log::begin();
    let slow = builder().restart_backoff(Duration::from_secs(1));
    let manager = slow.state_repo(MemoryRepo::new()).start().await;
    let manager = manager.expect("it starts");
    let key = SecretKeyDefinition::round_trip("documents", || "value_1").max_requests(8);
    define(&manager, key).await;
    assert!(manager.kill_actor(&actor, 1));
    drop(ask_and_go(manager.get_back_path_key("documents")).await);
    drop(ask_and_go(manager.remove_worker("nobody")).await);
    let actor = actor.to_string();
    until("it has died", async || {
        !log.lines(&[&actor, "died and is restarted"]).is_empty()
    })
    .await;
    manager
}

/// Tries until so many were admitted, and no more: on a busy machine the second may be over before.
async fn admits(bound: usize, attempt: impl AsyncFn() -> usize) {
    let mut admitted = Vec::new();
    while admitted.len() < 20 {
        admitted.push(attempt().await);
        if admitted.last() == Some(&bound) {
            return;
        }
    }
    panic!("the bound is {bound}, and so many were admitted: {admitted:?}");
}

fn unknown() -> RotationId {
    RotationId::new(Uuid::from_u128(7))
}

#[tokio::test]
async fn no_more_than_64_listings_wait_for_the_coordinator() {
    admits(64, async || {
        let manager = without(ActorName::Coordinator).await;
        ask_until_busy(64, || manager.rotations()).await.len()
    })
    .await;
}

#[tokio::test]
async fn no_more_than_16384_messages_lie_in_the_mailbox_of_the_coordinator() {
    admits(16_384, async || {
        let manager = without(ActorName::Coordinator).await;
        let waiting = ask_until_busy(16_384, || manager.wait(unknown())).await;
        1 + waiting.len()
    })
    .await;
}

#[tokio::test]
async fn no_more_messages_lie_in_the_mailbox_of_a_key_than_its_requests_and_1024() {
    let bound = 8 + 1_024;
    admits(bound, async || {
        let key = ActorName::Key(KeyName::new("documents").expect("a name"));
        let manager = without(key).await;
        // A caller that goes frees its place at once; its message stays until the actor sees it.
        for asked in 0..2 * bound {
            if let Some(answer) = ask_and_go(manager.get_back_path_key("documents")).await {
                is_busy(answer, bound);
                return 1 + asked;
            }
        }
        2 * bound
    })
    .await;
}

#[tokio::test]
async fn no_more_than_16384_requests_wait_for_what_the_coordinator_has_to_write() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    repo.hang();
    let mut joins = Box::pin(manager.join("anna"));
    assert!(ask_and_go(&mut joins).await.is_none());
    repo.gate().arrived(1).await;
    let mut waiting = Vec::new();
    let mut refused = 0;
    while refused < 2 {
        let mut asked = Box::pin(manager.resume(unknown()));
        match ask_and_go(&mut asked).await {
            None => {
                waiting.push(asked);
                refused = 0;
            }
            // The mailbox may be full for a moment, and is not when this is answered.
            Some(answer) => {
                is_busy(answer, 16_384);
                drop(within(manager.rotations()).await.expect("it lives"));
                refused += 1;
            }
        }
        assert!(waiting.len() < 16_384, "there is no bound");
    }
    assert_eq!(waiting.len() + 1, 16_384, "with the one who joins");
    drop(waiting);
    repo.go_on();
    within(joins).await.expect("she joins");
    let answer = within(manager.resume(unknown())).await;
    assert_eq!(
        answer.expect_err("there is room again").code(),
        "unknown_rotation"
    );
}

#[tokio::test]
async fn no_more_than_1024_wait_for_what_is_read_of_the_journal() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    repo.hang();
    let waiting = ask_until_busy(1_024, || manager.history(1)).await;
    assert_eq!(waiting.len(), 1_024);
    is_busy(within(manager.wait(unknown())).await, 1_024);
    repo.go_on();
    for one in waiting {
        within(one).await.expect("what was admitted is answered");
    }
}
