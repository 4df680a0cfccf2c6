//! What a peer says that it may not say, each answered clearly.

use std::time::Duration;

use keyward::wire::generated::to_keeper::Said;
use keyward::wire::generated::{
    AskForSave, CallRef, CallbackKind, Ended, Join, Ready, Returned, Succeeded, ToKeeper, ended,
};
use keyward::{Grants, Right};

use crate::ground::{Client, Ground, OTHER, code, connect_as, grant, is_root};
use crate::support::{change, error, within};
use crate::work::peer::{Peer, shared, sole};

fn some_call() -> Option<CallRef> {
    Some(CallRef {
        rotation: "00000000-0000-0000-0000-000000000007".to_owned(),
        step: 1,
        attempt: 1,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_call_that_an_instance_does_not_have_is_unknown_call() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let outcome = || ended::Outcome::Succeeded(Succeeded::default());
    anna.ended(some_call(), outcome());
    let unknown = (some_call(), Some("unknown_call".to_owned()));
    assert_eq!(anna.end_taken().await, unknown);
    anna.say(Said::Returned(Returned { call: some_call() }));
    assert_eq!(anna.end_taken().await, unknown);
    // Nor one that another instance was given.
    let mut ben = Peer::ready(&ground, sole("ben")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    ben.ended(call.call.clone(), outcome());
    assert_eq!(ben.end_taken().await.1.as_deref(), Some("unknown_call"));
    anna.succeed(&call);
    assert_eq!(anna.end_taken().await.1, None);
    let of_ben = ben.call().await;
    ben.succeed(&of_ben);
    let _ended = within(ground.keys.wait(id)).await.unwrap();
    // And one that was answered long ago.
    anna.succeed(&call);
    assert_eq!(anna.end_taken().await.1.as_deref(), Some("unknown_call"));
}

#[tokio::test(flavor = "multi_thread")]
async fn within_no_call_nothing_is_saved() {
    let ground = Ground::new().await;
    let anna = Peer::join(&ground, sole("anna")).await.unwrap();
    let mut anna = anna;
    anna.say(Said::AskForSave(AskForSave {
        request: 0,
        call: some_call(),
        staged: Vec::new(),
    }));
    match anna.answer().await {
        keyward::wire::generated::answer::Answer::Refused(refused) => {
            assert_eq!(refused.code, "unknown_call");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_begin_with_a_join_or_joins_twice_is_refused() {
    let ground = Ground::new().await;
    let first = Said::Ready(Ready { request: 1 });
    let mut peer = Peer::begin(ground.client().await, first).await;
    assert_eq!(code(peer.end().await), "invalid_message");
    let mut anna = Peer::join(&ground, sole("anna")).await.unwrap();
    anna.say(Said::Join(sole("ben")));
    assert_eq!(code(anna.end().await), "invalid_message");
    let client = ground.client().await;
    let _ben = Peer::join_over(client.clone(), sole("ben")).await.unwrap();
    let other = Peer::join_over(client, sole("carl")).await.err();
    assert_eq!(code(other.map_or(Ok(()), Err)), "already_joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_sharing_and_numbers_that_do_not_fit_are_refused_by_code() {
    let ground = Ground::new().await;
    let refused = async |join: Join| code(Peer::join(&ground, join).await.map(drop));
    assert_eq!(refused(sole("")).await, "invalid_name");
    assert_eq!(refused(sole("a\nb")).await, "invalid_name");
    assert_eq!(refused(sole(&"x".repeat(256))).await, "invalid_name");
    let newer = Join {
        sharing: 9,
        ..sole("anna")
    };
    assert_eq!(refused(newer).await, "invalid_message");
    let _anna = Peer::ready(&ground, sole("anna")).await;
    assert_eq!(refused(sole("anna")).await, "worker_name_taken");
    assert_eq!(refused(shared("anna")).await, "other_sharing");
    let unknown = Join {
        instance: 4_711,
        ..sole("anna")
    };
    assert_eq!(refused(unknown).await, "unknown_instance");
    let no_id = Join {
        instance: 1,
        calls: vec![CallRef::default()],
        ..sole("anna")
    };
    assert_eq!(refused(no_id).await, "invalid_message");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_registered_once_and_again_only_after_a_cut() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let again = anna.register("reencrypt", CallbackKind::Data).await;
    assert_eq!(again, Err("callback_taken".to_owned()));
    assert_eq!(
        anna.register("", CallbackKind::Data).await,
        Err("invalid_name".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_says_nothing_known_ends_the_stream() {
    let ground = Ground::new().await;
    let anna = Peer::ready(&ground, sole("anna")).await;
    let mut anna = anna;
    anna.say_raw(ToKeeper { said: None });
    assert_eq!(code(anna.end().await), "invalid_message");
    // An end without a call is no end.
    let mut ben = Peer::ready(&ground, sole("ben")).await;
    ben.say(Said::Ended(Ended::default()));
    assert_eq!(code(ben.end().await), "invalid_message");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_floods_ends_of_calls_that_it_does_not_have_holds_up_no_other_one() {
    let ground = Ground::new().await;
    let anna = Peer::ready(&ground, sole("anna")).await;
    let outcome = || ended::Outcome::Succeeded(Succeeded::default());
    for _ in 0..20_000 {
        anna.ended(some_call(), outcome());
    }
    let mut ben = Peer::ready(&ground, sole("ben")).await;
    within(ground.keys.remove_worker("anna")).await.unwrap();
    let id = ground.keys.declare(change()).await.unwrap();
    let call = ben.call().await;
    ben.succeed(&call);
    let _ended = within(ground.keys.wait(id)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_needs_the_grant_for_its_name_and_for_each_key() {
    if !is_root() {
        return;
    }
    let of_other = || grant(OTHER, [Right::Work], &["documents"], &["web-*"]);
    let own = || {
        grant(
            rustix::process::geteuid().as_raw(),
            Right::ALL,
            &["*"],
            &["*"],
        )
    };
    let grants = Grants::table([of_other(), own()]);
    let ground = Ground::with(|options| options.grants(grants)).await;
    let other = || connect_as(&ground.path(), OTHER, &[]);
    let refused = Peer::join_over(Client::over(other()).await, sole("anna")).await;
    assert_eq!(code(refused.map(drop)), "permission_denied");
    let mut web = Peer::join_over(Client::over(other()).await, sole("web-1"))
        .await
        .unwrap();
    web.register("reencrypt", CallbackKind::Data).await.unwrap();
    web.is_ready().await;
    assert_eq!(
        web.register_for("token").await,
        Err("permission_denied".to_owned())
    );
    // What is taken back holds for the next call.
    ground.serving.set_grants(Grants::table([own()])).unwrap();
    let report = within(ground.keys.key_changed(change())).await.unwrap();
    assert!(
        error(&report, "web-1", "reencrypt").contains("grants"),
        "{report}"
    );
    assert!(web.hears_nothing_for(Duration::from_millis(200)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_of_one_kind_while_an_instance_that_has_registered_it_is_there() {
    let ground = Ground::new().await;
    let mut first = Peer::join(&ground, shared("web")).await.unwrap();
    first.register("load", CallbackKind::Memory).await.unwrap();
    let mut second = Peer::join(&ground, shared("web")).await.unwrap();
    let other = second.register("load", CallbackKind::Data).await;
    assert_eq!(other, Err("other_kind".to_owned()));
    second.register("load", CallbackKind::Memory).await.unwrap();
    // Sharing as well; both may change once no instance is there.
    let sole_web = Peer::join(&ground, sole("web")).await.map(drop);
    assert_eq!(code(sole_web), "other_sharing");
    for one in [&first, &second] {
        one.drop_handle();
    }
    let gone = async || {
        let workers = ground.keys.workers().await.unwrap();
        workers.iter().all(|one| one.instances.is_empty())
    };
    crate::support::until("both are gone", gone).await;
    let mut alone = Peer::join(&ground, sole("web")).await.unwrap();
    alone.register("load", CallbackKind::Data).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_instances_than_may_be_are_refused_and_one_that_goes_makes_room() {
    let ground = Ground::bounded(|bounds| bounds.instances = 2).await;
    let anna = Peer::ready(&ground, sole("anna")).await;
    let _ben = Peer::ready(&ground, sole("ben")).await;
    let third = async || Peer::join(&ground, sole("carl")).await;
    let refused = third().await.map(drop);
    assert!(
        refused.as_ref().unwrap_err().message().contains('2'),
        "{refused:?}"
    );
    assert_eq!(code(refused), "too_many_instances");
    anna.drop_handle();
    crate::support::until("there is room", async || third().await.is_ok()).await;
}
