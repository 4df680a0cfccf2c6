//! Callbacks of memory: every instance is called, and one that registers late is caught up before its
//! registration is answered.

use std::time::Duration;

use keyward::RotationState;
use keyward::wire::generated::answer::Answer as Given;
use keyward::wire::generated::to_instance::Said as Heard;
use keyward::wire::generated::{CallbackKind, EventsRequest, Level};

use crate::ground::Ground;
use crate::support::alone::ended;
use crate::support::{change, until, within};
use crate::work::peer::{Peer, of, shared, sole};
use crate::work::processes::start_at;

async fn web(ground: &Ground) -> Peer {
    let mut web = Peer::join(ground, shared("web")).await.unwrap();
    web.register("load", CallbackKind::Memory).await.unwrap();
    web.is_ready().await;
    web
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instance_is_called_and_the_step_ends_with_the_last() {
    let ground = Ground::new().await;
    let (mut one, mut other) = (web(&ground).await, web(&ground).await);
    let id = ground.keys.declare(change()).await.unwrap();
    let (first, second) = (one.call().await, other.call().await);
    assert_eq!(of(&first), of(&second));
    one.succeed(&first);
    assert_eq!(one.end_taken().await.1, None);
    let waits = tokio::time::timeout(Duration::from_millis(200), ground.keys.wait(id)).await;
    assert!(waits.is_err(), "the other one has not answered");
    other.succeed(&second);
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_registers_behind_a_step_is_called_for_it_before_it_is_answered() {
    let ground = Ground::new().await;
    let mut first = web(&ground).await;
    // It keeps the rotation from its end.
    let mut data = Peer::ready(&ground, sole("zoe")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = first.call().await;
    first.succeed(&call);
    assert_eq!(first.end_taken().await.1, None);
    let of_zoe = data.call().await;
    let mut late = Peer::join(&ground, shared("web")).await.unwrap();
    late.send_register("load", CallbackKind::Memory);
    let catches_up = late.call().await;
    assert_eq!(of(&catches_up).1, 0, "it is no attempt");
    assert_eq!(of(&catches_up).0, of(&call).0);
    assert!(late.hears_nothing_for(Duration::from_millis(200)).await);
    late.fail(&catches_up, "not now");
    assert_eq!(late.end_taken().await.1, None);
    match late.next().await.unwrap() {
        Some(Heard::Answer(answer)) => match answer.answer {
            Some(Given::Registered(registered)) => {
                assert_eq!((registered.caught_up, registered.failed.len()), (1, 1));
                assert_eq!(registered.failed[0].error, "not now");
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    data.succeed(&of_zoe);
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_five_processes_in_a_row_that_ended_in_it_an_instance_is_left_out_with_an_event() {
    let ground = Ground::new().await;
    let mut first = web(&ground).await;
    // It keeps the rotation from its end.
    let mut data = Peer::ready(&ground, sole("zoe")).await;
    let id = ground.keys.declare(change()).await.unwrap();
    let call = first.call().await;
    first.succeed(&call);
    assert_eq!(first.end_taken().await.1, None);
    let of_zoe = data.call().await;
    let mut operator = ground.client().await;
    let only_errors = EventsRequest {
        level: Level::Error.into(),
    };
    let events = operator.operate.events(only_errors).await.unwrap();
    let mut events = events.into_inner();
    for _ in 0..5 {
        let mut dies = start_at(&ground.path(), "die when it is caught up");
        ended(&mut dies);
        until("the keeper knows its end", async || {
            let workers = ground.keys.workers().await.unwrap();
            let web = workers.iter().find(|one| one.worker.as_str() == "web");
            web.is_some_and(|web| web.instances.len() == 1)
        })
        .await;
    }
    let mut sixth = Peer::join(&ground, shared("web")).await.unwrap();
    let caught_up = sixth.register("load", CallbackKind::Memory).await;
    assert_eq!(caught_up, Ok(0), "it is not called");
    let told = within(events.message()).await.unwrap().expect("an event");
    assert!(told.text.contains("is not caught up any more"), "{told:?}");
    let about = |name: &str| told.fields.get(name).map(String::as_str);
    assert_eq!(
        [
            about("worker"),
            about("key"),
            about("callback"),
            about("ends")
        ],
        [Some("web"), Some("documents"), Some("load"), Some("5")]
    );
    data.succeed(&of_zoe);
    let report = within(ground.keys.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}
