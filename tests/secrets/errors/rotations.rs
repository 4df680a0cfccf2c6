//! What calls about rotations, workers and callbacks are refused with.

use std::sync::{Arc, Mutex};

use keyward::repo::space::Space;
use keyward::secret::value::MAX_VALUE_BYTES;
use keyward::{
    CallbackName, CallbackOf, Change, Join, KeyChange, KeyName, KeysManagement, RotationError,
    RotationId, SecretKeyDefinition, Sharing, Uuid, WorkerName, block_on,
};

use crate::canary::{self, DECLARED, NEW_FORWARD, TOKEN};
use crate::errors::Seen;
use crate::errors::repo::Disk;
use crate::story::{builder, define, documents};
use crate::support::{self, Gate, SHORT, within};

pub(super) fn change() -> Change {
    Change::of("documents")
        .old(canary::old())
        .new_keys(canary::new())
}

pub(super) async fn all(seen: &mut Seen) {
    let disk = Disk::default();
    let started = builder().state_repo(disk.clone()).max_callbacks(2);
    let manager = started.start().await.expect("it starts");
    support::define(&manager, documents().max_waiting_rotations(1)).await;
    declarations(seen, &manager).await;
    workers(seen, &manager).await;
    let id = failed(seen, &manager).await;
    running(seen, &manager).await;
    within(manager.shutdown()).await.expect("it shuts down");
    seen.refused("ShutDown", manager.declare(change()).await);
    unreadable(seen, &disk, id).await;
    full(seen).await;
    let error = RotationError::Busy { bound: 65_536 };
    let why = "65,536 requests at once are too many for a test; it holds a number";
    seen.constructed("Busy", error, why);
    let (id, limit) = (None, SHORT);
    let why = "a test of faults has a repo that hangs; it holds an id and a time";
    seen.constructed("TimedOut", RotationError::TimedOut { id, limit }, why);
}

async fn declarations(seen: &mut Seen, manager: &KeysManagement) {
    let twice = manager.define_key(documents()).await;
    seen.refused("InvalidDefinition", twice);
    let missing = Change::of("missing").old(DECLARED).new_keys(NEW_FORWARD);
    seen.refused("KeyNotDefined", manager.declare(missing).await);
    let long = TOKEN.repeat(MAX_VALUE_BYTES / TOKEN.len() + 1);
    let long = Change::of("documents").old(DECLARED).new_keys(long);
    seen.said.add(&long);
    seen.refused("InvalidKey", manager.declare(long).await);
    let same = Change::of("documents").old(DECLARED).new_keys(DECLARED);
    seen.refused("SameKeys", manager.declare(same).await);
    let fails = Change::of("documents").old(DECLARED);
    let fails = fails.new_from(|| Err::<&str, _>(format!("no {DECLARED}")));
    seen.refused("StoreFailed", manager.declare(fails).await);
    let never = || std::future::pending::<String>();
    let late = SecretKeyDefinition::round_trip("late", never);
    support::define(manager, late.request_time_limit(SHORT)).await;
    let late = Change::of("late").old_from_store();
    seen.refused("OfKey", manager.declare(late).await);
    let unknown = RotationId::new(Uuid::from_u128(7));
    seen.refused("Unknown", manager.wait(unknown).await);
    let id = Uuid::from_u128(8);
    let report = within(manager.key_changed(change().id(id))).await;
    seen.said.add(&report.expect("nobody has a callback yet"));
    let other = Change::of("documents").old(DECLARED).id(id);
    seen.refused("OtherDeclaration", manager.declare(other).await);
    let resumed = manager.resume(RotationId::new(id)).await;
    seen.refused("WrongState", resumed);
}

/// What is refused of instances of other processes.
fn at_other_processes(seen: &mut Seen) {
    let reason = "it is made of names and numbers, and other processes bring it about";
    let worker = || WorkerName::new("w1").expect("a name");
    let sharing = Sharing::Shared;
    let shared = RotationError::OtherSharing {
        worker: worker(),
        sharing,
    };
    seen.constructed("OtherSharing", shared, reason);
    let kind = RotationError::OtherKind {
        worker: worker(),
        key: KeyName::new("documents").expect("a name"),
        callback: CallbackName::new("first").expect("a name"),
        of: CallbackOf::Memory,
    };
    seen.constructed("OtherKind", kind, reason);
    let number = 7;
    let unknown = RotationError::UnknownInstance {
        worker: worker(),
        number,
    };
    seen.constructed("UnknownInstance", unknown, reason);
    let others = RotationError::OtherInstances {
        worker: worker(),
        others: 2,
    };
    seen.constructed("OtherInstances", others, reason);
    let why = "instance 7 (process 8) has not returned".to_owned();
    let runs = RotationError::StillRuns {
        worker: worker(),
        why,
    };
    seen.constructed("StillRuns", runs, reason);
}

