//! The operator's calls over the socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::wire::generated::{
    AbortRequest, BackupRequest, CallbackKind, DismissRequest, EventsRequest, HistoryRequest,
    KeysCallback, ListingPart, PlanRequest, RecoverKeysRequest, ReloadRequest, RemoveRequest,
    ResumeRequest, RotationRequest, RotationsRequest, StatusRequest, WorkersRequest,
    remove_request,
};
use keyward::wire::listing::ListingParts;
use keyward::{
    CallbackOf, Change, Grants, KeyChange, KeysManagement, Reloaded, Right, RotationState,
    SecretKeyDefinition, WaitsFor, WorkerStatus,
};
use tonic::{Response, Status, Streaming};

use crate::ground::{Ground, code, grant};
use crate::support::alone::alone_async;
use crate::support::{builder, define, in_memory, until, within};
use crate::work::peer::{Peer, shared};

/// The listing that an answer has.
pub async fn listing(answer: Result<Response<Streaming<ListingPart>>, Status>) -> ListingParts {
    let (mut parts, mut listing) = (answer.unwrap().into_inner(), ListingParts::default());
    while let Some(part) = parts.message().await.unwrap() {
        listing.take(part).unwrap();
    }
    listing
}

/// A manager with a rotation that a failing callback stopped, and how often that was called.
async fn stopped() -> (KeysManagement, keyward::RotationId, Arc<AtomicUsize>) {
    let keys = in_memory().await;
    define(
        &keys,
        SecretKeyDefinition::round_trip("documents", || "value_1"),
    )
    .await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let fails_once = move |_: KeyChange| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Err("the disk is full"),
        _ => Ok(()),
    };
    keys.register_on_change("documents", "fails", fails_once)
        .await
        .unwrap();
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let report = keys.key_changed(change).await.unwrap();
    (keys, report.id, calls)
}

#[tokio::test]
async fn listings_over_the_socket_say_what_the_manager_says() {
    let (keys, id, _) = stopped().await;
    let ground = Ground::serve(keys, |options| options).await;
    let operate = &mut ground.client().await.operate;
    let status = listing(operate.status(StatusRequest {}).await)
        .await
        .into_status()
        .unwrap();
    let here = ground.keys.status().await.unwrap();
    assert_eq!(status.to_string(), here.to_string());
    let workers = listing(operate.workers(WorkersRequest {}).await)
        .await
        .workers;
    assert_eq!(workers, here.workers);
    let rotations = listing(operate.rotations(RotationsRequest {}).await)
        .await
        .rotations;
    assert_eq!(rotations, here.rotations);
    let one = RotationRequest { id: id.to_string() };
    let report = listing(operate.rotation(one).await)
        .await
        .into_report()
        .unwrap();
    assert_eq!(report, ground.keys.rotation(id).await.unwrap());
    assert_eq!(report, here.rotations[0]);
    let page = listing(operate.history(HistoryRequest::default()).await).await;
    assert!(page.into_history().unwrap().rotations.is_empty());
}

#[tokio::test]
async fn a_page_of_the_history_begins_where_the_one_before_ended() {
    let keys = in_memory().await;
    define(&keys, SecretKeyDefinition::round_trip("documents", || "v")).await;
    for _ in 0..5 {
        let _ended = keys.key_changed(Change::of("documents")).await.unwrap();
    }
    let ground = Ground::serve(keys, |options| options).await;
    let operate = &mut ground.client().await.operate;
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let request = HistoryRequest { before, limit: 2 };
        let page = listing(operate.history(request).await)
            .await
            .into_history()
            .unwrap();
        assert!(page.rotations.len() <= 2);
        seen.extend(page.rotations.iter().map(|report| report.sequence));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(
        seen.is_sorted_by(|earlier, later| earlier > later),
        "{seen:?}"
    );
}

#[tokio::test]
async fn an_operator_recovers_keys_and_resumes_and_aborts_over_the_socket() {
    let (keys, id, calls) = stopped().await;
    let ground = Ground::serve(keys, |options| options).await;
    let operate = &mut ground.client().await.operate;
    let recovered = RecoverKeysRequest { id: id.to_string() };
    let recovered = operate.recover_keys(recovered).await.unwrap().into_inner();
    let old = recovered.old_keys.unwrap().value.unwrap();
    assert_eq!(old.data, b"value_1");
    let abort = |confirmed: &[&str]| AbortRequest {
        id: id.to_string(),
        confirmed: confirmed.iter().map(|name| (*name).to_owned()).collect(),
        reason: String::new(),
    };
    assert_eq!(code(operate.abort(abort(&[])).await), "not_confirmed");
    let resume = |reason: String| ResumeRequest {
        id: id.to_string(),
        reason,
    };
    let too_long = operate.resume(resume("x".repeat(1_025))).await;
    assert_eq!(code(too_long), "invalid_reason");
    operate.resume(resume("x".repeat(1_024))).await.unwrap();
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(
        code(operate.resume(resume(String::new())).await),
        "wrong_state"
    );
    assert_eq!(code(operate.abort(abort(&["main"])).await), "wrong_state");
    let dismiss = DismissRequest {
        id: id.to_string(),
        reason: String::new(),
    };
    assert_eq!(code(operate.dismiss(dismiss).await), "wrong_state");
}

