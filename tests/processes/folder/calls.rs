//! Every call that a program makes, and what it answers in a child of `fork()`.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use keyward::{
    ActorName, KeyChange, KeysManagement, RotationId, ServeOptions, SingleKeyManagement, Uuid,
    VersionId, Worker, block_on,
};

use crate::folder::forked::folder;
use crate::support::{MASTER_KEY, change, documents};

/// "At once", on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(8);

/// What a program holds.
pub struct Handles<'a> {
    pub manager: &'a KeysManagement,
    pub worker: &'a Worker,
    pub single: &'a SingleKeyManagement,
}

/// Calls and their codes.
type Codes = Vec<(&'static str, Result<(), &'static str>)>;

/// What a call answers at its first poll.
fn at_once<T>(call: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(call).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

macro_rules! codes {
    ($($name:literal => $call:expr),* $(,)?) => {
        vec![$(($name, $call.map(drop).map_err(|error| error.code()))),*]
    };
}

fn never(_: KeyChange) -> Result<(), &'static str> {
    Err("it is never called")
}

fn asynchronous(handles: &Handles<'_>) -> Codes {
    let Handles {
        manager,
        worker,
        single,
    } = handles;
    let (key, id) = ("documents", RotationId::new(Uuid::now_v7()));
    codes!(
        "get_key" => at_once(manager.get_key(key)),
        "get_key" => at_once(manager.get_key("unknown")),
        "get_key" => at_once(worker.get_key(key)),
        "get_key" => at_once(single.get_key()),
        "get_key_on" => at_once(manager.get_key_on(key, keyward::SecretKeyFlow::BackPath)),
        "get_forward_path_key" => at_once(manager.get_forward_path_key(key)),
        "get_forward_path_key" => at_once(single.get_forward_path_key()),
        "get_back_path_key" => at_once(manager.get_back_path_key(key)),
        "get_encrypt_key" => at_once(manager.get_encrypt_key(key)),
        "get_decrypt_key" => at_once(manager.get_decrypt_key(key)),
        "get_single_management" => manager.get_single_management(key),
        "get_version" => at_once(manager.get_version(key, VersionId::from_random([1; 16]))),
        "get_version" => at_once(worker.get_version(key, VersionId::from_random([1; 16]))),
        "get_version" => at_once(single.get_version(VersionId::from_random([1; 16]))),
        "versions" => at_once(manager.versions(key)),
        "versions" => at_once(worker.versions(key)),
        "versions" => at_once(single.versions()),
        "candidates" => at_once(manager.candidates(key)),
        "candidates" => at_once(worker.candidates(key)),
        "candidates" => at_once(single.candidates()),
        "back_path_candidates" => at_once(manager.back_path_candidates(key)),
        "back_path_candidates" => at_once(worker.back_path_candidates("unknown")),
        "try_candidates" => at_once(single.try_candidates(|_| Err::<(), _>("never"))),
        "save_state" => at_once(manager.save_state(key)),
        "save_state" => at_once(single.save_state()),
        "save_states" => at_once(manager.save_states()),
        "define_key" => at_once(manager.define_key(documents())),
        "define_keys" => at_once(manager.define_keys([documents()])),
        "key_changed" => at_once(manager.key_changed(change())),
        "declare" => at_once(manager.declare(change())),
        "wait" => at_once(manager.wait(id)),
        "join" => at_once(manager.join("late")),
        "register_on_change" => at_once(manager.register_on_change(key, "late", never)),
        "register_on_change" => at_once(worker.register_on_change(key, "late", never)),
        "register_in_memory" => at_once(worker.register_in_memory(key, "late", never)),
        "try_candidates" => at_once(worker.try_candidates(key, |_| Err::<(), _>("never"))),
        "save_state" => at_once(worker.save_state(key)),
        "save_states" => at_once(worker.save_states()),
        "ready" => at_once(worker.ready()),
        "removed" => at_once(async { Err::<(), _>(worker.removed().await) }),
        "declare" => at_once(worker.declare(change())),
        "wait" => at_once(worker.wait(id)),
        "key_changed" => at_once(worker.key_changed(change())),
        "leave" => at_once(worker.leave()),
        "status" => at_once(manager.status()),
        "rotations" => at_once(manager.rotations()),
        "history" => at_once(manager.history(1)),
        "history_before" => at_once(manager.history_before(1, 1)),
        "resume" => at_once(manager.resume(id)),
        "abort" => at_once(manager.abort(id, &[])),
        "dismiss" => at_once(manager.dismiss(id)),
        "recover_keys" => at_once(manager.recover_keys(id)),
        "restart" => at_once(manager.restart(&ActorName::Coordinator)),
        "remove_worker" => at_once(manager.remove_worker("worker")),
        "remove_instance" => at_once(manager.remove_instance("worker", 1)),
        "remove_callback" => at_once(manager.remove_callback("worker", key, "late")),
        "verify" => at_once(KeysManagement::builder().verify()),
        "backup" => at_once(manager.backup(folder().join("backup"))),
        "look" => at_once(manager.look(key)),
        "rotation" => at_once(manager.rotation(id)),
        "plan" => at_once(manager.plan(key)),
        "workers" => at_once(manager.workers()),
        "serve" => at_once(manager.serve(ServeOptions::at(folder().join("s")))),
        "shutdown_within" => at_once(manager.shutdown_within(Duration::ZERO)),
        "shutdown" => at_once(manager.shutdown()),
    )
}

