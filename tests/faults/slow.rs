//! Writes that take their time.

use keyward::repo::space::Space;
use keyward::{RotationState, SecretKeyDefinition};

use crate::ground::{Callback, Ground, back, change, on, stated, with_record};
use crate::support::faulty::Fault;
use crate::support::{Gate, SHORT, define, within};

#[tokio::test]
async fn while_a_write_takes_its_time_keys_are_handed_out_and_nothing_is_accepted_or_called() {
    let ground = Ground::memory();
    let manager = with_record(&ground.repo(), "letters").await;
    within(manager.shutdown()).await.expect("it shuts down");

    let repo = ground.repo();
    let manager = on(&repo).await;
    define(
        &manager,
        SecretKeyDefinition::round_trip("documents", || "value_1"),
    )
    .await;
    define(&manager, stated("letters").request_time_limit(SHORT)).await;
    let callback = Callback::register(&manager, "documents", "call").await;
    callback.gate.open();
    let gate = Gate::default();
    repo.next_write(Space::Rotations, Fault::Waits(gate.clone()));
    let declaring = tokio::spawn({
        let manager = manager.clone();
        async move { manager.declare(change("documents")).await }
    });
    gate.arrived(1).await;

    // A forward get, one of what is held, and one that needs the record behind the write.
    for _ in 0..3 {
        let forward = within(manager.get_forward_path_key("documents")).await;
        assert_eq!(forward.expect("the store is asked").expose(), b"value_1");
        assert_eq!(back(&manager, "documents").await, "value_1");
    }
    let error = within(manager.get_back_path_key("letters")).await;
    let error = error.expect_err("its record cannot be looked for now");
    assert!(
        error.code() == "timed_out" && error.is_retriable(),
        "{error}"
    );
    let listed = within(manager.status()).await.expect("a status answers");
    assert!(listed.paused.is_none());
    assert!(!declaring.is_finished() && callback.calls() == 0);

    gate.open();
    let id = within(declaring)
        .await
        .expect("no panic")
        .expect("it is accepted");
    let report = within(manager.wait(id)).await.expect("it goes on");
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(callback.calls(), 1);
    assert_eq!(back(&manager, "letters").await, "value_1");
    within(manager.shutdown()).await.expect("it shuts down");
}
