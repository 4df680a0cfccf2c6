//! Section 3: declaring, states and strategies, and order.

use keyward::repo::space::Space;
use keyward::rotation::report::WaitsFor;
use keyward::{
    CallbackStatus, Change, KeyChange, OnKeyChangedCallbackErrorStrategy as Strategy,
    RotationError, RotationId, RotationState, SecretKeyPair,
};
use uuid::Uuid;

use crate::support::log::Log;
use crate::support::{
    Gate, Story, assert_says, change, define, error, statuses, step, until, within,
};
use crate::world::{Disk, Source, declare, end, facts, fails_until, forward, waits_at, with};

#[tokio::test]
async fn declared_keys_are_checked_before_anything_is_journaled() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    define(&manager, Source::new("v").one_way("one way")).await;
    let before = (disk.all(Space::Rotations), disk.all(Space::Keys));
    let long = "x".repeat(1024 * 1024 + 1);
    let documents = || Change::of("documents");
    let refused: [(Change, &str, &[&str]); 8] = [
        (
            documents().old(""),
            "invalid_key",
            &["documents", "old", "empty"],
        ),
        (
            documents().new_keys(("a", "")),
            "invalid_key",
            &["new", "empty"],
        ),
        (
            documents().old(long.as_str()),
            "invalid_key",
            &["old", "1048577"],
        ),
        (
            documents().new_keys(long.as_str()),
            "invalid_key",
            &["new", "1 MiB"],
        ),
        (
            Change::of("one way").new_keys(("a", "a")),
            "invalid_key",
            &["one way", "new", "pair"],
        ),
        (
            documents().old("a").new_keys("a"),
            "same_keys",
            &["documents"],
        ),
        (
            documents().old("a").new_keys(("a", "a")),
            "same_keys",
            &["documents"],
        ),
        (
            Change::of("unknown").new_keys("a"),
            "key_not_defined",
            &["unknown"],
        ),
    ];
    for (change, code, names) in refused {
        let error = manager.declare(change).await.unwrap_err();
        assert_says(error.code(), code, &error.to_string(), names);
    }
    assert!(manager.rotations().await.unwrap().is_empty());
    assert!(manager.history(10).await.unwrap().rotations.is_empty());
    assert_eq!((disk.all(Space::Rotations), disk.all(Space::Keys)), before);
}

#[tokio::test]
async fn undeclared_old_keys_are_what_is_held_and_the_store_is_not_asked() {
    let source = Source::new("value_1");
    let manager = with(source.documents()).await;
    let story = Story::default();
    let told = story.clone();
    let shown = |pair: Option<SecretKeyPair>| {
        pair.map_or("none".to_owned(), |p| {
            p.back().expose_str().unwrap().to_owned()
        })
    };
    let call = move |change: KeyChange| {
        told.tell(format!(
            "{} {}",
            shown(change.old_keys),
            shown(change.new_keys)
        ));
    };
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    drop(
        within(manager.key_changed(Change::of("documents")))
            .await
            .unwrap(),
    );
    assert_eq!(source.calls(), 0);
    forward(&manager).await;
    drop(
        within(manager.key_changed(Change::of("documents").new_keys("value_2")))
            .await
            .unwrap(),
    );
    assert_eq!(story.lines(), ["none none", "value_1 value_2"]);
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn the_plan_goes_worker_by_worker_in_the_order_of_joining_and_registering() {
    let manager = with(Source::new("v").documents()).await;
    let workers = [
        manager.join("z").await.unwrap(),
        manager.join("a").await.unwrap(),
    ];
    let story = Story::default();
    for (worker, callback) in [(1, "3"), (0, "2"), (1, "1"), (0, "4")] {
        let told = story.clone();
        let worker = &workers[worker];
        let call = move |change: KeyChange| told.tell(change.key.worker());
        worker
            .register_on_change("documents", callback, call)
            .await
            .unwrap();
    }
    let report = within(manager.key_changed(change())).await.unwrap();
    let plan: Vec<_> = report
        .steps
        .iter()
        .map(|s| (s.worker.as_str(), s.callback.as_str()))
        .collect();
    assert_eq!(plan, [("z", "2"), ("z", "4"), ("a", "3"), ("a", "1")]);
    assert_eq!(story.lines(), ["z", "z", "a", "a"]);
    for step in &report.steps {
        assert_eq!((step.status, step.attempt), (CallbackStatus::Succeeded, 1));
        assert!(step.started_ms <= step.ended_ms && step.started_ms.is_some());
    }
}

#[tokio::test]
async fn each_strategy_does_what_it_says_with_a_failed_callback() {
    use CallbackStatus::{Failed, Pending, Succeeded};
    for (strategy, state, second, raises) in [
        (Strategy::Halt, RotationState::Stopped, Pending, false),
        (
            Strategy::RaiseImmediately,
            RotationState::Stopped,
            Pending,
            true,
        ),
        (
            Strategy::Skip,
            RotationState::CompletedWithFailures,
            Succeeded,
            false,
        ),
        (
            Strategy::SkipAndRaise,
            RotationState::CompletedWithFailures,
            Succeeded,
            true,
        ),
    ] {
        let manager = with(Source::new("v").documents().error_strategy(strategy)).await;
        fails_until(&manager, "fails").await;
        manager
            .register_on_change("documents", "works", |_: KeyChange| {})
            .await
            .unwrap();
        let report = match within(manager.key_changed(change())).await {
            Ok(report) if !raises => report,
            Err(RotationError::Raised { report }) if raises => *report,
            other => panic!("{strategy}: {other:?}"),
        };
        assert_eq!(
            (report.state, statuses(&report)),
            (state, vec![Failed, second])
        );
        assert_eq!((report.strategy, report.raises()), (strategy, raises));
        assert!(
            step(&report, "main", "fails")
                .error
                .as_deref()
                .unwrap()
                .contains("not yet")
        );
    }
}

#[tokio::test]
async fn the_strategy_is_fixed_at_acceptance() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    fails_until(&manager, "fails").await;
    let id = within(manager.key_changed(change())).await.unwrap().id;
    end(manager).await;
    let skips = Source::new("v")
        .documents()
        .error_strategy(Strategy::SkipAndRaise);
    let manager = disk.life_with(skips).await;
    fails_until(&manager, "fails").await;
    manager.resume(id).await.unwrap();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(
        (report.strategy, report.state),
        (Strategy::Halt, RotationState::Stopped)
    );
}

