//! A repo that does not answer what is read of it: whoever waits for that is called when it does.

use keyward::repo::space::Space;
use keyward::wire::generated::CallbackKind;
use keyward::wire::generated::answer::Answer as Given;
use keyward::{KeysManagement, MemoryRepo, RotationId, RotationState};

use crate::ground::Ground;
use crate::support::faulty::FaultyRepo;
use crate::support::{builder, change, define, documents, step, until, within};
use crate::work::peer::{Peer, of, shared, sole};

async fn on(repo: &FaultyRepo) -> KeysManagement {
    let keys = builder().state_repo(repo.clone()).start().await.unwrap();
    define(&keys, documents()).await;
    keys
}

/// What an earlier keeper left: `web` has done its step of memory, and the rotation goes on with one of data, of `zoe`.
async fn left(content: &MemoryRepo) -> RotationId {
    let repo = FaultyRepo::on(content.clone());
    let ground = Ground::serve(on(&repo).await, |options| options).await;
    let mut web = Peer::join(&ground, shared("web")).await.unwrap();
    web.register("load", CallbackKind::Memory).await.unwrap();
    web.is_ready().await;
    let mut zoe = Peer::join(&ground, sole("zoe")).await.unwrap();
    zoe.register("reencrypt", CallbackKind::Data).await.unwrap();
    let id = ground.keys.declare(change()).await.unwrap();
    let call = web.call().await;
    web.succeed(&call);
    assert_eq!(web.end_taken().await.1, None);
    // Not ready, zoe was not called.
    within(ground.keys.shutdown()).await.unwrap();
    id
}

async fn completes(ground: &Ground, zoe: &mut Peer, id: RotationId) {
    let call = zoe.call().await;
    let values = [&call.old_keys, &call.new_keys].map(|keys| keys.clone().unwrap().value.unwrap());
    assert_eq!(
        values.map(|value| value.data.clone()),
        [b"value_1".to_vec(), b"value_2".to_vec()]
    );
    zoe.succeed(&call);
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
    assert_eq!(step(&report, "zoe", "reencrypt").crashes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_called_once_the_repo_answers_the_keys_of_its_rotation() {
    let content = MemoryRepo::new();
    let id = left(&content).await;
    let repo = FaultyRepo::on(content);
    let ground = Ground::serve(on(&repo).await, |options| options).await;
    let mut zoe = Peer::join(&ground, sole("zoe")).await.unwrap();
    zoe.register("reencrypt", CallbackKind::Data).await.unwrap();
    // The keys are read before the write with which it is given the call.
    repo.scans_fail(Space::Rotations, 1);
    zoe.is_ready().await;
    until("they were asked for", async || repo.scans_have_failed()).await;
    completes(&ground, &mut zoe, id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_caught_up_once_the_repo_answers_the_keys_of_the_rotation() {
    let content = MemoryRepo::new();
    let id = left(&content).await;
    let repo = FaultyRepo::on(content);
    let ground = Ground::serve(on(&repo).await, |options| options).await;
    repo.cannot_read(Some(Space::Rotations));
    let mut web = Peer::join(&ground, shared("web")).await.unwrap();
    web.send_register("load", CallbackKind::Memory);
    // Its registration has come, and so has what it needs been asked of the repo, when a later one is answered.
    let mut zoe = Peer::join(&ground, sole("zoe")).await.unwrap();
    zoe.register("reencrypt", CallbackKind::Data).await.unwrap();
    assert!(
        web.hears_nothing_for(std::time::Duration::from_millis(200))
            .await
    );
    repo.cannot_read(None);
    let catches_up = web.call().await;
    assert_eq!((of(&catches_up).1, of(&catches_up).0.rotation), (0, id));
    web.succeed(&catches_up);
    assert_eq!(web.end_taken().await.1, None);
    match web.answer().await {
        Given::Registered(registered) => {
            assert_eq!((registered.caught_up, registered.failed.len()), (1, 0));
        }
        other => panic!("a registration: {other:?}"),
    }
    zoe.is_ready().await;
    completes(&ground, &mut zoe, id).await;
}
