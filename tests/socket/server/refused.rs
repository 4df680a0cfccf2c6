//! Calls without a grant: each is refused alike, and each refusal is an event.

use keyward::wire::generated::{
    AbortRequest, BackupRequest, CallbackKind, CandidatesRequest, DeclareRequest, DismissRequest,
    EventsRequest, HistoryRequest, KeysCallback, LookRequest, PlanRequest, RecoverKeysRequest,
    ReloadRequest, RemoveRequest, RestartRequest, ResumeRequest, RotationRequest, RotationsRequest,
    SaveStateRequest, SaveStatesRequest, StatusRequest, WaitRequest, WorkersRequest,
    remove_request,
};
use keyward::{ActorName, Grants, Right};
use tonic::Status;

use crate::ground::{Client, Ground, code, grant};
use crate::support::log::Log;
use crate::support::{change, until};
use crate::work::peer::{Peer, sole};

fn said<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    answer.map_or_else(|status| code::<T>(Err(status)), |_| "done".to_owned())
}

/// What the calls about keys are answered, with what the event of each says was asked.
async fn of_keys(client: &mut Client, id: &str) -> Vec<(String, &'static str)> {
    let key = || "documents".to_owned();
    let id = id.to_owned();
    let keys = &mut client.keys;
    let declare = DeclareRequest {
        key: key(),
        ..DeclareRequest::default()
    };
    vec![
        (
            said(keys.look(LookRequest { key: key() }).await),
            "look of key documents",
        ),
        (
            said(keys.candidates(CandidatesRequest { key: key() }).await),
            "candidates of key documents",
        ),
        (
            said(keys.save_state(SaveStateRequest { key: key() }).await),
            "save_state of key documents",
        ),
        (
            said(keys.save_states(SaveStatesRequest {}).await),
            "save_states",
        ),
        (
            said(keys.declare(declare).await),
            "declare of key documents",
        ),
        (
            said(keys.wait(WaitRequest { id }).await),
            "wait of rotation",
        ),
        (said(client.get("documents").await), "get of key documents"),
    ]
}

/// The same of an operator's calls.
async fn of_operators(client: &mut Client, id: &str) -> Vec<(String, &'static str)> {
    let id = || id.to_owned();
    let operate = &mut client.operate;
    let key = "documents".to_owned();
    let plan = PlanRequest { key: key.clone() };
    let resume = ResumeRequest {
        id: id(),
        ..ResumeRequest::default()
    };
    let abort = AbortRequest {
        id: id(),
        ..AbortRequest::default()
    };
    let dismiss = DismissRequest {
        id: id(),
        ..DismissRequest::default()
    };
    let remove = |what| RemoveRequest {
        worker: "anna".to_owned(),
        what,
        ..RemoveRequest::default()
    };
    let callback = remove_request::What::Callback(KeysCallback {
        key,
        callback: "reencrypt".to_owned(),
    });
    let instance = remove_request::What::Instance(7);
    let restart = RestartRequest {
        actor: Some((&ActorName::Coordinator).into()),
    };
    let history = HistoryRequest::default();
    vec![
        (said(operate.plan(plan).await), "plan of key documents"),
        (said(operate.status(StatusRequest {}).await), "status"),
        (said(operate.workers(WorkersRequest {}).await), "workers"),
        (
            said(operate.rotations(RotationsRequest {}).await),
            "rotations",
        ),
        (
            said(operate.rotation(RotationRequest { id: id() }).await),
            "show of rotation",
        ),
        (said(operate.history(history).await), "history"),
        (
            said(operate.events(EventsRequest::default()).await),
            "events",
        ),
        (said(operate.resume(resume).await), "resume of rotation"),
        (said(operate.abort(abort).await), "abort of rotation"),
        (said(operate.dismiss(dismiss).await), "dismiss of rotation"),
        (
            said(operate.recover_keys(RecoverKeysRequest { id: id() }).await),
            "recover_keys of rotation",
        ),
        (
            said(operate.remove(remove(None)).await),
            "remove worker anna",
        ),
        (
            said(operate.remove(remove(Some(callback))).await),
            "remove a callback of key documents",
        ),
        (
            said(operate.remove(remove(Some(instance))).await),
            "remove instance 7 of worker anna",
        ),
        (said(operate.restart(restart).await), "restart actor"),
        (said(operate.reload(ReloadRequest {}).await), "reload"),
        (said(operate.backup(BackupRequest {}).await), "backup"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_that_is_not_granted_is_refused_and_an_event_with_user_process_and_what_was_asked()
 {
    let log = Log::begin();
    let own = rustix::process::geteuid().as_raw();
    // A connection is let in, and a worker: everything else is another's.
    let grants = Grants::table([grant(own, [Right::Work], &["other"], &["web"])]);
    let ground = Ground::with(|options| options.grants(grants)).await;
    let id = ground.keys.declare(change()).await.unwrap().to_string();
    let mut client = ground.client().await;
    let mut asked = of_keys(&mut client, &id).await;
    asked.extend(of_operators(&mut client, &id).await);
    let join = Peer::join(&ground, sole("anna")).await.map(drop);
    asked.push((said(join), "join of worker anna"));
    let mut web = Peer::join(&ground, sole("web")).await.unwrap();
    let registered = web.register("reencrypt", CallbackKind::Data).await;
    asked.push((registered.unwrap_err(), "register"));
    let process = std::process::id();
    for (code, what) in asked {
        assert_eq!(code, "permission_denied", "{what}");
        let wanted = format!("user={own} process={process} asked=\"{what}");
        until(what, async || log.text().contains(&wanted)).await;
    }
}
