//! Who declared, resumed, aborted and removed, and why, in a program that embeds keyward.

use keyward::{Act, Deed, KeyChange, MemoryRepo, RotationState};

use crate::operator::change;
use crate::support::{change as next, define, documents, on, with_documents, within};

/// What was done, as which worker, and why.
fn told(acts: &[Act]) -> Vec<(Deed, Option<&str>, Option<&str>)> {
    let own = rustix::process::geteuid().as_raw();
    let told = acts.iter().map(|act| {
        assert_eq!((act.by.user, act.by.process), (own, std::process::id()));
        let worker = act.by.worker.as_ref().map(|worker| worker.as_str());
        (act.deed, worker, act.by.reason.as_deref())
    });
    told.collect()
}

#[tokio::test]
async fn the_programs_own_user_process_and_worker_and_the_reason_stand_in_listing_and_history() {
    let repo = MemoryRepo::new();
    let keys = on(repo.clone()).await;
    define(&keys, documents()).await;
    let anna = keys.join("anna").await.unwrap();
    anna.register_on_change("documents", "fails", |_: KeyChange| Err::<(), _>("no"))
        .await
        .unwrap();
    let stopped = anna.key_changed(next().reason("it is due")).await.unwrap();
    let declared = (Deed::Declared, Some("anna"), Some("it is due"));
    assert_eq!(told(&stopped.acts), [declared]);
    let id = stopped.id;
    let because = keys.because("the disk has been replaced").unwrap();
    within(because.resume(id)).await.unwrap();
    let stopped = within(keys.wait(id)).await.unwrap();
    keys.abort(id, &["anna"]).await.unwrap();
    let wanted = [
        declared,
        (Deed::Resumed, None, Some("the disk has been replaced")),
        (Deed::Aborted, None, None),
    ];
    assert_eq!(told(&stopped.acts), wanted[..2]);
    let gone = keys.because("its data is gone").unwrap();
    gone.remove_callback("anna", "documents", "fails")
        .await
        .unwrap();
    keys.remove_worker("anna").await.unwrap();
    let page = keys.history(1).await.unwrap();
    assert_eq!(told(&page.rotations[0].acts), wanted);
    let removed = [
        (Deed::Removed, None, Some("its data is gone")),
        (Deed::Removed, None, None),
    ];
    assert_eq!(told(&page.acts), removed);
    // What a worker does itself is no operator's act.
    keys.join("ben").await.unwrap().leave().await.unwrap();
    keys.shutdown().await.unwrap();
    let page = on(repo).await.history(1).await.unwrap();
    assert_eq!(told(&page.rotations[0].acts), wanted);
    assert_eq!(told(&page.acts), removed);
}

#[tokio::test]
async fn a_callback_declares_as_its_worker() {
    let keys = with_documents().await;
    define(
        &keys,
        keyward::SecretKeyDefinition::one_way("token", || "a token"),
    )
    .await;
    let (tell, mut declared) = tokio::sync::mpsc::unbounded_channel();
    let declares = move |change: KeyChange| {
        let tell = tell.clone();
        async move {
            let next = keyward::Change::of("token").reason("with the documents");
            let id = change.key.declare(next).await;
            tell.send(id.unwrap()).unwrap();
        }
    };
    let anna = keys.join("anna").await.unwrap();
    anna.register_on_change("documents", "declares", declares)
        .await
        .unwrap();
    let report = keys
        .key_changed(change("value_1", "value_2"))
        .await
        .unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(told(&report.acts), [(Deed::Declared, None, None)]);
    let id = within(declared.recv()).await.unwrap();
    let of_token = within(keys.wait(id)).await.unwrap();
    let wanted = (Deed::Declared, Some("anna"), Some("with the documents"));
    assert_eq!(told(&of_token.acts), [wanted]);
}

#[tokio::test]
async fn a_reason_that_cannot_be_kept_is_refused_and_nothing_is_declared() {
    let keys = with_documents().await;
    for reason in ["x".repeat(1_025), "a\nb".to_owned()] {
        let refused = keys.declare(next().reason(&reason)).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_reason");
        assert!(!refused.is_retriable());
        assert_eq!(keys.because(&reason).unwrap_err().code(), "invalid_reason");
    }
    let _report = keys
        .key_changed(next().reason("x".repeat(1_024)))
        .await
        .unwrap();
    assert_eq!(keys.history(9).await.unwrap().rotations.len(), 1);
}

#[tokio::test]
async fn of_a_rotation_that_is_resumed_often_the_declaration_and_the_latest_acts_are_kept() {
    let keys = with_documents().await;
    keys.register_on_change("documents", "fails", |_: KeyChange| Err::<(), _>("no"))
        .await
        .unwrap();
    let id = keys.key_changed(next()).await.unwrap().id;
    for no in 0..40 {
        let because = keys.because(&format!("try {no}")).unwrap();
        within(because.resume(id)).await.unwrap();
        let _stopped = within(keys.wait(id)).await.unwrap();
    }
    let acts = keys.rotation(id).await.unwrap().acts;
    assert_eq!((acts.len(), acts[0].deed), (32, Deed::Declared));
    assert_eq!(acts[1].by.reason.as_deref(), Some("try 9"));
    assert_eq!(acts[31].by.reason.as_deref(), Some("try 39"));
}

#[tokio::test]
async fn of_many_removals_the_latest_are_kept() {
    let keys = with_documents().await;
    for no in 0..260 {
        let worker = format!("worker {no}");
        drop(keys.join(worker.as_str()).await.unwrap());
        keys.remove_worker(&worker).await.unwrap();
    }
    let acts = keys.history(1).await.unwrap().acts;
    assert_eq!(acts.len(), 256);
    assert!(acts[0].to_string().starts_with("worker worker 4 removed"));
    assert!(
        acts[255]
            .to_string()
            .starts_with("worker worker 259 removed")
    );
}
