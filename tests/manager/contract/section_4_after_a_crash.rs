//! Section 4: what a program finds after a restart, gone workers, failed writes and records that
//! cannot be read. The kills are in `processes/crash`.

use std::future::Future;
use std::time::Duration;

use keyward::repo::space::Space;
use keyward::{
    CallbackStatus, Change, Effect, KeyChange, KeysManagement, RotationError, RotationId,
    RotationState,
};

use crate::support::log::Log;
use crate::support::{Gate, SHORT, builder, change, define, error, step, until, within};
use crate::world::{Disk, Source, back, end, forward, waits_at};

/// Waits longer than keyward needs to open its repo again.
async fn mended<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what)
        .await
        .expect("it goes on")
}

async fn stopped(manager: &KeysManagement) -> RotationId {
    let fails = |_: KeyChange| Err::<(), _>("no");
    manager
        .register_on_change("documents", "fails", fails)
        .await
        .unwrap();
    within(manager.key_changed(change())).await.unwrap().id
}

#[tokio::test]
async fn a_rotation_goes_on_by_itself_as_soon_as_its_key_worker_and_callback_are_there() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    let gate = Gate::default();
    let call = waits_at(&gate);
    let worker = manager.join("worker").await.unwrap();
    worker
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let id = manager.declare(change()).await.unwrap();
    gate.arrived(1).await;
    drop(worker);
    end(manager).await;
    let manager = disk.life().await;
    let attempts = async || manager.rotations().await.unwrap()[0].steps[0].attempt;
    assert_eq!(attempts().await, 1);
    define(&manager, Source::new("v").documents()).await;
    let worker = manager.join("worker").await.unwrap();
    assert_eq!(attempts().await, 1);
    let tells = |change: KeyChange| {
        assert_eq!(change.key.attempt(), 2);
        assert_eq!(
            change.new_keys.unwrap().back().expose_str(),
            Some("value_2")
        );
    };
    worker
        .register_on_change("documents", "callback", tells)
        .await
        .unwrap();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!((report.id, report.state), (id, RotationState::Completed));
}

#[tokio::test]
async fn a_stopped_rotation_waits_for_the_operator() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    let id = stopped(&manager).await;
    end(manager).await;
    let manager = disk.life_with(Source::new("v").documents()).await;
    manager
        .register_on_change("documents", "fails", |_: KeyChange| {})
        .await
        .unwrap();
    // A later one runs and ends, so the earlier one has had its chance.
    drop(within(manager.key_changed(change())).await.unwrap());
    let listed = manager.rotations().await.unwrap();
    let report = listed.iter().find(|report| report.id == id).unwrap();
    assert_eq!(
        (report.state, report.steps[0].attempt),
        (RotationState::Obsolete, 1)
    );
}

#[tokio::test]
async fn a_step_whose_worker_stays_away_has_failed_after_the_time_that_is_set() {
    let disk = Disk::default();
    let start = async || {
        let started = builder()
            .state_repo(disk.clone())
            .worker_wait(Some(SHORT))
            .start()
            .await;
        started.unwrap()
    };
    let manager = start().await;
    define(&manager, Source::new("v").documents()).await;
    let worker = manager.join("worker").await.unwrap();
    worker
        .register_on_change("documents", "callback", |_: KeyChange| {})
        .await
        .unwrap();
    drop(worker);
    let report = within(manager.key_changed(change())).await.unwrap();
    assert!(error(&report, "worker", "callback").contains("worker gone"));
    manager.abort(report.id, &["worker"]).await.unwrap();
    end(manager).await;
    // After a restart the time counts from the definition of the key.
    let manager = start().await;
    define(&manager, Source::new("v").documents()).await;
    let report = within(manager.key_changed(change())).await.unwrap();
    assert_eq!(
        step(&report, "worker", "callback").status,
        CallbackStatus::Failed
    );
    assert_eq!(report.state, RotationState::Stopped);
}

#[tokio::test]
async fn a_failed_write_is_unknown_and_keyward_goes_on_once_the_repo_is_well() {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let manager = disk.life_with(source.documents().stateless(false)).await;
    manager
        .register_on_change("documents", "callback", |_: KeyChange| {})
        .await
        .unwrap();
    forward(&manager).await;
    disk.set_broken(true);
    let Err(RotationError::Unwritten { id: Some(id), .. }) = manager.declare(change()).await else {
        panic!("the outcome of the write is unknown");
    };
    let paused = manager.status().await.unwrap().paused;
    assert!(paused.is_some());
    // What needs the repo is refused and may be tried again; keys are handed out.
    let refused = manager.declare(change()).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.is_retriable()),
        ("repo_unavailable", true)
    );
    let refused = manager.save_state("documents").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.is_retriable()),
        ("repo_unavailable", true)
    );
    assert_eq!(forward(&manager).await, "value_1");
    assert_eq!(back(&manager).await, "value_1");
    disk.set_broken(false);
    mended(until("rotations go on", async || {
        manager.status().await.unwrap().paused.is_none()
    }))
    .await;
    // The write was not made, and keyward says so now.
    assert_eq!(
        manager.wait(id).await.unwrap_err().code(),
        "unknown_rotation"
    );
    let report = within(manager.key_changed(change())).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    manager.save_state("documents").await.unwrap();
}

