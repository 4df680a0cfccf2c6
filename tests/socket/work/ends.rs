//! Calls and their ends: given once, told until they are durable.

use std::time::Duration;

use keyward::wire::generated::to_instance::Said as Heard;
use keyward::wire::generated::to_keeper::Said;
use keyward::wire::generated::{CallbackKind, Failed, Returned, Staged, Succeeded, ended, staged};
use keyward::{CallbackStatus, RotationState};

use crate::ground::{Ground, code};
use crate::support::{change, error, step, until, within};
use crate::work::peer::{Peer, of, shared, sole};

const A_WHILE: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_called_and_its_end_is_taken_once_it_is_durable() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    assert_eq!(
        (call.key.as_str(), call.callback.as_str()),
        ("documents", "reencrypt")
    );
    assert_eq!(of(&call).1, 1);
    let keys = [call.old_keys.clone(), call.new_keys.clone()];
    let values = keys.map(|keys| keys.unwrap().value.unwrap().data.clone());
    assert_eq!(values, [b"value_1".to_vec(), b"value_2".to_vec()]);
    anna.succeed(&call);
    assert_eq!(anna.end_taken().await, (call.call, None));
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
    assert!(anna.hears_nothing_for(A_WHILE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_ready_an_instance_is_not_called() {
    let ground = Ground::new().await;
    let mut anna = Peer::join(&ground, sole("anna")).await.unwrap();
    anna.register("reencrypt", CallbackKind::Data)
        .await
        .unwrap();
    let id = ground.keys.declare(change()).await.unwrap();
    assert!(anna.hears_nothing_for(A_WHILE).await);
    anna.is_ready().await;
    let call = anna.call().await;
    anna.succeed(&call);
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_calls_nothing_again_and_the_end_counts_when_it_is_told() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    let again = anna.again(vec![call.call.clone().unwrap()], "anna");
    let number = anna.number;
    drop(anna);
    let mut anna = Peer::join(&ground, again).await.unwrap();
    assert_eq!(anna.number, number);
    assert!(anna.hears_nothing_for(A_WHILE).await);
    anna.succeed(&call);
    assert_eq!(anna.end_taken().await, (call.call, None));
    let report = within(ground.keys.wait(id)).await.unwrap();
    let step = step(&report, "anna", "reencrypt");
    assert_eq!((step.attempt, step.crashes), (1, 0));
    assert_eq!(step.status, CallbackStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_lost_on_its_way_is_given_again_and_is_no_crash() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let first = anna.call().await;
    let again = anna.again(Vec::new(), "anna");
    drop(anna);
    let mut anna = Peer::join(&ground, again).await.unwrap();
    let call = anna.call().await;
    assert_eq!(of(&call).0, of(&first).0);
    anna.succeed(&call);
    let report = within(ground.keys.wait(id)).await.unwrap();
    let step = step(&report, "anna", "reencrypt");
    assert_eq!((step.status, step.crashes), (CallbackStatus::Succeeded, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_quotes_a_key_is_withheld_though_the_client_told_it() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    anna.fail(&call, "cannot open it with value_1");
    let report = within(ground.keys.wait(id)).await.unwrap();
    let said = error(&report, "anna", "reencrypt");
    assert_eq!(said, "(withheld: the text contains a key value)");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_with_what_no_handle_stages_fails_its_step_and_names_the_field() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    let unfit = staged::Change::LastFlow(keyward::wire::generated::Flow::Default.into());
    let staged = vec![Staged {
        change: Some(unfit),
    }];
    let outcome = ended::Outcome::Succeeded(Succeeded { effect: 0, staged });
    anna.ended(call.call, outcome);
    let report = within(ground.keys.wait(id)).await.unwrap();
    let said = error(&report, "anna", "reencrypt");
    assert!(said.contains("`staged.last_flow`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passed_its_limit_holds_its_turn_until_it_says_that_it_has_returned() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    let outcome = ended::Outcome::Failed(Failed {
        error: "time limit passed".to_owned(),
        still_runs: true,
    });
    anna.ended(call.call.clone(), outcome);
    assert_eq!(anna.end_taken().await.1, None);
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped, "{report}");
    ground.keys.resume(id).await.unwrap();
    assert!(anna.hears_nothing_for(A_WHILE).await, "it has not returned");
    anna.say(Said::Returned(Returned { call: call.call }));
    assert_eq!(anna.end_taken().await.1, None);
    let call = anna.call().await;
    assert_eq!(of(&call).1, 2);
    anna.succeed(&call);
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_handle_frees_the_name_and_the_stream_ends_once_its_call_has_returned() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    anna.drop_handle();
    until("the name is free", async || {
        Peer::join(&ground, sole("anna")).await.is_ok()
    })
    .await;
    anna.succeed(&call);
    within(anna.end()).await.unwrap();
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(step(&report, "anna", "reencrypt").attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_leaves_hears_that_it_has_and_its_stream_ends_well() {
    let ground = Ground::new().await;
    let mut one = Peer::ready(&ground, shared("web")).await;
    let mut other = Peer::ready(&ground, shared("web")).await;
    assert_eq!(one.leave().await, Err("other_instances".to_owned()));
    other.drop_handle();
    within(other.end()).await.unwrap();
    one.leave().await.unwrap();
    within(one.end()).await.unwrap();
    let status = ground.keys.status().await.unwrap();
    assert!(
        status
            .workers
            .iter()
            .all(|worker| worker.worker.as_str() != "web")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_an_operator_removes_hears_it_at_the_end_of_its_stream() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    ground.keys.remove_worker("anna").await.unwrap();
    assert_eq!(code(anna.end().await), "unknown_worker");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_ends_says_so_takes_the_end_of_what_runs_and_ends_the_stream() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    let keys = ground.keys.clone();
    let ends = tokio::spawn(async move { keys.shutdown_within(Duration::from_secs(20)).await });
    assert!(matches!(anna.next().await.unwrap(), Some(Heard::Ending(_))));
    anna.succeed(&call);
    assert_eq!(anna.end_taken().await.1, None);
    assert_eq!(code(anna.end().await), "shut_down");
    within(ends).await.unwrap().unwrap();
    let _ = id;
}
