//! Section 2: every back half that data may be under.

use std::time::Duration;

use keyward::{
    CandidatesError, Change, Effect, KeyChange, KeysManagement, SecretKeyDefinition,
    SecretKeyValue, block_on,
};

use crate::support::log::Log;
use crate::support::{Gate, define, until, within};
use crate::world::{Disk, Source, back, declare, facts, fails_until, forward, waits_at, with};

fn texts(values: Vec<SecretKeyValue>) -> Vec<String> {
    let text = |value: SecretKeyValue| value.expose_str().unwrap().to_owned();
    values.into_iter().map(text).collect()
}

async fn candidates(manager: &KeysManagement) -> Vec<String> {
    texts(
        within(manager.back_path_candidates("documents"))
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn candidates_are_what_a_get_answers_and_the_halves_of_begun_rotations_each_once() {
    let source = Source::new(("f1", "b1"));
    let manager = with(source.documents()).await;
    forward(&manager).await;
    assert_eq!(candidates(&manager).await, ["b1"]);
    let gate = Gate::default();
    let waits = waits_at(&gate);
    let registered = manager.register_on_change("documents", "waits", waits);
    registered.await.unwrap();
    let first = declare(&manager, "v2").await;
    gate.arrived(1).await;
    // One that has not begun adds nothing.
    let second = declare(&manager, "v3").await;
    assert_eq!(candidates(&manager).await, ["b1", "v2"]);
    gate.open();
    for id in [first, second] {
        drop(within(manager.wait(id)).await.unwrap());
    }
    assert_eq!(candidates(&manager).await, ["b1"]);
}

#[tokio::test]
async fn after_a_stopped_change_the_keys_that_it_holds_are_among_them_the_latest_first() {
    let log = Log::begin();
    let manager = with(Source::new("v1").documents()).await;
    forward(&manager).await;
    let reencrypts = |_: KeyChange| Effect::Reencrypted;
    let registered = manager.register_on_change("documents", "a reencrypts", reencrypts);
    registered.await.unwrap();
    let mended = fails_until(&manager, "fails").await;
    let stopped = declare(&manager, "v2").await;
    drop(within(manager.wait(stopped)).await.unwrap());
    assert_eq!(candidates(&manager).await, ["v2", "v1"]);
    mended.store(true, std::sync::atomic::Ordering::SeqCst);
    let later = declare(&manager, "v3").await;
    drop(within(manager.wait(later)).await.unwrap());
    // The first one is obsolete and keeps its keys, which is an event.
    assert_eq!(candidates(&manager).await, ["v3", "v2", "v1"]);
    let id = stopped.to_string();
    until("it is told", async || {
        !log.lines(&[&id, "candidates"]).is_empty()
    })
    .await;
}

#[tokio::test]
async fn candidates_change_nothing() {
    let source = Source::new("v1");
    let manager = with(source.documents().keep_in_cache(false).stateless(false)).await;
    assert_eq!(candidates(&manager).await, ["v1"]);
    let known = facts(&manager).await.facts;
    assert_eq!((known.last_flow, known.holds), (None, false));
    let manager = with(source.documents()).await;
    forward(&manager).await;
    drop(
        within(manager.key_changed(Change::of("documents").new_keys("v2")))
            .await
            .unwrap(),
    );
    source.set("v2");
    let before = facts(&manager).await.facts;
    assert!(before.superseded);
    for _ in 0..3 {
        assert_eq!(candidates(&manager).await, ["v1"]);
    }
    let mut after = facts(&manager).await.facts;
    after.waiting = before.waiting;
    assert_eq!(after, before);
    assert_eq!(
        back(&manager).await,
        "v1",
        "it is answered once, and was not yet"
    );
    assert_eq!(back(&manager).await, "v2");
}

#[tokio::test]
async fn a_store_or_a_record_that_fails_or_hangs_hides_nothing_of_the_rest() {
    let disk = Disk::default();
    let hangs = |name: &str| {
        let limit = Duration::from_millis(300);
        let store = std::future::pending::<String>;
        SecretKeyDefinition::round_trip(name, store).store_time_limit(limit)
    };
    let manager = disk.life_with(hangs("documents").stateless(false)).await;
    let mended = fails_until(&manager, "fails").await;
    let change = Change::of("documents").old("v1").new_keys("v2");
    let id = within(manager.declare(change)).await.unwrap();
    drop(within(manager.wait(id)).await.unwrap());
    assert_eq!(candidates(&manager).await, ["v2", "v1"], "the store hangs");
    mended.store(true, std::sync::atomic::Ordering::SeqCst);
    let hung = hangs("late").store_time_limit(Duration::from_secs(60));
    define(
        &manager,
        hung.request_time_limit(Duration::from_millis(300)),
    )
    .await;
    let found = within(manager.back_path_candidates("late")).await.unwrap();
    assert!(found.is_empty(), "the request's limit passes");
    within(manager.shutdown()).await.unwrap();
    let source = Source::new("v3");
    let record = |key: &[u8]| key == b"documents";
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    within(manager.save_state("documents")).await.unwrap();
    within(manager.shutdown()).await.unwrap();
    disk.spoil(keyward::repo::space::Space::States, record);
    let manager = disk.life_with(source.documents().stateless(false)).await;
    assert_eq!(back(&manager).await, "state_unreadable");
    assert_eq!(candidates(&manager).await, ["v2", "v1"]);
}

#[tokio::test]
async fn a_one_way_key_has_no_candidates_and_every_handle_answers_them() {
    let manager = with(Source::new("v1").documents()).await;
    define(&manager, Source::new("t").one_way("token")).await;
    let refused = manager.back_path_candidates("token").await.unwrap_err();
    assert_eq!(refused.code(), "invalid_flow");
    let unknown = manager.back_path_candidates("unknown").await.unwrap_err();
    assert_eq!(unknown.code(), "key_not_defined");
    let worker = manager.join("w").await.unwrap();
    let single = manager.get_single_management("documents").unwrap();
    assert_eq!(
        texts(worker.back_path_candidates("documents").await.unwrap()),
        ["v1"]
    );
    assert_eq!(texts(single.back_path_candidates().await.unwrap()), ["v1"]);
    let opens = |key: &SecretKeyValue| match key.expose() {
        b"v1" => Ok("open"),
        _ => Err("shut".to_owned()),
    };
    assert_eq!(manager.try_candidates("documents", opens).await, Ok("open"));
    assert_eq!(worker.try_candidates("documents", opens).await, Ok("open"));
    assert_eq!(single.try_candidates(opens).await, Ok("open"));
    let never = |_: &SecretKeyValue| Err::<(), _>("shut");
    let error = manager
        .try_candidates("documents", never)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        CandidatesError::NoneWorks {
            errors: vec!["shut"]
        }
    );
    assert_eq!(error.code(), "no_candidate");
    // What the program's function says may quote a key: no text of keyward's shows it.
    assert!(!format!("{error} {error:?}").contains("shut"), "{error}");
    let asking = std::thread::spawn(move || {
        let found = block_on(worker.back_path_candidates("documents")).unwrap();
        assert_eq!(
            block_on(manager.back_path_candidates("documents")).unwrap(),
            found
        );
        assert_eq!(block_on(single.back_path_candidates()).unwrap(), found);
        assert_eq!(
            block_on(manager.try_candidates("documents", opens)),
            Ok("open")
        );
        assert_eq!(block_on(single.try_candidates(opens)), Ok("open"));
        assert_eq!(
            block_on(worker.try_candidates("documents", opens)),
            Ok("open")
        );
    });
    asking.join().unwrap();
}