fn web(status: &keyward::Status) -> &WorkerStatus {
    let mut workers = status.workers.iter();
    let web = workers.find(|worker| worker.worker.as_str() == "web");
    web.expect("it is on the roster")
}

#[tokio::test]
async fn a_plan_counts_the_instances_and_names_those_that_are_not_ready() {
    let ground = Ground::new().await;
    let mut first = Peer::join(&ground, shared("web")).await.unwrap();
    let mut second = Peer::join(&ground, shared("web")).await.unwrap();
    for peer in [&mut first, &mut second] {
        peer.register("reload", CallbackKind::Memory).await.unwrap();
    }
    first.is_ready().await;
    let plan = async || {
        let operate = &mut ground.client().await.operate;
        let key = "documents".to_owned();
        let answer = operate.plan(PlanRequest { key }).await;
        listing(answer).await.into_plan().unwrap()
    };
    let planned = plan().await;
    let [step] = &planned.steps[..] else {
        panic!("{planned:?}");
    };
    assert_eq!((step.kind, step.instances), (CallbackOf::Memory, 1));
    let named = |waits: &WaitsFor| matches!(waits, WaitsFor::Instance { instance, .. } if *instance == second.number);
    assert!(planned.waits_for.iter().any(named), "{planned:?}");
    second.is_ready().await;
    let planned = plan().await;
    assert_eq!(planned.steps[0].instances, 2);
    assert_eq!(planned.waits_for, []);
    let status = ground.keys.status().await.unwrap();
    let callback = &web(&status).callbacks[0];
    assert!(callback.registered && callback.kind == CallbackOf::Memory);
    drop((first, second));
    until("both are absent", async || {
        let status = ground.keys.status().await.unwrap();
        web(&status).instances.iter().all(|one| !one.connected)
    })
    .await;
    let shown = ground.keys.status().await.unwrap().to_string();
    let missing = "callback reload for key documents cannot be called";
    assert!(
        shown.contains(missing) && shown.contains("(remove_callback)"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_plan_says_who_would_do_what_who_is_missing_and_what_is_in_the_way() {
    let (keys, _, _) = stopped().await;
    let anna = keys.join("anna").await.unwrap();
    anna.register_on_change("documents", "reads", |_: KeyChange| ())
        .await
        .unwrap();
    drop(anna);
    let ground = Ground::serve(keys, |options| options).await;
    let before = ground.keys.status().await.unwrap();
    let plan = ground.keys.plan("documents").await.unwrap();
    let steps: Vec<_> = plan.steps.iter().map(|step| step.worker.as_str()).collect();
    assert_eq!(steps, ["main", "anna"]);
    assert_eq!(plan.steps[0].instances, 1);
    let operate = &mut ground.client().await.operate;
    let request = PlanRequest {
        key: "documents".to_owned(),
    };
    let mut parts = operate.plan(request).await.unwrap().into_inner();
    let mut count = 0;
    while let Some(part) = parts.message().await.unwrap() {
        assert!(part.part.is_some());
        count += 1;
    }
    assert!(count >= 2);
    assert_eq!(
        ground.keys.plan("none").await.unwrap_err().code(),
        "key_not_defined"
    );
    let after = ground.keys.status().await.unwrap();
    assert_eq!(before.to_string(), after.to_string(), "nothing has changed");
}

#[tokio::test]
async fn workers_callbacks_and_actors_are_removed_and_restarted_over_the_socket() {
    let (keys, _, _) = stopped().await;
    let anna = keys.join("anna").await.unwrap();
    anna.register_on_change("documents", "reads", |_: KeyChange| ())
        .await
        .unwrap();
    let ground = Ground::serve(keys, |options| options).await;
    let operate = &mut ground.client().await.operate;
    let remove = |what| RemoveRequest {
        worker: "anna".to_owned(),
        what,
        reason: "gone".to_owned(),
    };
    let callback = |callback: &str| {
        Some(remove_request::What::Callback(KeysCallback {
            key: "documents".to_owned(),
            callback: callback.to_owned(),
        }))
    };
    let refused = operate.remove(remove(callback("other"))).await;
    assert_eq!(code(refused), "unknown_callback");
    operate.remove(remove(callback("reads"))).await.unwrap();
    operate.remove(remove(None)).await.unwrap();
    assert_eq!(code(operate.remove(remove(None)).await), "unknown_worker");
    let restart = keyward::wire::generated::RestartRequest {
        actor: Some((&keyward::ActorName::Coordinator).into()),
    };
    assert_eq!(code(operate.restart(restart).await), "not_failed");
    // One that has failed lives again.
    let key = keyward::ActorName::Key(keyward::KeyName::new("documents").unwrap());
    let state = async || {
        let actors = ground.keys.status().await.unwrap().actors;
        let found = actors.into_iter().find(|one| one.actor == key);
        found.unwrap().state
    };
    crate::support::until("it has failed", async || {
        ground.keys.kill_actor(&key, 1);
        state().await == keyward::ActorState::Failed
    })
    .await;
    ground.keys.kill_actor(&key, 0);
    let mut keys = ground.client().await;
    assert_eq!(code(keys.get("documents").await), "key_failed");
    let restart = keyward::wire::generated::RestartRequest {
        actor: Some((&key).into()),
    };
    operate.restart(restart).await.unwrap();
    assert_eq!(state().await, keyward::ActorState::Running);
    assert_eq!(keys.get("documents").await.unwrap(), b"value_1");
    let nothing = keyward::wire::generated::RestartRequest { actor: None };
    assert_eq!(code(operate.restart(nothing).await), "invalid_message");
}

async fn events_are_watched() {
    let ground = Ground::new().await;
    let operate = &mut ground.client().await.operate;
    let mut events = operate
        .events(EventsRequest::default())
        .await
        .unwrap()
        .into_inner();
    ground
        .keys
        .register_on_change("documents", "fails", |_: KeyChange| Err::<(), _>("no"))
        .await
        .unwrap();
    let _report = ground
        .keys
        .key_changed(Change::of("documents"))
        .await
        .unwrap();
    let event = loop {
        let event = within(events.message()).await.unwrap().unwrap();
        if event.fields.contains_key("rotation") && event.fields.contains_key("callback") {
            break event;
        }
    };
    assert_eq!(event.fields["key"], "documents");
    assert!(event.at_ms > 0 && !event.text.is_empty());
}

#[tokio::test]
async fn events_are_watched_over_the_socket() {
    events_are_watched().await;
}

#[test]
fn events_are_watched_where_the_program_has_no_log() {
    // Other tests of this process have subscribers.
    let test = events_are_watched_where_the_program_has_no_log;
    alone_async(test, events_are_watched());
}

#[tokio::test]
async fn a_backup_is_made_in_the_folder_that_was_named_and_nowhere_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let keys = builder().data_folder(&data).start().await.unwrap();
    let backups = folder.path().join("backups");
    let ground = Ground::serve(keys, |options| options.backups(&backups)).await;
    let operate = &mut ground.client().await.operate;
    let made = operate.backup(BackupRequest {}).await.unwrap().into_inner();
    assert!(std::path::Path::new(&made.folder).starts_with(&backups));
    let copy = builder().data_folder(&made.folder).start().await.unwrap();
    copy.shutdown().await.unwrap();
    let without = Ground::new().await;
    let operate = &mut without.client().await.operate;
    assert_eq!(
        code(operate.backup(BackupRequest {}).await),
        "no_backup_folder"
    );
}

#[tokio::test]
async fn a_reload_asks_the_program_and_its_grants_hold_from_then_on() {
    let own = rustix::process::geteuid().as_raw();
    let reads = AtomicUsize::new(0);
    let read = move || match reads.fetch_add(1, Ordering::SeqCst) {
        0 => Err("line 3, column 1: no such key".to_owned()),
        1 => panic!("a fault of the program"),
        _ => {
            let mut read = Reloaded::default();
            let rights = [Right::Operate];
            read.grants = Some(Grants::table([grant(own, rights, &["*"], &[])]));
            read.changed.push("the grants changed".to_owned());
            Ok(read)
        }
    };
    let ground = Ground::with(|options| options.on_reload(read)).await;
    let mut client = ground.client().await;
    for wanted in ["configuration_refused", "reload_failed"] {
        let refused = client.operate.reload(ReloadRequest {}).await;
        assert_eq!(code(refused), wanted);
        client.get("documents").await.unwrap();
    }
    let read = client
        .operate
        .reload(ReloadRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(read.changed, ["the grants changed"]);
    assert_eq!(code(client.get("documents").await), "permission_denied");
    let without = Ground::new().await;
    let operate = &mut without.client().await.operate;
    assert_eq!(
        code(operate.reload(ReloadRequest {}).await),
        "nothing_to_reload"
    );
}
