//! Who declared, resumed, aborted, dismissed and removed, and why, over the socket.

use std::ops::ControlFlow;

use keyward::wire::generated::to_keeper::Said;
use keyward::wire::generated::{
    AbortRequest, DeclareInCall, DeclareRequest, DismissRequest, EventsRequest, HistoryRequest,
    KeysCallback, RemoveRequest, ResumeRequest, remove_request,
};
use keyward::{
    About, Act, Batch, Deed, Grants, KeyChange, KeysManagement, MemoryRepo, Right, RotationId,
    Space, StateRepo,
};

use crate::ground::{Client, Ground, OTHER, code, grant, is_root};
use crate::server::operate::listing;
use crate::support::{builder, change, define, documents, on, within};
use crate::work::peer::{Peer, sole};

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What was done, by which user, and why.
fn told(acts: &[Act]) -> Vec<(Deed, u32, Option<&str>)> {
    let told = acts.iter();
    told.map(|act| (act.deed, act.by.user, act.by.reason.as_deref()))
        .collect()
}

/// A manager with the key `documents` whose rotations a callback stops.
async fn failing(keys: &KeysManagement) {
    define(keys, documents()).await;
    keys.register_on_change("documents", "fails", |_: KeyChange| Err::<(), _>("no"))
        .await
        .unwrap();
}

/// A client of another user where the test may take on one, else of this user.
async fn other(ground: &Ground) -> (u32, Client) {
    match is_root() {
        true => (OTHER, Client::over(ground.connect_as(OTHER)).await),
        false => (own(), ground.client().await),
    }
}

fn both() -> Grants {
    let all = |user| grant(user, Right::ALL, &["*"], &["*"]);
    Grants::table([all(own()), all(OTHER)])
}