fn blocking(handles: &Handles<'_>) -> Codes {
    let manager = handles.manager;
    let (key, id) = ("documents", RotationId::new(Uuid::now_v7()));
    codes!(
        "get_key" => block_on(manager.get_key(key)),
        "get_key" => block_on(handles.worker.get_key(key)),
        "get_key" => block_on(handles.single.get_key()),
        "back_path_candidates" => block_on(manager.back_path_candidates(key)),
        "save_state" => block_on(manager.save_state(key)),
        "save_states" => block_on(manager.save_states()),
        "define_key" => block_on(manager.define_key(documents())),
        "key_changed" => block_on(manager.key_changed(change())),
        "declare" => block_on(manager.declare(change())),
        "wait" => block_on(manager.wait(id)),
        "join" => block_on(manager.join("late")),
        "register_on_change" => block_on(manager.register_on_change(key, "late", never)),
        "status" => block_on(manager.status()),
        "history" => block_on(manager.history(1)),
        "resume" => block_on(manager.resume(id)),
        "backup" => block_on(manager.backup(folder().join("backup"))),
        "shutdown" => block_on(manager.shutdown()),
        "start" => block_on(KeysManagement::builder()
            .data_folder(folder().join("another"))
            .master_key(|| MASTER_KEY).start()),
    )
}

/// Whether every call is `forked` at once, or what is wrong.
pub fn all_forked(handles: &Handles<'_>) -> Result<(), String> {
    let begun = Instant::now();
    let mut wrong = [asynchronous(handles), blocking(handles)].concat();
    wrong.retain(|(_, code)| *code != Err("forked"));
    let said = match (wrong.is_empty(), begun.elapsed()) {
        (true, took) if took < AT_ONCE => Ok(()),
        (_, took) => Err(format!("{wrong:?}, and it took {took:?}")),
    };
    if let Err(wrong) = &said {
        eprintln!("in the child: {wrong}");
    }
    said
}

/// What the library's sources offer.
fn offered(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for rest in text.split("pub async fn ").skip(1) {
            let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_');
            names.extend(name.take(1).map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_call_that_the_manager_and_a_worker_offer_is_made_in_a_child() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let made = include_str!("calls.rs");
    let missing: Vec<String> = ["management", "worker"]
        .into_iter()
        .flat_map(|folder| offered(&source.join(folder)))
        .filter(|name| !made.contains(&format!("\"{name}\" =>")))
        .collect();
    assert!(
        missing.is_empty(),
        "have these refused in a child (`fork::refuse_child`), and make them here: {missing:?}"
    );
}
