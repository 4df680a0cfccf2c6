//! A worker that never answers its callback holds up its own rotation, until its time limit, and
//! nothing else.

use std::time::Duration;

use futures_util::future::join_all;
use keyward::rotation::report::WaitsFor;
use keyward::worker::callback::{Callback, IntoCallback, KeyChange};
use keyward::{
    CallbackStatus, Change, KeysManagement, MemoryRepo, RotationReport, RotationState, Worker,
};

use crate::load::clients::{told, waiting};
use crate::load::source::Source;
use crate::support::{Gate, SHORT, Story, builder, define, error, statuses, step, until, within};

/// A time limit that does not pass in a test.
const NEVER: Duration = Duration::from_secs(3_600);

/// Hangs without holding a thread.
fn pending() -> Callback {
    (async |_: KeyChange| std::future::pending::<()>().await).into_callback()
}

/// Hangs at the gate, on a thread.
fn blocked(gate: &Gate) -> Callback {
    let gate = gate.clone();
    (move |_: KeyChange| gate.pass_blocking()).into_callback()
}

async fn register(worker: &Worker, key: &str, callback: Callback) {
    let registered = worker.register_on_change(key, "callback", callback).await;
    registered.expect("it registers");
}

/// A manager with the worker `anna`, and the keys `stuck`, with this time limit of its callbacks,
/// and `other`. Her callback of the second ends at once.
async fn with_anna(limit: Duration) -> (KeysManagement, Worker) {
    let quick = builder().worker_wait(Some(SHORT)).callback_threads(2);
    let started = quick.state_repo(MemoryRepo::new()).start().await;
    let manager = started.expect("it starts");
    let stuck = Source::default().round_trip("stuck");
    define(&manager, stuck.callback_time_limit(limit)).await;
    define(&manager, Source::default().round_trip("other")).await;
    let anna = manager.join("anna").await.expect("she joins");
    register(&anna, "other", (|_: KeyChange| {}).into_callback()).await;
    (manager, anna)
}

async fn change(manager: &KeysManagement, key: &str) -> RotationReport {
    let report = within(manager.key_changed(Change::of(key).new_keys("value_2"))).await;
    report.expect("it ends")
}

/// While her callback of `stuck` hangs, hers of `other` is called, keys are handed out, and changes
/// of `stuck` are taken up.
async fn all_else_goes_on(manager: &KeysManagement) {
    for _ in 0..20 {
        let report = change(manager, "other").await;
        assert_eq!(report.state, RotationState::Completed);
        assert_eq!(step(&report, "anna", "callback").attempt, 1);
        for key in ["stuck", "other"] {
            let answer = within(manager.get_forward_path_key(key)).await;
            assert_eq!(told(answer), "value_1");
        }
    }
    let next = within(manager.declare(Change::of("stuck"))).await;
    let next = next.expect("it is accepted");
    let listed = manager.rotations().await.expect("it lives");
    let states: Vec<RotationState> = listed.iter().map(|report| report.state).collect();
    assert_eq!(states, [RotationState::Running, RotationState::Waiting]);
    assert_eq!(statuses(&listed[0]), [CallbackStatus::InProgress]);
    let id = listed[0].id;
    assert_eq!(
        (listed[1].id, &listed[1].waits_for[..]),
        (next, &[WaitsFor::Rotation { id }][..])
    );
}

#[tokio::test]
async fn an_async_callback_that_never_answers_holds_up_only_its_own_rotation() {
    let (manager, anna) = with_anna(NEVER).await;
    register(&anna, "stuck", pending()).await;
    let declared = manager.declare(Change::of("stuck")).await;
    declared.expect("it is accepted");
    until("her callback is called", async || {
        let listed = manager.rotations().await.expect("it lives");
        statuses(&listed[0]) == [CallbackStatus::InProgress]
    })
    .await;
    all_else_goes_on(&manager).await;
}

#[tokio::test]
async fn a_blocking_callback_that_never_answers_holds_up_only_its_own_rotation() {
    let ((manager, anna), gate) = (with_anna(NEVER).await, Gate::default());
    register(&anna, "stuck", blocked(&gate)).await;
    let declared = manager.declare(Change::of("stuck")).await;
    declared.expect("it is accepted");
    gate.arrived(1).await;
    all_else_goes_on(&manager).await;
    gate.open();
}

#[tokio::test]
async fn when_its_time_limit_passes_an_async_callback_has_failed_and_the_next_rotation_begins() {
    let (manager, anna) = with_anna(SHORT).await;
    register(&anna, "stuck", pending()).await;
    for _ in 0..2 {
        let report = change(&manager, "stuck").await;
        assert_eq!(report.state, RotationState::Stopped);
        let said = error(&report, "anna", "callback");
        assert!(said.contains("time limit"), "{said}");
        assert_eq!(
            change(&manager, "other").await.state,
            RotationState::Completed
        );
    }
}

