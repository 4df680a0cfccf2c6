//! Section 2: the state of a key, where the vectors do not show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyward::repo::space::Space;
use keyward::rotation::report::WaitsFor;
use keyward::{
    Change, CommandStore, Effect, KeyChange, SecretKeyDefinition, SecretKeyFlow, SecretKeys,
};

use crate::support::log::Log;
use crate::support::{Gate, SHORT, assert_says, builder, define, until, within};
use crate::world::{Disk, Source, back, end, facts, forward, text, with};

#[tokio::test]
async fn a_one_way_key_is_fresh_each_time_and_keeps_nothing() {
    let source = Source::new("value_1");
    let manager = with(source.one_way("documents").stateless(false)).await;
    assert_eq!(text(manager.get_key("documents").await), "value_1");
    source.set("value_2");
    let answer = manager
        .get_key_on("documents", SecretKeyFlow::Default)
        .await
        .unwrap();
    assert_eq!(
        (answer.expose_str(), answer.flow),
        (Some("value_2"), SecretKeyFlow::Default)
    );
    let facts = facts(&manager).await.facts;
    assert_eq!(
        (facts.holds, facts.last_flow, source.calls()),
        (false, None, 2)
    );
}

#[tokio::test]
async fn a_flow_that_does_not_fit_the_use_case_is_an_error_and_asks_nothing() {
    let source = Source::new("v");
    let manager = with(source.documents()).await;
    define(&manager, source.one_way("one way")).await;
    let flow = |flow| manager.get_key_on("one way", flow);
    for wrong in [SecretKeyFlow::ForwardPath, SecretKeyFlow::BackPath] {
        let error = flow(wrong).await.unwrap_err();
        assert_says(
            error.code(),
            "invalid_flow",
            &error.to_string(),
            &["one way", &wrong.to_string()],
        );
    }
    let error = manager
        .get_key_on("documents", SecretKeyFlow::Default)
        .await
        .unwrap_err();
    assert_says(
        error.code(),
        "invalid_flow",
        &error.to_string(),
        &["documents", &SecretKeyFlow::Default.to_string()],
    );
    assert_eq!(source.calls(), 0);
    let first = manager.get_key("documents").await.unwrap();
    assert_eq!(
        first.flow,
        SecretKeyFlow::ForwardPath,
        "nothing has changed"
    );
}

#[tokio::test]
async fn a_wrong_shape_is_told_by_what_was_given_and_not_by_equality() {
    let source = Source::new(("same", "same"));
    let manager = with(source.one_way("documents")).await;
    assert_eq!(text(manager.get_key("documents").await), "invalid_key");
    source.set("same");
    assert_eq!(text(manager.get_key("documents").await), "same");
}

#[tokio::test]
async fn a_key_of_one_mebibyte_is_taken_and_a_byte_more_or_none_is_refused() {
    let source = Source::new("v".repeat(1024 * 1024));
    let manager = with(source.documents()).await;
    assert_eq!(forward(&manager).await.len(), 1024 * 1024);
    source.set("v".repeat(1024 * 1024 + 1));
    assert_eq!(forward(&manager).await, "invalid_key");
    for empty in [
        SecretKeys::from(""),
        ("", "back").into(),
        ("forward", "").into(),
    ] {
        source.set(empty);
        assert_eq!(forward(&manager).await, "invalid_key");
    }
}

#[tokio::test]
async fn the_flow_is_decided_when_a_request_takes_effect_and_not_when_it_arrives() {
    let gate = Gate::default();
    let passed = gate.clone();
    let store = move || {
        passed.pass_blocking();
        ("forward half", "back half")
    };
    let manager = with(SecretKeyDefinition::round_trip("documents", store)).await;
    let ask = || {
        let manager = manager.clone();
        tokio::spawn(async move { manager.get_key("documents").await.unwrap() })
    };
    let asked = [ask(), ask()];
    until("both wait", async || {
        facts(&manager).await.facts.waiting == 2
    })
    .await;
    gate.open();
    let mut flows = Vec::new();
    for asked in asked {
        let answer = within(asked).await.unwrap();
        flows.push((
            answer.flow == SecretKeyFlow::BackPath,
            answer.expose().to_vec(),
        ));
    }
    flows.sort();
    assert_eq!(
        flows,
        [
            (false, b"forward half".to_vec()),
            (true, b"back half".to_vec())
        ]
    );
}

