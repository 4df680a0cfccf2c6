//! Values that a program gets from a manager whose keys they come from, and of the side that runs
//! callbacks.

use std::sync::{Arc, Mutex};

use keyward::key::state::{Effect, Staged};
use keyward::repo::space::Space;
use keyward::rotation::event::StepOutcome;
use keyward::worker::call::CallEnd;
use keyward::worker::callback::IntoCallback;
use keyward::{AeadCryptoTool, Change, KeyChange, KeysManagement, RotationError, SecretKeyValue};

use crate::canary::{self, MASTER, SET};
use crate::errors::repo::Disk;
use crate::story::{ask_for_keys, builder, define, leave_one_running};
use crate::support::within;
use crate::types::Shown;

pub(super) async fn all(shown: &mut Shown) {
    let disk = Disk::default();
    shown.value(&builder());
    let manager = builder().state_repo(disk.clone()).start().await;
    let manager = manager.expect("it starts");
    define(&manager).await;
    ask_for_keys(&manager, &shown.said).await;
    handles(shown, &manager).await;
    callbacks(shown, &manager).await;
    leave_one_running(&manager, &shown.said).await;
    listings(shown, &manager).await;
    within(manager.shutdown()).await.expect("it shuts down");
    loaded(shown, &disk);
}

async fn handles(shown: &mut Shown, manager: &KeysManagement) {
    shown.value(manager);
    let forward = manager.get_forward_path_key("documents").await;
    shown.value(&forward.expect("a key"));
    let single = manager.get_single_management("documents");
    let single = single.expect("it is defined");
    shown.value(&single);
    let worker = manager.join("w2").await.expect("it joins");
    shown.value(&worker);
}

async fn callbacks(shown: &mut Shown, manager: &KeysManagement) {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let fails = move |change: KeyChange| {
        let set = change.key.set_previous_keys(SET);
        set.expect("it fits");
        let new = change.new_keys.as_ref().expect("they were declared");
        let text = new.forward().expose_str().expect("a text").to_owned();
        keep.lock().unwrap().replace(change);
        Err::<Effect, _>(text)
    };
    let callback = fails.into_callback();
    shown.value(&callback);
    let registered = manager
        .register_on_change("documents", "fails", callback)
        .await;
    registered.expect("it registers");
    let change = Change::of("documents")
        .old(canary::old())
        .new_keys(canary::new());
    shown.value(&change);
    let error = within(manager.key_changed(change)).await;
    let RotationError::Raised { report } = error.expect_err("it raises") else {
        panic!("it was refused");
    };
    shown.value(&*report);
    let recovered = manager.recover_keys(report.id).await;
    shown.value(&recovered.expect("it holds its keys"));
    let change = kept.lock().unwrap().take().expect("it was called");
    shown.value(&change.key);
    shown.value(&change);
    shown.value(&CallEnd {
        outcome: StepOutcome::Done {
            effect: Effect::Nothing,
            staged: true,
        },
        staged: vec![Staged::PreviousKeys(canary::old())],
    });
}

async fn listings(shown: &mut Shown, manager: &KeysManagement) {
    let status = manager.status().await.expect("a status");
    assert_eq!(status.rotations.len(), 2, "{status:?}");
    shown.value(&status);
    shown.said.add(&status.to_string());
    shown
        .said
        .add(&serde_json::to_string(&status).expect("it is plain data"));
    shown.value(&manager.history(10).await.expect("a history"));
}

/// What the next life finds, and what it cannot read.
fn loaded(shown: &mut Shown, disk: &Disk) {
    let open = || {
        let database = keyward::journal::database::Database::open(Arc::new(disk.clone()));
        let database = database.expect("it has an id");
        let tool = AeadCryptoTool::derive(&SecretKeyValue::from(MASTER), &database.id());
        let tool = Arc::new(tool.expect("a good key"));
        database.unlock(tool).expect("the same master key")
    };
    let loaded = open().load().expect("the repo answers");
    assert!(!loaded.secrets.is_empty(), "rotations hold their keys");
    shown.value(&loaded);
    disk.spoil(Space::Roster);
    disk.spoil(Space::Rotations);
    let journal = open();
    let loaded = journal.load().expect("the repo answers");
    shown.value(&loaded.unreadable[0]);
    shown.value(&loaded);
    shown.value(&journal.history(10, None).expect("the repo answers"));
}
