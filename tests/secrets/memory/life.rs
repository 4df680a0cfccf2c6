//! The child: two lives of a program that uses keys in every way that there is, and then has none.

use std::fmt;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward::worker::callback::IntoCallback;
use keyward::{
    Change, CommandStore, Effect, FileStore, KeyChange, KeysManagement,
    OnKeyChangedCallbackErrorStrategy as Strategy, RotationError, RotationId, RotationState,
    SecretKeyDefinition, SecretKeyFlow, SecretKeyPair, Worker, block_on,
};
use zeroize::Zeroizing;

use crate::memory::needles::Needles;
use crate::memory::{allocator, report, tell_of_stacks, watched_needles};
use crate::support::{Gate, SHORT, until, within};

/// A text with a key in it that its program wipes, so that what is left of it is not the program's.
struct Quote(Zeroizing<String>);

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In parts, as texts are mostly put together: a buffer that grows would leave copies.
        write!(f, "the key {} is bad, ", *self.0)?;
        write!(f, "{} at least", *self.0)
    }
}

#[derive(Clone)]
struct Folder(PathBuf);

impl Folder {
    fn key(&self, name: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(fs::read(self.0.join(name)).expect("a key file"))
    }

    fn quote(&self, name: &str) -> Quote {
        let mut key = self.key(name);
        let text = String::from_utf8(std::mem::take(&mut *key)).expect("the keys are texts");
        Quote(Zeroizing::new(text))
    }

    /// The panic owns the text: formatting one would leave copies that are the panic's own.
    fn panic_with(&self, name: &str) -> ! {
        panic::panic_any(std::mem::take(&mut *self.quote(name).0))
    }

    fn file(&self, name: &str) -> FileStore {
        FileStore::new(self.0.join(name)).exact()
    }

    fn script(&self, script: &str) -> CommandStore {
        let command = CommandStore::new("sh").args(["-c", script, "sh"]);
        command.arg(self.0.as_os_str()).exact()
    }
}

/// Lives, and reports.
pub fn live(folder: &Path) {
    let needles = watched_needles(folder);
    panic::set_hook(Box::new(|panic| {
        eprintln!("a panic at {}", panic.location().expect("a place"));
    }));
    let folder = Folder(folder.to_owned());
    let before = threads();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let id = runtime.block_on(first_life(&folder, needles));
    runtime.block_on(second_life(&folder, id));
    runtime.block_on(until("all threads have ended", async || {
        threads().iter().all(|thread| before.contains(thread))
    }));
    drop(runtime);
    // The stack of a thread that ended by itself goes when the next one has ended.
    for _ in 0..2 {
        let thread = std::thread::spawn(|| {});
        thread.join().expect("it does nothing");
    }
    report(needles, allocator::freed());
}

/// The threads of this process but those that RocksDB keeps for ever, and that never see a key.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("a process may see its threads");
    let name = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        format!("{} {name}", task.file_name().display())
    };
    let names = tasks.map(|task| name(task.expect("a thread")));
    names.filter(|name| !name.contains("rocksdb")).collect()
}

async fn start(folder: &Folder) -> KeysManagement {
    let started = KeysManagement::builder()
        .data_folder(folder.0.join("data"))
        .master_key(folder.file("master"))
        .shutdown_grace(Duration::from_millis(20))
        .start()
        .await;
    let manager = started.expect("it starts");
    let pair = FileStore::pair(
        folder.0.join("documents-forward"),
        folder.0.join("documents-back"),
    );
    let (closure, future) = (folder.clone(), folder.clone());
    let asked = move || {
        let key = future.key("closure");
        async move { key }
    };
    for definition in [
        SecretKeyDefinition::round_trip("documents", pair.exact())
            .stateless(false)
            .error_strategy(Strategy::SkipAndRaise),
        SecretKeyDefinition::round_trip("command", folder.script("cat $1/command"))
            .callback_time_limit(SHORT),
        SecretKeyDefinition::round_trip("closure", move || closure.key("closure")),
        SecretKeyDefinition::round_trip("async", asked).keep_in_cache(false),
        SecretKeyDefinition::round_trip("large", folder.file("large")),
        SecretKeyDefinition::round_trip("large command", folder.script("cat $1/large")),
        SecretKeyDefinition::one_way("token", folder.file("token")),
    ] {
        manager.define_key(definition).await.expect("it is defined");
    }
    manager
}

async fn first_life(folder: &Folder, needles: &Needles) -> RotationId {
    let manager = start(folder).await;
    for key in [
        "documents",
        "command",
        "closure",
        "async",
        "large",
        "large command",
    ] {
        for flow in [SecretKeyFlow::ForwardPath, SecretKeyFlow::BackPath] {
            let answer = manager.get_key_on(key, flow).await;
            assert!(!answer.expect("a key").expose().is_empty());
        }
    }
    for _ in 0..2 {
        manager.get_key("token").await.expect("a key");
    }
    let forward = manager.get_forward_path_key("documents").await;
    forward.expect("a key");
    manager.save_state("documents").await.expect("it is saved");
    let failing = define_failing(&manager, folder).await;
    for _ in 0..failing {
        let error = manager.get_forward_path_key("failing").await;
        error.expect_err("it fails after its first answer");
    }
    let error = manager.get_forward_path_key("failing command").await;
    error.expect_err("it fails");
    ask_a_slow_store(&manager, folder).await;
    let id = change(&manager, folder).await;
    leave_one_running(&manager, folder).await;
    tell_of_stacks(needles);
    within(manager.shutdown()).await.expect("it shuts down");
    id
}