#[tokio::test]
async fn the_time_limit_of_callbacks_is_that_of_the_current_definition() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    fails_until(&manager, "fails").await;
    let id = within(manager.key_changed(change())).await.unwrap().id;
    end(manager).await;
    let short = std::time::Duration::from_millis(100);
    let hurries = Source::new("v").documents().callback_time_limit(short);
    let manager = disk.life_with(hurries).await;
    let hangs = |_: KeyChange| std::future::pending::<()>();
    let registered = manager.register_on_change("documents", "fails", hangs);
    registered.await.unwrap();
    manager.resume(id).await.unwrap();
    let report = within(manager.wait(id)).await.unwrap();
    let said = error(&report, "main", "fails");
    assert!(said.contains("time limit of 100ms passed"), "{said}");
}

#[tokio::test]
async fn an_accepted_rotation_is_found_and_waited_for_in_the_next_life() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    let id = manager.declare(change()).await.unwrap();
    assert_eq!(
        within(manager.wait(id)).await.unwrap().state,
        RotationState::Completed
    );
    end(manager).await;
    let manager = disk.life().await;
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!((report.id, report.state), (id, RotationState::Completed));
    let history = manager.history(10).await.unwrap();
    assert_eq!(history.rotations[0], report);
    let unknown = RotationId::new(Uuid::from_u128(1));
    assert_eq!(
        manager.wait(unknown).await.unwrap_err().code(),
        "unknown_rotation"
    );
}

#[tokio::test]
async fn a_rotation_does_not_depend_on_its_caller() {
    let manager = with(Source::new("v").documents()).await;
    let gate = Gate::default();
    let call = waits_at(&gate);
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let calling = tokio::spawn({
        let manager = manager.clone();
        async move { manager.key_changed(change()).await }
    });
    gate.arrived(1).await;
    calling.abort();
    let id = manager.rotations().await.unwrap()[0].id;
    gate.open();
    assert_eq!(
        within(manager.wait(id)).await.unwrap().state,
        RotationState::Completed
    );
}

#[tokio::test]
async fn the_same_id_with_the_same_declaration_starts_nothing_and_with_another_is_an_error() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    define(&manager, Source::new("v").round_trip("other")).await;
    let story = Story::default();
    let told = story.clone();
    let call = move |_: KeyChange| told.tell("called");
    manager
        .register_on_change("documents", "callback", call.clone())
        .await
        .unwrap();
    let own = Uuid::from_u128(7);
    let id = within(manager.key_changed(change().id(own)))
        .await
        .unwrap()
        .id;
    assert_eq!(id.as_uuid(), own);
    end(manager).await;
    // The keys are gone from the journal by now; the fingerprints are not.
    let manager = disk.life_with(Source::new("v").documents()).await;
    define(&manager, Source::new("v").round_trip("other")).await;
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    assert_eq!(manager.declare(change().id(own)).await.unwrap(), id);
    assert_eq!(
        within(manager.key_changed(change().id(own)))
            .await
            .unwrap()
            .id,
        id
    );
    for other in [
        Change::of("documents").old("value_1").new_keys("value_3"),
        Change::of("documents").new_keys("value_2"),
        Change::of("documents").old("value_1"),
        Change::of("other").old("value_1").new_keys("value_2"),
    ] {
        let refused = manager.declare(other.id(own)).await.unwrap_err();
        let names = [&own.to_string(), "another declaration"];
        assert_says(
            refused.code(),
            "other_declaration",
            &refused.to_string(),
            &names,
        );
    }
    let history = manager.history(10).await.unwrap().rotations;
    assert_eq!(
        history.iter().map(|report| report.id).collect::<Vec<_>>(),
        [id]
    );
    assert_eq!(story.lines(), ["called"]);
}