#[tokio::test]
async fn a_result_that_could_not_be_written_is_kept_and_waiters_go_on_waiting() {
    let disk = Disk::default();
    let manager = disk
        .life_with(Source::new("value_1").documents().stateless(false))
        .await;
    let gate = Gate::default();
    let passed = gate.clone();
    let call = move |_: KeyChange| {
        let passed = passed.clone();
        async move {
            passed.pass().await;
            Effect::Reencrypted
        }
    };
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let id = manager.declare(change()).await.unwrap();
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait(id).await }
    });
    gate.arrived(1).await;
    disk.set_broken(true);
    gate.open();
    until("rotations pause", async || {
        manager.status().await.unwrap().paused.is_some()
    })
    .await;
    disk.set_broken(false);
    let report = mended(waiting).await.unwrap().unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!((report.steps[0].attempt, gate.count()), (1, 1));
    assert_eq!(back(&manager).await, "value_2");
}

#[tokio::test]
async fn an_unreadable_rotation_keeps_its_key_waiting_until_it_is_dismissed() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    define(&manager, Source::new("v").round_trip("other")).await;
    let id = stopped(&manager).await;
    end(manager).await;
    let spoilt = std::cell::Cell::new(0);
    disk.spoil(Space::Rotations, |_| {
        spoilt.set(spoilt.get() + 1);
        spoilt.get() == 1
    });
    let manager = disk.life_with(Source::new("v").documents()).await;
    define(&manager, Source::new("v").round_trip("other")).await;
    manager
        .register_on_change("documents", "fails", |_: KeyChange| {})
        .await
        .unwrap();
    let status = manager.status().await.unwrap();
    let unreadable = &status.unreadable_rotations[0];
    assert_eq!((unreadable.id, unreadable.key.as_str()), (id, "documents"));
    assert!(unreadable.unfinished);
    assert_eq!(
        manager.resume(id).await.unwrap_err().code(),
        "rotation_unreadable"
    );
    // Nothing else stops, and this key takes declarations.
    let beside = within(manager.key_changed(Change::of("other")))
        .await
        .unwrap();
    assert_eq!(beside.state, RotationState::Completed);
    let next = manager.declare(change()).await.unwrap();
    let listed = manager.rotations().await.unwrap();
    assert_eq!(listed[0].state, RotationState::Waiting);
    manager.dismiss(id).await.unwrap();
    assert_eq!(
        within(manager.wait(next)).await.unwrap().state,
        RotationState::Completed
    );
    assert!(!disk.all(Space::Quarantine).is_empty());
}

#[tokio::test]
async fn a_manager_that_was_taken_over_says_once_that_its_journal_is_lost_and_tries_nothing_again()
{
    let log = Log::begin();
    let disk = Disk::default();
    let first = disk
        .life_with(Source::new("v").round_trip("overtaken"))
        .await;
    let second = disk.life().await;
    for _ in 0..3 {
        let declared = within(first.declare(Change::of("overtaken"))).await;
        assert_eq!(declared.unwrap_err().code(), "fenced");
    }
    assert_eq!(first.status().await.unwrap().lost, Some("fenced"));
    assert_eq!(second.status().await.unwrap().lost, None);
    let told = || log.lines(&["ERROR", "lost for good", "fenced"]).len();
    until("it is told", async || told() > 0).await;
    within(first.shutdown()).await.unwrap();
    assert_eq!(told(), 1);
    end(second).await;
}

#[tokio::test]
async fn rotations_are_ordered_by_their_numbers_and_not_by_their_ids() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    let gate = Gate::default();
    let call = waits_at(&gate);
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let ids = [9_u128, 5, 7, 1].map(uuid::Uuid::from_u128);
    for id in ids {
        manager.declare(change().id(id)).await.unwrap();
    }
    end(manager).await;
    let manager = disk.life().await;
    let listed = manager.rotations().await.unwrap();
    assert_eq!(
        listed.iter().map(|r| r.id.as_uuid()).collect::<Vec<_>>(),
        ids
    );
    assert!(listed.is_sorted_by_key(|report| report.sequence));
}
