//! What a request for a key is refused with.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use keyward::repo::space::Space;
use keyward::secret::value::{InvalidKey, MAX_VALUE_BYTES};
use keyward::wire::generated::ValueOrPair;
use keyward::{
    Change, Client, KeyChange, KeyError, KeysManagement, RotationError, SecretKeyDefinition,
    SecretKeyFlow, SecretKeyValue, SecretKeys, VersionId, VersionsError, block_on,
};

use crate::canary::{self, SET, TOKEN, TOLD};
use crate::errors::Seen;
use crate::errors::repo::Disk;
use crate::story::{builder, define, documents};
use crate::support::{self, Gate, SHORT, within};

pub(super) async fn all(seen: &mut Seen) {
    let disk = Disk::default();
    let started = builder().state_repo(disk.clone()).max_worker_requests(1);
    let manager = started.start().await.expect("it starts");
    define(&manager).await;
    refusals(seen, &manager).await;
    invalid(seen, &manager).await;
    late(seen, &manager).await;
    busy(seen, &manager).await;
    blocking(seen, &manager).await;
    candidates(seen, &manager).await;
    expired(seen, &manager).await;
    versions(seen, &manager).await;
    records(seen, &manager, &disk).await;
    within(manager.shutdown()).await.expect("it shuts down");
    seen.refused("ShutDown", manager.get_key("documents").await);
    let key = keyward::key::name::KeyName::new("documents").expect("a name");
    let why = "each definition is refused through the coordinator, as a rotation's error";
    let error = KeyError::InvalidDefinition {
        key: key.clone(),
        why: why.to_owned(),
    };
    seen.constructed("InvalidDefinition", error, why);
    let elsewhere = Client::at("/nowhere/keyward.sock").await;
    let elsewhere = elsewhere.expect_err("nobody listens there");
    seen.real("Keeper", KeyError::from(elsewhere.clone()));
    seen.real("Keeper", RotationError::from(elsewhere.clone()));
    seen.real("KeeperError", elsewhere);
    let message = ValueOrPair {
        value: None,
        back: Some((&SecretKeyValue::from(TOLD)).into()),
    };
    seen.refused("InvalidMessage", SecretKeys::try_from(message));
    let why = "it says that an actor is gone, and holds nothing but the name of the key";
    seen.constructed("Unavailable", KeyError::Unavailable { key }, why);
}

async fn refusals(seen: &mut Seen, manager: &KeysManagement) {
    seen.refused("NotDefined", manager.get_key("missing").await);
    for (variant, name) in [
        ("Empty", ""),
        ("ControlCharacter", "a\nb"),
        ("TooLong", &"n".repeat(300)),
    ] {
        let error = manager.get_key(name).await.expect_err("no name");
        if let KeyError::InvalidName(name) = &error {
            seen.real(variant, name.clone());
        }
        seen.real("InvalidName", error);
    }
    let wrong = manager.get_key_on("token", SecretKeyFlow::ForwardPath);
    seen.refused("InvalidFlow", wrong.await);
    support::define(
        manager,
        SecretKeyDefinition::round_trip("stateless", || TOLD),
    )
    .await;
    seen.refused("StatelessKey", manager.save_state("stateless").await);
    let asked = AtomicBool::new(false);
    let told = move || match asked.swap(true, Ordering::SeqCst) {
        false => Ok(TOLD),
        true => Err(format!("the store says {TOLD}")),
    };
    support::define(manager, SecretKeyDefinition::round_trip("fails", told)).await;
    let first = manager.get_forward_path_key("fails").await;
    first.expect("its first answer");
    seen.refused("StoreFailed", manager.get_forward_path_key("fails").await);
}

/// Stores that answer what is no key, made of keys.
async fn invalid(seen: &mut Seen, manager: &KeysManagement) {
    let long = || TOLD.repeat(MAX_VALUE_BYTES / TOLD.len() + 1);
    for definition in [
        SecretKeyDefinition::one_way("long", long),
        SecretKeyDefinition::one_way("pair", canary::old),
        SecretKeyDefinition::one_way("empty", || ""),
    ] {
        support::define(manager, definition).await;
    }
    for (key, variant) in [
        ("long", "TooLong"),
        ("pair", "PairForOneWay"),
        ("empty", "Empty"),
    ] {
        let error = manager.get_key(key).await.expect_err("it is no key");
        let KeyError::InvalidKey { why, .. } = &error else {
            panic!("{error}");
        };
        seen.real::<InvalidKey>(variant, *why);
        seen.real("InvalidKey", error);
    }
}