async fn workers(seen: &mut Seen, manager: &KeysManagement) {
    seen.refused("InvalidName", manager.join("").await);
    for (variant, reason) in [
        ("ControlCharacter", "a\nb"),
        ("TooLong", &"r".repeat(1_025)),
    ] {
        let error = manager.because(reason).expect_err("no reason");
        if let RotationError::InvalidReason(reason) = &error {
            seen.real(variant, reason.clone());
        }
        seen.real("InvalidReason", error);
    }
    let worker = manager.join("w1").await.expect("it joins");
    seen.refused("WorkerNameTaken", manager.join("w1").await);
    seen.refused("SoleHere", manager.join(Join::shared("w2")).await);
    at_other_processes(seen);
    seen.refused("UnknownWorker", manager.remove_worker("nobody").await);
    let nothing = |_: KeyChange| {};
    for name in ["first", "second"] {
        let registered = worker.register_on_change("documents", name, nothing).await;
        registered.expect("it registers");
    }
    let again = worker.register_on_change("documents", "first", nothing);
    seen.refused("CallbackTaken", again.await);
    let third = worker.register_on_change("documents", "third", nothing);
    seen.refused("TooManyCallbacks", third.await);
    let removed = manager.remove_callback("w1", "documents", "third").await;
    seen.refused("UnknownCallback", removed);
    worker.leave().await.expect("nothing of it runs");
}

/// A rotation whose callback quotes its keys, and what can still be said about it.
async fn failed(seen: &mut Seen, manager: &KeysManagement) -> RotationId {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let quotes = move |change: KeyChange| {
        let manager_asks = block_on(change.key.declare(Change::of("missing").old(DECLARED)));
        keep.lock()
            .unwrap()
            .push((change.key.clone(), manager_asks));
        let new = change.new_keys.expect("they were declared");
        let text = new.forward().expose_str().expect("a text").to_owned();
        Err::<(), _>(text)
    };
    let registered = manager
        .register_on_change("documents", "quotes", quotes)
        .await;
    registered.expect("it registers");
    let error = within(manager.key_changed(change())).await;
    let error = error.expect_err("it raises");
    let RotationError::Raised { report } = &error else {
        panic!("{error}");
    };
    let id = report.id;
    assert!(report.failed().count() == 1, "{report:?}");
    seen.real("Raised", error);
    seen.refused("NotConfirmed", manager.abort(id, &[]).await);
    let (handle, refused) = kept.lock().unwrap().pop().expect("it was called");
    seen.refused("KeyNotDefined", refused);
    seen.refused("HandleExpired", handle.declare(change()).await);
    id
}

/// What is refused while a callback runs, and inside of it.
async fn running(seen: &mut Seen, manager: &KeysManagement) {
    let (gate, inner) = (Gate::default(), manager.clone());
    let refused = Arc::new(Mutex::new(Vec::new()));
    let (held, keep) = (gate.clone(), Arc::clone(&refused));
    let waits = move |_: KeyChange| {
        let (gate, manager, keep) = (held.clone(), inner.clone(), Arc::clone(&keep));
        async move {
            let shutdown = manager.shutdown().await;
            let blocking = block_on(manager.declare(change()));
            keep.lock().unwrap().extend(shutdown.err());
            keep.lock().unwrap().extend(blocking.err());
            gate.pass().await;
        }
    };
    let removed = manager.remove_callback("main", "documents", "quotes");
    removed.await.expect("it does not run");
    let registered = manager
        .register_on_change("documents", "waits", waits)
        .await;
    registered.expect("it registers");
    let without_new = Change::of("documents").old(DECLARED);
    let running = manager.declare(without_new).await.expect("it is accepted");
    gate.arrived(1).await;
    let of_store = Change::of("documents").old_from_store();
    seen.refused("RotationUnfinished", manager.declare(of_store).await);
    let waiting = manager.declare(change()).await;
    waiting.expect("one may wait");
    seen.refused("TooManyWaiting", manager.declare(change()).await);
    seen.refused("CallbackRuns", manager.abort(running, &["main"]).await);
    seen.said.add(&manager.status().await.expect("a status"));
    gate.open();
    let report = within(manager.wait(running)).await;
    seen.said.add(&report.expect("it completes"));
    let refused = std::mem::take(&mut *refused.lock().unwrap());
    for (error, variant) in refused.into_iter().zip(["InsideCallback", "MustNotBlock"]) {
        seen.real(variant, error);
    }
}

/// The next life, in which the records of all rotations are spoiled.
async fn unreadable(seen: &mut Seen, disk: &Disk, id: RotationId) {
    disk.spoil(Space::Rotations);
    let next = builder().state_repo(disk.clone()).start().await;
    let next = next.expect("it starts");
    define(&next).await;
    seen.said.add(&next.status().await.expect("a status"));
    seen.refused("Unreadable", next.resume(id).await);
    within(next.shutdown()).await.expect("it shuts down");
}

async fn full(seen: &mut Seen) {
    let disk = Disk::default();
    let started = builder().state_repo(disk.clone()).start().await;
    let manager = started.expect("it starts");
    define(&manager).await;
    disk.fill();
    seen.refused("Unwritten", manager.declare(change()).await);
    // The repo is reopened at once, and takes one more write then.
    let error = loop {
        match manager.declare(change()).await {
            Err(error) if error.code() == "write_unknown" => {}
            other => break other,
        }
    };
    seen.refused("RepoUnavailable", error);
    seen.said.add(&manager.status().await.expect("a status"));
    within(manager.shutdown()).await.expect("it shuts down");
}