#[tokio::test]
async fn when_its_time_limit_passes_a_blocking_callback_still_runs_and_bars_its_own_key_only() {
    let ((manager, anna), gate) = (with_anna(SHORT).await, Gate::default());
    register(&anna, "stuck", blocked(&gate)).await;
    let report = change(&manager, "stuck").await;
    assert_eq!(report.state, RotationState::Stopped);
    let said = error(&report, "anna", "callback");
    assert!(said.contains("still running"), "{said}");
    // The next change waits for the call that has not returned, and not for ever.
    let report = change(&manager, "stuck").await;
    assert_eq!(report.state, RotationState::Stopped);
    assert_eq!(step(&report, "anna", "callback").attempt, 0, "not called");
    let said = error(&report, "anna", "callback");
    assert!(said.contains("still running"), "{said}");
    assert_eq!(gate.count(), 1);
    for _ in 0..10 {
        assert_eq!(
            change(&manager, "other").await.state,
            RotationState::Completed
        );
    }
    gate.open();
    within(manager.resume(report.id))
        .await
        .expect("it is taken up");
    let report = within(manager.wait(report.id)).await.expect("it ends");
    assert_eq!(report.state, RotationState::Completed);
}

#[tokio::test]
async fn where_every_thread_for_callbacks_hangs_async_ones_and_keys_go_on() {
    let ((manager, anna), gate) = (with_anna(SHORT).await, Gate::default());
    let key = Source::default().round_trip("async");
    define(&manager, key).await;
    register(&anna, "async", (async |_: KeyChange| {}).into_callback()).await;
    for key in ["stuck 1", "stuck 2"] {
        let stuck = Source::default().round_trip(key);
        define(&manager, stuck.callback_time_limit(SHORT)).await;
        register(&anna, key, blocked(&gate)).await;
        let said = change(&manager, key).await;
        assert!(error(&said, "anna", "callback").contains("still running"));
    }
    let report = change(&manager, "other").await;
    let said = error(&report, "anna", "callback");
    assert!(said.contains("no thread was free"), "{said}");
    assert_eq!(step(&report, "anna", "callback").attempt, 0, "not called");
    assert_eq!(
        change(&manager, "async").await.state,
        RotationState::Completed
    );
    let answer = within(manager.get_forward_path_key("other")).await;
    assert_eq!(told(answer), "value_1");
    gate.open();
    within(manager.resume(report.id))
        .await
        .expect("it is taken up");
    let report = within(manager.wait(report.id)).await.expect("it ends");
    assert_eq!(report.state, RotationState::Completed);
}

#[tokio::test]
async fn a_rotation_runs_and_its_handle_is_answered_while_every_place_of_the_key_is_taken() {
    let (manager, anna) = with_anna(NEVER).await;
    let source = Source::default();
    // Gets take all four of its places; the store is being asked for three of them.
    let full = source.round_trip("full").stateless(false).max_requests(4);
    define(&manager, full).await;
    let answer = within(manager.get_forward_path_key("full")).await;
    assert_eq!(told(answer), "value_1");
    let call = async |change: KeyChange| {
        let key = change.key;
        key.save_state().await.map_err(|error| error.to_string())?;
        let other = key.declare(Change::of("other")).await;
        other.map(drop).map_err(|error| error.to_string())
    };
    register(&anna, "full", call.into_callback()).await;
    source.hang();
    let mut asked = Vec::new();
    for _ in 0..3 {
        let manager = manager.clone();
        asked.push(tokio::spawn(async move {
            told(manager.get_forward_path_key("full").await)
        }));
    }
    until("they wait", async || waiting(&manager, "full").await == 3).await;
    let report = change(&manager, "full").await;
    assert_eq!(report.state, RotationState::Completed, "{report:?}");
    assert_eq!(waiting(&manager, "full").await, 3, "they wait still");
    source.go_on();
    for answer in asked {
        assert_eq!(within(answer).await.expect("no panic"), "value_1");
    }
}

#[tokio::test]
async fn a_callback_that_floods_through_its_handle_is_busy_beyond_a_bound() {
    let (manager, anna) = with_anna(NEVER).await;
    let source = Source::default();
    // Nothing is held, so each save has to ask the store for the back half.
    let key = source.round_trip("full").stateless(false);
    define(&manager, key.keep_in_cache(false)).await;
    let answer = within(manager.get_forward_path_key("full")).await;
    assert_eq!(told(answer), "value_1");
    let story = Story::default();
    let told_by_it = story.clone();
    let floods = move |change: KeyChange| {
        let (key, story) = (change.key, told_by_it.clone());
        async move {
            let saves = (0..2_000).map(|_| async {
                let saved = key.save_state().await;
                story.tell(saved.map_or_else(|error| error.code(), |()| "saved"));
            });
            join_all(saves).await;
        }
    };
    register(&anna, "full", floods.into_callback()).await;
    source.hang();
    let declared = manager
        .declare(Change::of("full").new_keys("value_2"))
        .await;
    let id = declared.expect("it is accepted");
    until("all others have been refused", async || {
        let waiting = waiting(&manager, "full").await;
        waiting > 0 && waiting + story.lines().len() == 2_000
    })
    .await;
    let admitted = waiting(&manager, "full").await;
    assert_eq!(admitted, 256, "requests of a handle that wait");
    assert_eq!(story.lines(), vec!["busy"; 2_000 - admitted]);
    source.go_on();
    let report = within(manager.wait(id)).await.expect("it ends");
    assert_eq!(report.state, RotationState::Completed);
}