/// A store that answers only when no caller waits any more.
async fn late(seen: &mut Seen, manager: &KeysManagement) {
    let gate = Gate::default();
    let held = gate.clone();
    let late = move || {
        let gate = held.clone();
        async move {
            gate.pass().await;
            TOLD
        }
    };
    let definition = SecretKeyDefinition::round_trip("late", late);
    support::define(manager, definition.request_time_limit(SHORT)).await;
    seen.refused("TimedOut", manager.get_key("late").await);
    gate.open();
}

/// More requests than a key and a worker may have.
async fn busy(seen: &mut Seen, manager: &KeysManagement) {
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move || {
        held.pass_blocking();
        TOLD
    };
    let definition = SecretKeyDefinition::round_trip("busy", waits).max_requests(1);
    support::define(manager, definition).await;
    let worker = Arc::new(manager.join("w2").await.expect("it joins"));
    let asks = Arc::clone(&worker);
    let asking = tokio::spawn(async move { asks.get_key("busy").await });
    gate.arrived(1).await;
    seen.refused("Busy", manager.get_key("busy").await);
    seen.refused("WorkerBusy", worker.get_key("token").await);
    gate.open();
    let answer = within(asking).await.expect("no panic");
    answer.expect("the store's answer");
}

/// Candidates that open nothing, and a key that has none.
async fn candidates(seen: &mut Seen, manager: &KeysManagement) {
    let shut = |_: &SecretKeyValue| Err::<(), _>("it does not open".to_owned());
    let tried = within(manager.try_candidates("documents", shut)).await;
    seen.refused("NoneWorks", tried);
    let tried = within(manager.try_candidates("token", shut)).await;
    seen.refused("Key", tried);
}

/// A blocking call in an async store.
async fn blocking(seen: &mut Seen, manager: &KeysManagement) {
    let known = Arc::new(OnceLock::<KeysManagement>::new());
    let refused = Arc::new(Mutex::new(None));
    let (inner, keep) = (Arc::clone(&known), Arc::clone(&refused));
    let asks = move || {
        let (manager, keep) = (inner.get().expect("it was set").clone(), Arc::clone(&keep));
        async move {
            *keep.lock().unwrap() = block_on(manager.get_key("token")).err();
            TOLD
        }
    };
    support::define(manager, SecretKeyDefinition::one_way("blocks", asks)).await;
    drop(known.set(manager.clone()));
    manager.get_key("blocks").await.expect("its answer");
    let error = refused.lock().unwrap().take();
    seen.real("MustNotBlock", error.expect("it was refused"));
}

/// A handle that is used after its call.
async fn expired(seen: &mut Seen, manager: &KeysManagement) {
    let handle = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&handle);
    let call = move |change: KeyChange| {
        keep.lock().unwrap().replace(change.key);
    };
    let registered = manager.register_on_change("documents", "keeps", call).await;
    registered.expect("it registers");
    let change = Change::of("documents").old(TOKEN).new_keys(canary::new());
    let report = within(manager.key_changed(change)).await;
    drop(report.expect("it completes"));
    let handle = handle.lock().unwrap().take().expect("it was called");
    seen.refused("HandleExpired", handle.set_previous_keys(SET));
    seen.said.add(&handle);
}