#[tokio::test]
async fn rotations_of_a_key_run_one_at_a_time_in_order_and_of_other_keys_beside_them() {
    let manager = with(Source::new("v").documents()).await;
    define(&manager, Source::new("v").round_trip("other")).await;
    let (gate, story) = (Gate::default(), Story::default());
    let (passed, told) = (gate.clone(), story.clone());
    let call = move |change: KeyChange| {
        told.tell(change.new_keys.unwrap().back().expose_str().unwrap());
        let passed = passed.clone();
        async move { passed.pass().await }
    };
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let first = declare(&manager, "a").await;
    let later = [declare(&manager, "b").await, declare(&manager, "c").await];
    gate.arrived(1).await;
    let beside = within(manager.key_changed(Change::of("other")))
        .await
        .unwrap();
    assert_eq!(beside.state, RotationState::Completed);
    let listed = manager.rotations().await.unwrap();
    assert_eq!(
        listed.iter().map(|r| r.id).collect::<Vec<_>>(),
        [first, later[0], later[1]]
    );
    assert!(listed.is_sorted_by_key(|report| report.sequence));
    assert_eq!(listed[0].state, RotationState::Running);
    assert_eq!(listed[1].state, RotationState::Waiting);
    assert_eq!(listed[1].waits_for, [WaitsFor::Rotation { id: first }]);
    gate.open();
    for id in later {
        drop(within(manager.wait(id)).await.unwrap());
    }
    assert_eq!(story.lines(), ["a", "b", "c"]);
}

#[tokio::test]
async fn the_status_names_the_keys_whose_store_still_answers_the_declared_old_keys() {
    let source = Source::new("value_1");
    let manager = with(source.documents()).await;
    forward(&manager).await;
    drop(within(manager.key_changed(change())).await.unwrap());
    forward(&manager).await;
    let named = async || {
        let status = manager.status().await.unwrap();
        status
            .keys_with_old_store()
            .map(|key| key.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(named().await, ["documents"]);
    source.set("value_2");
    forward(&manager).await;
    assert!(named().await.is_empty());
    until("nothing waits", async || {
        facts(&manager).await.facts.waiting == 0
    })
    .await;
}

#[tokio::test]
async fn the_outcome_is_a_tracing_event_of_level_error_where_callbacks_failed() {
    let log = Log::begin();
    for strategy in [
        Strategy::RaiseImmediately,
        Strategy::Halt,
        Strategy::Skip,
        Strategy::SkipAndRaise,
    ] {
        let manager = with(Source::new("v").documents().error_strategy(strategy)).await;
        fails_until(&manager, "fails").await;
        let id = manager.declare(change()).await.unwrap().to_string();
        let told = [
            "ERROR",
            &id,
            "key=documents",
            "worker=main",
            "callback=fails",
            "error=",
        ];
        until("the outcome is traced", async || {
            !log.lines(&told).is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn at_each_start_a_rotation_that_needs_a_person_is_an_event() {
    let log = Log::begin();
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    fails_until(&manager, "fails").await;
    let report = within(manager.key_changed(change())).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped);
    within(manager.shutdown()).await.unwrap();
    let id = report.id.to_string();
    let told = || {
        let all = [
            "ERROR",
            &id,
            "needs a person",
            "worker=main",
            "callback=fails",
        ];
        log.lines(&all).len()
    };
    for life in 1..=2 {
        let manager = disk.life_with(Source::new("v").documents()).await;
        until("it is told at the start", async || told() == life).await;
        within(manager.shutdown()).await.unwrap();
    }
}

#[tokio::test]
async fn a_step_that_waits_long_for_its_worker_is_a_warning() {
    let log = Log::begin();
    let manager = with(Source::new("v").documents()).await;
    let worker = within(manager.join("is away")).await.unwrap();
    within(worker.register_on_change("documents", "call", async |_: KeyChange| {}))
        .await
        .unwrap();
    drop(worker);
    let id = within(manager.declare(change())).await.unwrap().to_string();
    let told = ["WARN", &id, "worker=is away", "callback=call", "remove it"];
    until("it is told", async || !log.lines(&told).is_empty()).await;
}