#[tokio::test]
async fn a_failed_request_changes_nothing_and_forgets_what_it_loaded() {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let manager = disk.life_with(source.documents().stateless(false)).await;
    // A record of the back path holds no key, so the next life has to ask the store as well.
    back(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    source.fail();
    let manager = disk.life_with(source.documents().stateless(false)).await;
    for reads in 1..=2 {
        assert_eq!(back(&manager).await, "store_failed");
        let facts = facts(&manager).await.facts;
        assert_eq!(
            (facts.last_flow, facts.holds, facts.state_reads),
            (None, false, reads)
        );
    }
    source.set("value_2");
    assert_eq!(back(&manager).await, "value_2");
}

#[tokio::test]
async fn saving_before_any_flow_leaves_the_record_of_an_earlier_life() {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    source.set("value_2");
    let manager = disk.life_with(source.documents().stateless(false)).await;
    manager.save_state("documents").await.unwrap();
    assert_eq!(back(&manager).await, "value_1");
}

#[tokio::test]
async fn a_record_holds_the_back_half_only() {
    let disk = Disk::default();
    let source = Source::new(("forward half", "back half"));
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    let manager = disk.life_with(source.documents().stateless(false)).await;
    assert_eq!(back(&manager).await, "back half");
    let story = Arc::new(std::sync::Mutex::new(None));
    let told = Arc::clone(&story);
    let call = move |change: KeyChange| *told.lock().unwrap() = change.old_keys;
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    drop(
        within(manager.key_changed(Change::of("documents")))
            .await
            .unwrap(),
    );
    let old = story.lock().unwrap().clone().unwrap();
    assert!(old.is_symmetric() && old.back().expose_str() == Some("back half"));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_error_each_time_and_goes_to_quarantine() {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    disk.spoil(Space::States, |_| true);
    let manager = disk.life_with(source.documents().stateless(false)).await;
    for reads in 1..=2 {
        assert_eq!(back(&manager).await, "state_unreadable");
        assert_eq!(facts(&manager).await.facts.state_reads, reads);
    }
    assert_eq!(
        disk.all(Space::States)[0].1,
        b"spoilt",
        "it is left in place"
    );
    assert_eq!(forward(&manager).await, "value_1");
    manager.save_state("documents").await.unwrap();
    assert_eq!(
        facts(&manager).await.facts.state_reads,
        2,
        "that look is no load"
    );
    let moved = disk.all(Space::Quarantine);
    assert!(
        moved
            .iter()
            .any(|(_, value)| value.windows(6).any(|w| w == b"spoilt"))
    );
    end(manager).await;
    let manager = disk.life_with(source.documents().stateless(false)).await;
    assert_eq!(back(&manager).await, "value_1");
}

#[tokio::test]
async fn a_save_that_waited_for_the_store_does_not_undo_an_effect() {
    let disk = Disk::default();
    let gate = Gate::default();
    let (passed, calls) = (gate.clone(), Arc::new(AtomicU64::new(0)));
    let store = move || {
        if calls.fetch_add(1, Ordering::SeqCst) == 1 {
            passed.pass_blocking();
        }
        "value_1"
    };
    let definition = SecretKeyDefinition::round_trip("documents", store);
    let definition = definition.stateless(false).keep_in_cache(false);
    let manager = disk.life_with(definition.clone()).await;
    let reencrypts = |_: KeyChange| Effect::Reencrypted;
    manager
        .register_on_change("documents", "callback", reencrypts)
        .await
        .unwrap();
    forward(&manager).await;
    let saving = tokio::spawn({
        let manager = manager.clone();
        async move { manager.save_state("documents").await }
    });
    gate.arrived(1).await;
    let change = Change::of("documents").new_keys("value_2");
    drop(within(manager.key_changed(change)).await.unwrap());
    gate.open();
    within(saving).await.unwrap().unwrap();
    end(manager).await;
    let manager = disk.life_with(definition).await;
    assert_eq!(back(&manager).await, "value_2");
}

#[tokio::test]
async fn requests_that_wait_share_one_fetch_that_began_after_they_arrived() {
    let gates = [Gate::default(), Gate::default()];
    let calls = Arc::new(AtomicU64::new(0));
    let (passed, counted) = (gates.clone(), Arc::clone(&calls));
    let store = move || {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        if let Some(gate) = passed.get(call as usize) {
            gate.pass_blocking();
        }
        format!("value_{}", call + 1)
    };
    let manager = with(SecretKeyDefinition::one_way("documents", store)).await;
    let ask = || {
        let manager = manager.clone();
        tokio::spawn(async move { text(manager.get_key("documents").await) })
    };
    let first = ask();
    gates[0].arrived(1).await;
    let later: Vec<_> = (0..10).map(|_| ask()).collect();
    until("all wait", async || {
        facts(&manager).await.facts.waiting == 11
    })
    .await;
    gates[0].open();
    gates[1].arrived(1).await;
    gates[1].open();
    assert_eq!(within(first).await.unwrap(), "value_1");
    for later in later {
        assert_eq!(within(later).await.unwrap(), "value_2");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_blocking_fetch_that_passed_its_limit_is_the_only_one_until_it_has_returned() {
    let gate = Gate::default();
    let passed = gate.clone();
    let store = move || {
        passed.pass_blocking();
        "value_1"
    };
    let definition = SecretKeyDefinition::round_trip("documents", store).store_time_limit(SHORT);
    let manager = with(definition).await;
    assert_eq!(forward(&manager).await, "store_failed");
    for _ in 0..3 {
        assert_eq!(forward(&manager).await, "store_failed");
    }
    assert_eq!(gate.count(), 1);
    gate.open();
    until("the store is asked again", async || {
        forward(&manager).await == "value_1"
    })
    .await;
}

#[tokio::test]
async fn a_command_that_hangs_beyond_the_limit_of_its_key_tells_what_it_said_and_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("process");
    let script = format!(
        "echo $$ > {}; echo the vault is shut >&2; exec sleep 600",
        path.display()
    );
    let hangs = CommandStore::new("sh").args(["-c", script.as_str()]);
    // Longer than a command takes to start on a busy machine.
    let definition = SecretKeyDefinition::round_trip("documents", hangs);
    let definition = definition.store_time_limit(3 * SHORT);
    let manager = with(definition).await;
    for _ in 0..2 {
        let late = manager.get_forward_path_key("documents").await.unwrap_err();
        let names = ["within 3s", "the vault is shut"];
        assert_says(late.code(), "store_failed", &late.to_string(), &names);
        let process = std::fs::read_to_string(&path).unwrap();
        let process = std::path::Path::new("/proc").join(process.trim());
        until("it is killed", async || !process.exists()).await;
    }
}

#[tokio::test]
async fn in_progress_is_written_only_when_the_callbacks_thread_is_there() {
    let started = builder()
        .callback_threads(1)
        .state_repo(Disk::default())
        .start()
        .await;
    let manager = started.unwrap();
    let gate = Gate::default();
    for name in ["busy", "documents"] {
        define(&manager, Source::new("v").round_trip(name)).await;
        let passed = gate.clone();
        let call = move |_: KeyChange| passed.pass_blocking();
        manager
            .register_on_change(name, "callback", call)
            .await
            .unwrap();
    }
    let busy = manager
        .declare(Change::of("busy").new_keys("n"))
        .await
        .unwrap();
    gate.arrived(1).await;
    let waits = manager
        .declare(Change::of("documents").new_keys("n"))
        .await
        .unwrap();
    let rotations = manager.rotations().await.unwrap();
    let waiting = rotations.iter().find(|report| report.id == waits).unwrap();
    assert_eq!((waiting.steps[0].attempt, gate.count()), (0, 1));
    gate.open();
    for id in [busy, waits] {
        let report = within(manager.wait(id)).await.unwrap();
        assert_eq!(report.steps[0].attempt, 1);
    }
}

#[tokio::test]
async fn in_progress_of_an_async_callback_is_written_only_when_not_all_their_threads_are_blocked() {
    let log = Log::begin();
    let few = builder().async_threads(1).state_repo(Disk::default());
    let manager = few.start().await.unwrap();
    let (gate, passed) = (Gate::default(), Gate::default());
    let blocks = gate.clone();
    let store = move || {
        blocks.pass_blocking();
        std::future::ready("value_1")
    };
    let hangs = SecretKeyDefinition::one_way("hangs", store).store_time_limit(SHORT);
    define(&manager, hangs).await;
    define(&manager, Source::new("v").documents()).await;
    let counted = passed.clone();
    let call = move |_: KeyChange| {
        let counted = counted.clone();
        async move { counted.pass().await }
    };
    let registered = manager.register_on_change("documents", "callback", call);
    registered.await.unwrap();
    let late = manager.get_key("hangs").await.unwrap_err();
    assert_eq!(late.code(), "store_failed");
    until("it is known to block the only thread", async || {
        !log.lines(&["blocks its thread", "hangs"]).is_empty()
    })
    .await;
    let change = Change::of("documents").new_keys("n");
    let id = manager.declare(change).await.unwrap();
    until("it waits for a thread", async || {
        let rotations = manager.rotations().await.unwrap();
        let waits = &rotations[0].waits_for[..];
        matches!(waits, [WaitsFor::Thread { callback, .. }] if callback.as_str() == "callback")
    })
    .await;
    let rotations = manager.rotations().await.unwrap();
    assert_eq!(rotations[0].steps[0].attempt, 0);
    gate.open();
    passed.arrived(1).await;
    passed.open();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.steps[0].attempt, 1);
}

/// Each fetch answers a greater number than the last. A forward get must answer a number that was
/// fetched after it was asked, a back get one that no forward get has overtaken before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_race_see_one_order_of_their_requests() {
    let fetched = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&fetched);
    let store = move || counted.fetch_add(1, Ordering::SeqCst).to_string();
    let manager = with(SecretKeyDefinition::round_trip("documents", store)).await;
    forward(&manager).await;
    let answered = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for number in 0..8 {
        let worker = manager.join(&format!("worker {number}")).await.unwrap();
        let (fetched, answered) = (Arc::clone(&fetched), Arc::clone(&answered));
        workers.push(tokio::spawn(async move {
            for turn in 0..100 {
                let (before, shown) = (
                    fetched.load(Ordering::SeqCst),
                    answered.load(Ordering::SeqCst),
                );
                let number = |text: String| text.parse::<u64>().unwrap();
                if (turn + number_of(worker.name())).is_multiple_of(3) {
                    let value = number(text(worker.get_forward_path_key("documents").await));
                    assert!(
                        value >= before,
                        "{value} was fetched before it was asked for"
                    );
                    answered.fetch_max(value, Ordering::SeqCst);
                } else {
                    let value = number(text(worker.get_back_path_key("documents").await));
                    assert!(value >= shown, "{value} was overtaken by {shown} already");
                    answered.fetch_max(value, Ordering::SeqCst);
                }
            }
        }));
    }
    for worker in workers {
        within(worker).await.unwrap();
    }
}

fn number_of(name: &str) -> u64 {
    name.rsplit(' ').next().unwrap().parse().unwrap()
}
