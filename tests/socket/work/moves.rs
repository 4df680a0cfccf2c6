//! A name that goes from one process to another: who waits for it, and what still runs under it.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::poll_fn;
use keyward::{CallbackStatus, Join as Joining, KeyChange, RotationState, SecretKeyDefinition};

use crate::ground::{Ground, code};
use crate::support::alone::alone_async;
use crate::support::{Gate, change, define, in_memory, step, until, within};
use crate::work::peer::{Peer, sole};

/// A keeper whose own worker anna has a callback that has passed its limit and has not returned, and her handle is gone.
async fn stuck(gate: &Gate) -> (Ground, keyward::RotationId) {
    let keys = in_memory().await;
    let key = SecretKeyDefinition::round_trip("documents", || "value_1");
    define(&keys, key.callback_time_limit(Duration::from_millis(50))).await;
    let anna = keys.join("anna").await.unwrap();
    let waits = gate.clone();
    let hangs = move |_: KeyChange| {
        waits.pass_blocking();
    };
    anna.register_on_change("documents", "reencrypt", hangs)
        .await
        .unwrap();
    let report = within(anna.key_changed(change())).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped);
    drop(anna);
    let ground = Ground::serve(keys, |options| options).await;
    until("her handle is gone", async || {
        let workers = ground.keys.workers().await.unwrap();
        workers
            .iter()
            .any(|one| one.worker.as_str() == "anna" && !one.alive)
    })
    .await;
    (ground, report.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_gets_a_name_only_when_a_callback_of_it_in_the_keepers_process_has_returned()
 {
    let gate = Gate::default();
    let (ground, id) = stuck(&gate).await;
    let refused = Peer::join(&ground, sole("anna")).await.map(drop);
    let status = refused.as_ref().unwrap_err().clone();
    assert_eq!(code(refused), "callback_runs");
    assert_eq!(status.code(), tonic::Code::Unavailable, "it is retriable");
    // Any other name is free, and this process may have it back: its callbacks go one after the other.
    let _ben = Peer::join(&ground, sole("ben")).await.unwrap();
    drop(ground.keys.join("anna").await.unwrap());
    let waiting = keyward::wire::generated::Join {
        wait_for_name: true,
        ..sole("anna")
    };
    let mut joining = pin!(Peer::join(&ground, waiting));
    let early = tokio::time::timeout(Duration::from_millis(200), joining.as_mut()).await;
    assert!(early.is_err(), "it has the name too early");
    gate.open();
    let mut anna = within(joining).await.unwrap();
    anna.register("reencrypt", Default::default())
        .await
        .unwrap();
    anna.is_ready().await;
    ground.keys.resume(id).await.unwrap();
    let call = anna.call().await;
    anna.succeed(&call);
    let report = within(ground.keys.wait(id)).await.unwrap();
    let of_anna = step(&report, "anna", "reencrypt");
    assert_eq!(
        (of_anna.status, of_anna.attempt),
        (CallbackStatus::Succeeded, 2)
    );
    assert_eq!(gate.count(), 1);
}

/// Counts how often a future is looked at while this ends.
async fn looks<F: Future + Unpin>(mut of: F, meanwhile: impl Future<Output = ()>) -> (usize, F) {
    let (mut count, mut meanwhile) = (0, pin!(meanwhile));
    let mut counting = true;
    poll_fn(|cx| {
        if meanwhile.as_mut().poll(cx).is_ready() {
            counting = false;
        }
        if counting {
            count += 1;
            assert!(
                std::pin::Pin::new(&mut of).poll(cx).is_pending(),
                "it waits"
            );
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
    (count, of)
}

#[test]
fn who_waits_for_a_name_is_woken_when_it_is_free_and_does_not_look_again_and_again() {
    // Other managers of this process wake it too.
    alone_async(
        who_waits_for_a_name_is_woken_when_it_is_free_and_does_not_look_again_and_again,
        woken_when_it_is_free(),
    );
}

async fn woken_when_it_is_free() {
    let ground = Ground::new().await;
    for leaves in [true, false] {
        let anna = ground.keys.join("anna").await.unwrap();
        let keys = ground.keys.clone();
        let waiting = Box::pin(async move { keys.join(Joining::sole("anna").waiting()).await });
        let long = tokio::time::sleep(Duration::from_millis(700));
        let (looked, waiting) = looks(waiting, long).await;
        assert!(looked < 7, "it looked {looked} times in 700 ms");
        match leaves {
            true => anna.leave().await.unwrap(),
            false => drop(anna),
        }
        within(waiting).await.unwrap().leave().await.unwrap();
    }
    // From another process to this one, and at the end of the keeper.
    let anna = Peer::ready(&ground, sole("anna")).await;
    let waiting = || ground.keys.join(Joining::sole("anna").waiting());
    let mut first = Box::pin(waiting());
    let early = tokio::time::timeout(Duration::from_millis(50), first.as_mut()).await;
    assert!(early.is_err());
    anna.drop_handle();
    let _anna = within(first).await.unwrap();
    let mut second = Box::pin(waiting());
    let early = tokio::time::timeout(Duration::from_millis(50), second.as_mut()).await;
    assert!(early.is_err());
    let keys = ground.keys.clone();
    let (ended, refused) = tokio::join!(within(keys.shutdown()), within(second));
    ended.unwrap();
    assert_eq!(refused.err().map(|error| error.code()), Some("shut_down"));
}