/// A store that answers a key once and then quotes it: as an error, and as a panic.
async fn define_failing(manager: &KeysManagement, folder: &Folder) -> usize {
    let (calls, keys) = (AtomicUsize::new(0), folder.clone());
    let store = move || match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(keys.key("failing")),
        1 => Err(keys.quote("failing")),
        _ => keys.panic_with("failing"),
    };
    let command = folder.script("cat $1/failing-command; cat $1/failing-command >&2; exit 1");
    for definition in [
        SecretKeyDefinition::round_trip("failing", store),
        SecretKeyDefinition::round_trip("failing command", command),
    ] {
        manager.define_key(definition).await.expect("it is defined");
    }
    let first = manager.get_forward_path_key("failing").await;
    first.expect("the first answer");
    2
}

/// A store that answers a key when no caller waits for it any more.
async fn ask_a_slow_store(manager: &KeysManagement, folder: &Folder) {
    let (gate, keys) = (Gate::default(), folder.clone());
    let held = gate.clone();
    let store = move || {
        held.pass_blocking();
        keys.key("closure")
    };
    let slow = SecretKeyDefinition::round_trip("slow", store).store_time_limit(SHORT);
    manager.define_key(slow).await.expect("it is defined");
    let error = manager.get_forward_path_key("slow").await;
    error.expect_err("its time has passed");
    gate.open();
}

/// A change whose callbacks set, save, quote, panic and re-encrypt.
async fn change(manager: &KeysManagement, folder: &Folder) -> RotationId {
    let worker = manager.join("w1").await.expect("it joins");
    let keys = folder.clone();
    let sets = move |change: KeyChange| {
        let previous = change.key.previous_keys().expect("it is readable");
        assert!(previous.is_some() && change.old_keys.is_some());
        let set = change.key.set_previous_keys(keys.key("set"));
        set.expect("it fits");
        block_on(change.key.save_state()).expect("it is staged");
    };
    let keys = folder.clone();
    let fails = move |_: KeyChange| Err::<(), _>(keys.quote("new"));
    let keys = folder.clone();
    let fails_later = move |_: KeyChange| {
        let text = keys.quote("old");
        async move { Err::<(), _>(text) }
    };
    let keys = folder.clone();
    let panics = move |_: KeyChange| -> () { keys.panic_with("old") };
    register(&worker, "documents", "sets", sets).await;
    register(&worker, "documents", "fails", fails).await;
    register(&worker, "documents", "fails later", fails_later).await;
    register(&worker, "documents", "panics", panics).await;
    let reencrypts = |_: KeyChange| Effect::Reencrypted;
    register(&worker, "documents", "re-encrypts", reencrypts).await;
    let change = Change::of("documents")
        .old(folder.key("old"))
        .new_keys(folder.key("new"));
    let error = within(manager.key_changed(change)).await;
    let RotationError::Raised { report } = error.expect_err("it raises") else {
        panic!("the change was refused");
    };
    assert_eq!(report.state, RotationState::CompletedWithFailures);
    assert_eq!(report.failed().count(), 3, "{report:?}");
    let recovered = manager.recover_keys(report.id).await;
    assert!(recovered.expect("it holds its keys").new.is_some());
    let answer = manager.get_back_path_key("documents").await;
    answer.expect("the new key");
    change_too_late(manager, &worker, folder).await;
    report.id
}

/// A callback that quotes its key when it is not waited for any more.
async fn change_too_late(manager: &KeysManagement, worker: &Worker, folder: &Folder) {
    let (gate, keys) = (Gate::default(), folder.clone());
    let held = gate.clone();
    let comes_late = move |_: KeyChange| {
        held.pass_blocking();
        Err::<(), _>(keys.quote("old"))
    };
    register(worker, "command", "comes late", comes_late).await;
    let change = Change::of("command").old(folder.key("old"));
    let report = within(manager.key_changed(change)).await;
    let report = report.expect("its strategy does not raise");
    assert_eq!(report.state, RotationState::Stopped);
    gate.open();
    let aborted = manager.abort(report.id, &["w1"]).await;
    aborted.expect("its worker is named");
}

async fn register<M>(worker: &Worker, key: &str, name: &str, callback: impl IntoCallback<M>) {
    let registered = worker.register_on_change(key, name, callback).await;
    registered.expect("it registers");
}

/// A rotation whose keys lie in the journal when this life ends.
async fn leave_one_running(manager: &KeysManagement, folder: &Folder) {
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move |_: KeyChange| {
        let gate = held.clone();
        async move { gate.pass().await }
    };
    let registered = manager.register_on_change("token", "waits", waits).await;
    registered.expect("it registers");
    let change = Change::of("token").old(folder.key("token"));
    let declared = manager.declare(change.new_keys(folder.key("new"))).await;
    declared.expect("it is accepted");
    gate.arrived(1).await;
}

/// The keys come out of the journal, and what was left goes on.
async fn second_life(folder: &Folder, id: RotationId) {
    let manager = start(folder).await;
    let answer = manager.get_back_path_key("documents").await;
    answer.expect("the record of the life before");
    let recovered = manager.recover_keys(id).await.expect("it holds its keys");
    let pair = recovered.new.as_ref().map(SecretKeyPair::is_symmetric);
    assert_eq!(pair, Some(true));
    let running = manager.rotations().await.expect("a listing");
    let token = running.iter().find(|report| report.key.as_str() == "token");
    let token = token.expect("it goes on").id;
    let again = |change: KeyChange| assert!(change.new_keys.is_some());
    let registered = manager.register_on_change("token", "waits", again).await;
    registered.expect("it registers");
    let report = within(manager.wait(token)).await.expect("it settles");
    assert_eq!(report.state, RotationState::Completed);
    let aborted = manager.abort(id, &["w1"]).await;
    aborted.expect("its worker is named");
    drop(recovered);
    within(manager.shutdown()).await.expect("it shuts down");
}