/// A key with versions, whose ids and values are made of keys.
async fn versions(seen: &mut Seen, manager: &KeysManagement) {
    let definition = SecretKeyDefinition::round_trip("versioned", || TOLD)
        .max_readable_versions(2)
        .drain(std::time::Duration::ZERO);
    support::define(manager, definition).await;
    let long = || TOLD.repeat(64 * 1024 / TOLD.len() + 1);
    let long = SecretKeyDefinition::round_trip("long version", long).versions(true);
    let error = manager.define_key(long).await.expect_err("it is too long");
    let RotationError::OfKey(KeyError::InvalidKey { why, .. }) = &error else {
        panic!("{error}");
    };
    seen.real::<InvalidKey>("TooLongForVersions", *why);
    let back = manager.get_back_path_key("versioned").await;
    seen.refused("NeedsVersion", back);
    let id = VersionId::from_random(*b"sixteen random b");
    seen.refused("VersionUnknown", manager.get_version("versioned", id).await);
    seen.refused("NotVersioned", manager.get_version("documents", id).await);
    seen.refused("NotVersioned", manager.versions("token").await);
    let declare = async |change: Change| manager.declare(change).await;
    let change = || Change::of("versioned");
    seen.of_versions("NeedsNewKeys", declare(change()).await);
    seen.of_versions("Known", declare(change().new_keys(TOLD)).await);
    let report = within(manager.key_changed(change().new_keys(canary::new()))).await;
    drop(report.expect("it completes"));
    seen.of_versions("TooMany", declare(change().new_keys(SET)).await);
    seen.refused("TooShort", keyward::split(b"short"));
    seen.refused("Format", keyward::split(&[0; 32]));
    seen.refused("Uuid", TOLD.parse::<VersionId>());
    seen.refused("Kid", VersionId::from_kid(TOLD));
    let folder = tempfile::tempdir().expect("a folder");
    let (file, link) = (folder.path().join("key"), folder.path().join("link"));
    std::fs::write(&file, TOLD).expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).expect("it is mine");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let linked = SecretKeyDefinition::round_trip("linked", keyward::FileStore::new(&link));
    support::define(manager, linked.versions(true)).await;
    let change = Change::of("linked").new_keys(SET);
    seen.of_versions("StoreNotWritable", declare(change).await);
    let why = "no call of this release withdraws, destroys or spoils a version";
    let key = keyward::key::name::KeyName::new("versioned").expect("a name");
    let number = 1;
    let withdrawn = KeyError::VersionWithdrawn {
        key: key.clone(),
        id,
        number,
    };
    seen.constructed("VersionWithdrawn", withdrawn, why);
    let destroyed = KeyError::VersionDestroyed {
        key: key.clone(),
        id,
        number,
    };
    seen.constructed("VersionDestroyed", destroyed, why);
    let what = "its versions".to_owned();
    let unreadable = KeyError::VersionUnreadable {
        key: key.clone(),
        what,
    };
    seen.constructed("VersionUnreadable", unreadable, why);
    let unreadable = VersionsError::Unreadable {
        key,
        why: why.to_owned(),
    };
    seen.constructed("Unreadable", unreadable, why);
    let key = keyward::key::name::KeyName::new("versioned").expect("a name");
    let id = keyward::Uuid::from_u128(1).into();
    let mixed = VersionsError::MixedWriters { key, id };
    let why =
        "it lasts until no copy of an earlier version may be written with; it has an id and a name";
    seen.constructed("MixedWriters", mixed, why);
}

/// A record that cannot be read, and one that cannot be written.
async fn records(seen: &mut Seen, manager: &KeysManagement, disk: &Disk) {
    let forward = manager.get_forward_path_key("documents").await;
    forward.expect("a key");
    manager.save_state("documents").await.expect("it is saved");
    disk.spoil(Space::States);
    let next = builder().state_repo(disk.clone()).start().await;
    let next = next.expect("another manager takes over");
    seen.refused("JournalLost", manager.save_state("documents").await);
    let change = Change::of("documents").old(TOKEN).new_keys(canary::new());
    seen.refused("JournalLost", manager.declare(change).await);
    support::define(&next, documents().keep_in_cache(false)).await;
    seen.refused("StateUnreadable", next.get_back_path_key("documents").await);
    let forward = next.get_forward_path_key("documents").await;
    forward.expect("a key");
    let other = SecretKeyDefinition::round_trip("other", || TOLD).stateless(false);
    support::define(&next, other).await;
    disk.refuse();
    seen.refused("RepoUnavailable", next.get_back_path_key("other").await);
    seen.said.add(&next.status().await.expect("a status"));
    within(next.shutdown()).await.expect("it shuts down");
}
