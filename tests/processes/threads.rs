//! The system refuses threads, by a real limit, and gives them again: what waits for one goes on.

use std::time::Duration;

use keyward::rotation::report::WaitsFor;
use keyward::worker::callback::{Callback, IntoCallback};
use keyward::{Change, KeyChange, MemoryRepo, RotationState, SecretKeyDefinition};
use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};

use crate::support::alone::{again, passes};
use crate::support::{builder, define, until, within};

const STORY: &str = "KEYWARD_TEST_STORY";

/// From now on the system refuses threads, or no more. A program of root's has no such limit, so it
/// becomes another user's first, with no other process.
fn refuse_threads(refuse: bool) {
    if getuid().is_root() {
        let user = 1_000_000 + std::process::id();
        // SAFETY: it takes three numbers; the C library changes the user of every thread.
        assert_eq!(unsafe { libc::setresuid(user, user, user) }, 0);
    }
    let limit = getrlimit(Resource::Nproc);
    let current = if refuse { Some(0) } else { limit.maximum };
    setrlimit(Resource::Nproc, Rlimit { current, ..limit }).expect("it may be set, and taken back");
    let started = std::thread::Builder::new().spawn(|| ());
    assert_eq!(started.is_err(), refuse, "the limit is not kept here");
}

/// Tells a story in a process of its own.
fn tell(story: &str) {
    let mut process = again(a_story_is_told);
    process.env(STORY, story);
    passes(process);
}

#[test]
#[ignore = "run by the tests below"]
fn a_story_is_told() {
    let story = std::env::var(STORY).expect("run by the tests below");
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let blocking = || (|_: KeyChange| {}).into_callback();
        let awaiting = || (async |_: KeyChange| {}).into_callback();
        match story.as_str() {
            "blocking" => is_called_later(blocking(), Some(Duration::from_secs(60))).await,
            "blocking, for ever" => is_called_later(blocking(), None).await,
            "async" => is_called_later(awaiting(), Some(Duration::from_secs(60))).await,
            "async, for ever" => is_called_later(awaiting(), None).await,
            "stores" => stores_wait().await,
            other => panic!("no such story: {other}"),
        }
    });
}

async fn is_called_later(callback: Callback, wait: Option<Duration>) {
    let builder = builder().state_repo(MemoryRepo::new()).worker_wait(wait);
    let manager = builder.start().await.unwrap();
    define(&manager, SecretKeyDefinition::one_way("k", || "value_1")).await;
    manager
        .register_on_change("k", "callback", callback)
        .await
        .unwrap();
    refuse_threads(true);
    let id = manager
        .declare(Change::of("k").new_keys("n"))
        .await
        .unwrap();
    until("it waits for a thread", async || {
        let rotations = manager.rotations().await.unwrap();
        matches!(
            &rotations[0].waits_for[..],
            [WaitsFor::Thread { worker, callback }]
                if worker.as_str() == "main" && callback.as_str() == "callback"
        )
    })
    .await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let rotations = manager.rotations().await.unwrap();
    assert_eq!(
        rotations[0].steps[0].attempt, 0,
        "it is not said to be called"
    );
    refuse_threads(false);
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report:?}");
    assert_eq!(report.steps[0].attempt, 1);
    within(manager.shutdown()).await.unwrap();
}

async fn stores_wait() {
    let manager = builder()
        .state_repo(MemoryRepo::new())
        .start()
        .await
        .unwrap();
    define(
        &manager,
        SecretKeyDefinition::one_way("first", || "value_1"),
    )
    .await;
    within(manager.get_key("first")).await.unwrap();
    let slow = || {
        std::thread::sleep(Duration::from_millis(50));
        "value_1"
    };
    for no in 0..4 {
        define(
            &manager,
            SecretKeyDefinition::one_way(format!("slow {no}"), slow),
        )
        .await;
    }
    let late = SecretKeyDefinition::one_way("late", async || "value_1");
    define(&manager, late.store_time_limit(Duration::from_millis(300))).await;
    refuse_threads(true);
    // One thread is there already: all of them get it in turn.
    let asked = (0..4).map(|no| {
        let manager = manager.clone();
        tokio::spawn(async move { manager.get_key(&format!("slow {no}")).await })
    });
    for answer in asked.collect::<Vec<_>>() {
        within(answer).await.unwrap().unwrap();
    }
    let refused = within(manager.get_key("late")).await.unwrap_err();
    assert_eq!(refused.code(), "store_failed");
    let said = refused.to_string();
    assert!(said.contains("no thread: the system refuses"), "{said}");
    let patient = SecretKeyDefinition::one_way("patient", async || "value_1");
    define(&manager, patient).await;
    let waits = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get_key("patient").await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waits.is_finished(), "it waits for a thread");
    refuse_threads(false);
    within(waits).await.unwrap().unwrap();
    within(manager.get_key("late")).await.unwrap();
    within(manager.shutdown()).await.unwrap();
}

#[test]
fn a_blocking_callback_that_is_due_while_threads_are_refused_runs_when_they_come_back() {
    tell("blocking");
    tell("blocking, for ever");
}

#[test]
fn an_async_callback_that_is_due_while_threads_are_refused_runs_when_they_come_back() {
    tell("async");
    tell("async, for ever");
}

#[test]
fn stores_that_need_a_thread_that_is_refused_share_those_that_are_there_or_say_what_is_refused() {
    tell("stores");
}