#[tokio::test]
async fn who_declared_resumed_and_aborted_and_why_stands_in_listing_and_history_and_outlives_the_keeper()
 {
    let folder = tempfile::tempdir().unwrap();
    let life = async || {
        let keys = builder().data_folder(folder.path().join("data"));
        keys.start().await.unwrap()
    };
    let keys = life().await;
    failing(&keys).await;
    let ground = Ground::serve(keys, |options| options.grants(both())).await;
    let (user, mut client) = other(&ground).await;
    let declare = DeclareRequest {
        key: "documents".to_owned(),
        reason: "it is due".to_owned(),
        ..DeclareRequest::default()
    };
    let declared = client.keys.declare(declare).await.unwrap().into_inner().id;
    let id: RotationId = declared.parse().unwrap();
    let _stopped = within(ground.keys.wait(id)).await.unwrap();
    let resume = ResumeRequest {
        id: declared.clone(),
        reason: "the disk has been replaced".to_owned(),
    };
    let operate = &mut ground.client().await.operate;
    operate.resume(resume).await.unwrap();
    let report = within(ground.keys.wait(id)).await.unwrap();
    let wanted = [
        (Deed::Declared, user, Some("it is due")),
        (Deed::Resumed, own(), Some("the disk has been replaced")),
    ];
    assert_eq!(told(&report.acts), wanted);
    let first = &report.acts[0];
    assert_eq!(first.by.process, std::process::id());
    assert_eq!((first.at_ms, &first.by.worker), (report.accepted_ms, &None));
    ground.keys.shutdown().await.unwrap();
    drop(ground);

    // The next life knows it, and what it did is known as well when the rotation has ended.
    let keys = life().await;
    let ground = Ground::serve(keys, |options| options.grants(both())).await;
    let (_, mut client) = other(&ground).await;
    assert_eq!(told(&ground.keys.rotation(id).await.unwrap().acts), wanted);
    let abort = AbortRequest {
        id: declared,
        confirmed: vec!["main".to_owned()],
        reason: String::new(),
    };
    client.operate.abort(abort).await.unwrap();
    let page = listing(client.operate.history(HistoryRequest::default()).await).await;
    let page = page.into_history().unwrap();
    let ended = &page.rotations[0];
    assert_eq!((ended.id, &told(&ended.acts)[..2]), (id, &wanted[..]));
    assert_eq!(told(&ended.acts)[2..], [(Deed::Aborted, user, None)]);
    assert_eq!(ground.keys.history(1).await.unwrap().rotations[0], *ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_over_a_workers_connection_or_in_its_call_names_the_worker() {
    let ground = Ground::new().await;
    let client = ground.client().await;
    let mut anna = Peer::join_over(client.clone(), sole("anna")).await.unwrap();
    anna.register("reencrypt", Default::default())
        .await
        .unwrap();
    anna.is_ready().await;
    let request = |key: &str| DeclareRequest {
        key: key.to_owned(),
        ..DeclareRequest::default()
    };
    let mut keys = client.keys.clone();
    let id = keys
        .declare(request("documents"))
        .await
        .unwrap()
        .into_inner()
        .id;
    let by_anna = async |id: &str| {
        let report = ground.keys.rotation(id.parse().unwrap()).await.unwrap();
        let by = report.acts[0].by.clone();
        (by.worker.map(|worker| worker.to_string()), by.process)
    };
    let wanted = (Some("anna".to_owned()), std::process::id());
    assert_eq!(by_anna(&id).await, wanted);
    let call = anna.call().await;
    let within_call = anna.ask(|request_number| {
        Said::Declare(DeclareInCall {
            request: request_number,
            call: call.call.clone(),
            change: Some(request("token")),
        })
    });
    match within_call.await {
        keyward::wire::generated::answer::Answer::Declared(declared) => {
            assert_eq!(by_anna(&declared.id).await, wanted);
        }
        other => panic!("it is declared: {other:?}"),
    }
    anna.succeed(&call);
    // Another connection of the same process is no worker's.
    let mut other = ground.client().await.keys;
    let id = other
        .declare(request("token"))
        .await
        .unwrap()
        .into_inner()
        .id;
    assert_eq!(by_anna(&id).await, (None, std::process::id()));
}

/// Makes a record of the one rotation in a repo unreadable.
fn spoil(repo: &MemoryRepo) {
    let mut records = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        records.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    repo.scan(Space::Rotations, b"", &mut visit).unwrap();
    let (key, mut value) = records.swap_remove(0);
    *value.last_mut().unwrap() ^= 1;
    repo.apply(&Batch::new().put(Space::Rotations, key, value))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_and_dismissed_and_why_stands_in_the_history_for_whom_the_grants_let_see_it()
 {
    let repo = MemoryRepo::new();
    let keys = on(repo.clone()).await;
    failing(&keys).await;
    let id = keys.key_changed(change()).await.unwrap().id;
    keys.shutdown().await.unwrap();
    spoil(&repo);
    let keys = on(repo.clone()).await;
    failing(&keys).await;
    let of_documents = grant(OTHER, [Right::Operate], &["documents"], &[]);
    let all = || grant(own(), Right::ALL, &["*"], &["*"]);
    let grants = Grants::table([all(), of_documents]);
    let ground = Ground::serve(keys, |options| options.grants(grants)).await;
    let operate = &mut ground.client().await.operate;
    let mut events = operate.events(EventsRequest::default()).await.unwrap();
    let dismiss = |id: RotationId| DismissRequest {
        id: id.to_string(),
        reason: "restored by hand".to_owned(),
    };
    operate.dismiss(dismiss(id)).await.unwrap();
    assert_eq!(code(operate.dismiss(dismiss(id)).await), "unknown_rotation");
    assert!(
        ground
            .keys
            .status()
            .await
            .unwrap()
            .unreadable_rotations
            .is_empty()
    );

    let anna = Peer::ready(&ground, sole("anna")).await;
    let remove = |worker: &str, what| RemoveRequest {
        worker: worker.to_owned(),
        what,
        reason: "its data is gone".to_owned(),
    };
    let instance = |number| Some(remove_request::What::Instance(number));
    let callback = Some(remove_request::What::Callback(KeysCallback {
        key: "documents".to_owned(),
        callback: "reencrypt".to_owned(),
    }));
    operate
        .remove(remove("anna", instance(anna.number)))
        .await
        .unwrap();
    let again = operate.remove(remove("anna", instance(anna.number))).await;
    assert_eq!(code(again), "unknown_instance");
    operate.remove(remove("anna", callback)).await.unwrap();
    operate.remove(remove("anna", None)).await.unwrap();
    let wanted = [
        format!("rotation {id} of key documents"),
        format!("instance {} of worker anna", anna.number),
        "callback reencrypt of worker anna for key documents".to_owned(),
        "worker anna".to_owned(),
    ];
    let abouts = |acts: &[Act]| -> Vec<String> {
        let abouts = acts.iter().filter_map(|act| act.about.as_ref());
        abouts.map(About::to_string).collect()
    };
    let page = listing(operate.history(HistoryRequest::default()).await).await;
    let acts = page.into_history().unwrap().acts;
    assert_eq!(abouts(&acts), wanted);
    assert_eq!(
        told(&acts)[0],
        (Deed::Dismissed, own(), Some("restored by hand"))
    );
    for removed in &told(&acts)[1..] {
        assert_eq!(*removed, (Deed::Removed, own(), Some("its data is gone")));
    }
    // Each is an event too.
    for about in &wanted[1..] {
        let wanted = format!("{about} was removed");
        loop {
            let event = within(events.get_mut().message()).await.unwrap().unwrap();
            if event.text == wanted {
                assert_eq!(event.fields["reason"], "its data is gone");
                assert_eq!(event.fields["user"], own().to_string());
                break;
            }
        }
    }
    if is_root() {
        let mut other = Client::over(ground.connect_as(OTHER)).await.operate;
        let page = listing(other.history(HistoryRequest::default()).await).await;
        let seen = abouts(&page.into_history().unwrap().acts);
        assert_eq!(seen, [wanted[0].clone(), wanted[2].clone()]);
    }
    // The next life has them.
    ground.keys.shutdown().await.unwrap();
    let keys = on(repo).await;
    assert_eq!(keys.history(1).await.unwrap().acts, acts);
}

#[tokio::test]
async fn a_reason_that_is_too_long_or_has_control_characters_is_refused_before_anything_happens() {
    let keys = crate::support::in_memory().await;
    failing(&keys).await;
    let id = keys.key_changed(change()).await.unwrap().id.to_string();
    let ground = Ground::serve(keys, |options| options).await;
    let before = ground.keys.status().await.unwrap().to_string();
    let mut client = ground.client().await;
    for reason in ["x".repeat(1_025), "a\nb".to_owned(), "\u{1b}[2J".to_owned()] {
        let reason = || reason.clone();
        let declare = DeclareRequest {
            key: "documents".to_owned(),
            reason: reason(),
            ..DeclareRequest::default()
        };
        let resume = ResumeRequest {
            id: id.clone(),
            reason: reason(),
        };
        let abort = AbortRequest {
            id: id.clone(),
            confirmed: vec!["main".to_owned()],
            reason: reason(),
        };
        let dismiss = DismissRequest {
            id: id.clone(),
            reason: reason(),
        };
        let remove = RemoveRequest {
            worker: "main".to_owned(),
            what: Some(remove_request::What::Callback(KeysCallback {
                key: "documents".to_owned(),
                callback: "fails".to_owned(),
            })),
            reason: reason(),
        };
        let operate = &mut client.operate;
        for seen in [
            code(operate.resume(resume).await),
            code(operate.abort(abort).await),
            code(operate.dismiss(dismiss).await),
            code(operate.remove(remove).await),
            code(client.keys.declare(declare).await),
        ] {
            assert_eq!(seen, "invalid_reason");
        }
    }
    let after = ground.keys.status().await.unwrap().to_string();
    assert_eq!(before, after);
    assert!(ground.keys.history(1).await.unwrap().acts.is_empty());
}
