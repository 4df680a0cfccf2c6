//! Section 3: effects, staged changes, the handle's view, and what a later rotation overtakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyward::repo::space::Space;
use keyward::{
    CallbackStatus, Change, Effect, KeyChange, KeysManagement,
    OnKeyChangedCallbackErrorStrategy as Strategy, RotationState, SecretKeyFlow,
};

use crate::support::{Story, error, step, within};
use crate::world::{Disk, Source, back, end, facts, forward, with};

fn to(new: &str) -> Change {
    Change::of("documents").new_keys(new)
}

async fn register(manager: &KeysManagement, callback: &str, effect: Effect) {
    let call = move |_: KeyChange| effect;
    manager
        .register_on_change("documents", callback, call)
        .await
        .unwrap();
}

/// A callback that fails until the switch is turned, and then answers this effect.
async fn later(manager: &KeysManagement, callback: &str, effect: Effect) -> Arc<AtomicBool> {
    let mended = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&mended);
    let call = move |_: KeyChange| {
        if asks.load(Ordering::SeqCst) {
            Ok(effect)
        } else {
            Err("not yet")
        }
    };
    manager
        .register_on_change("documents", callback, call)
        .await
        .unwrap();
    mended
}

#[tokio::test]
async fn an_effect_and_its_record_are_there_in_the_next_life() {
    for (effect, expected, flow) in [
        (Effect::Reencrypted, "d2", SecretKeyFlow::BackPath),
        (Effect::Decrypted, "e3", SecretKeyFlow::ForwardPath),
    ] {
        let disk = Disk::default();
        let source = Source::new(("e1", "d1"));
        let manager = disk.life_with(source.documents().stateless(false)).await;
        register(&manager, "callback", effect).await;
        forward(&manager).await;
        let change = Change::of("documents").new_keys(("e2", "d2"));
        drop(within(manager.key_changed(change)).await.unwrap());
        end(manager).await;
        source.set(("e3", "d3"));
        let manager = disk.life_with(source.documents().stateless(false)).await;
        let answer = manager.get_key("documents").await.unwrap();
        assert_eq!((answer.expose_str(), answer.flow), (Some(expected), flow));
    }
}

#[tokio::test]
async fn reencrypting_without_declared_new_keys_is_an_error_on_every_key() {
    for definition in [
        Source::new("v").documents(),
        Source::new("v").one_way("documents"),
    ] {
        let manager = with(definition).await;
        register(&manager, "callback", Effect::Reencrypted).await;
        let report = within(manager.key_changed(Change::of("documents")))
            .await
            .unwrap();
        assert_eq!(report.state, RotationState::Stopped);
        assert!(!error(&report, "main", "callback").is_empty());
    }
}

#[tokio::test]
async fn the_keys_of_the_effect_are_held_even_if_the_key_is_not_kept_in_cache() {
    let source = Source::new("value_1");
    let manager = with(source.documents().keep_in_cache(false)).await;
    register(&manager, "callback", Effect::Reencrypted).await;
    drop(within(manager.key_changed(to("value_2"))).await.unwrap());
    assert_eq!(
        (back(&manager).await, source.calls()),
        ("value_2".to_owned(), 0)
    );
    assert_eq!(
        (back(&manager).await, source.calls()),
        ("value_1".to_owned(), 1)
    );
}

#[tokio::test]
async fn an_effect_of_an_overtaken_rotation_leaves_the_state() {
    let definition = Source::new("value_1")
        .documents()
        .error_strategy(Strategy::Skip);
    let manager = with(definition).await;
    register(&manager, "reencrypts", Effect::Reencrypted).await;
    let mended = later(&manager, "fails", Effect::Reencrypted).await;
    let first = within(manager.key_changed(to("value_2"))).await.unwrap();
    drop(within(manager.key_changed(to("value_3"))).await.unwrap());
    assert_eq!(back(&manager).await, "value_3");
    mended.store(true, Ordering::SeqCst);
    manager.resume(first.id).await.unwrap();
    let report = within(manager.wait(first.id)).await.unwrap();
    assert_eq!(
        step(&report, "main", "fails").status,
        CallbackStatus::Succeeded
    );
    assert_eq!(back(&manager).await, "value_3");
}

#[tokio::test]
async fn an_effect_of_a_resumed_step_leaves_the_state_if_a_forward_get_was_answered_since() {
    for answered in [false, true] {
        let source = Source::new("value_1");
        let manager = with(source.documents()).await;
        let mended = later(&manager, "fails", Effect::Reencrypted).await;
        let stopped = within(manager.key_changed(to("value_2"))).await.unwrap();
        source.set("value_3");
        if answered {
            forward(&manager).await;
        }
        mended.store(true, Ordering::SeqCst);
        manager.resume(stopped.id).await.unwrap();
        let report = within(manager.wait(stopped.id)).await.unwrap();
        assert_eq!(report.state, RotationState::Completed);
        assert_eq!(
            back(&manager).await,
            if answered { "value_3" } else { "value_2" }
        );
    }
}

#[tokio::test]
async fn the_handle_shows_what_the_key_had_when_the_rotation_began_whatever_happened_since() {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let story = Story::default();
    let register_all = async |manager: &KeysManagement| {
        register(manager, "decrypts", Effect::Decrypted).await;
        let told = story.clone();
        let call = move |change: KeyChange| {
            let key = change.key;
            let previous = key.previous_keys().unwrap();
            let previous = previous.map(|pair| pair.back().expose_str().unwrap().to_owned());
            told.tell(format!("{:?} {previous:?}", key.last_flow().unwrap()));
            if key.attempt() == 1 {
                Err("not yet")
            } else {
                Ok(())
            }
        };
        manager
            .register_on_change("documents", "looks", call)
            .await
            .unwrap();
    };
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    // No flow is known in this life yet: what the key had is its record's, and that look is no load.
    let manager = disk.life_with(source.documents().stateless(false)).await;
    register_all(&manager).await;
    let stopped = within(manager.key_changed(to("value_2"))).await.unwrap();
    assert_eq!(facts(&manager).await.facts.state_reads, 0);
    end(manager).await;
    let manager = disk.life_with(source.documents().stateless(false)).await;
    register_all(&manager).await;
    forward(&manager).await;
    manager.resume(stopped.id).await.unwrap();
    drop(within(manager.wait(stopped.id)).await.unwrap());
    let seen = "Some(ForwardPath) Some(\"value_1\")";
    assert_eq!(story.lines(), [seen, seen]);
}

#[tokio::test]
async fn an_unreadable_record_is_an_error_only_when_the_callback_asks_for_it() {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    disk.spoil(Space::States, |_| true);
    let manager = disk.life_with(source.documents().stateless(false)).await;
    let story = Story::default();
    let told = story.clone();
    let call = move |change: KeyChange| {
        told.tell(change.key.last_flow().unwrap_err().code());
        told.tell(change.key.previous_keys().unwrap_err().code());
    };
    manager
        .register_on_change("documents", "asks", call)
        .await
        .unwrap();
    let report = within(manager.key_changed(to("value_2"))).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(story.lines(), ["state_unreadable"; 2]);
}

#[tokio::test]
async fn staged_changes_take_effect_with_success_and_are_dropped_with_failure() {
    for fails in [false, true] {
        let disk = Disk::default();
        let source = Source::new("value_1");
        let manager = disk.life_with(source.documents().stateless(false)).await;
        let call = move |change: KeyChange| {
            let key = change.key;
            key.set_last_flow(SecretKeyFlow::ForwardPath).unwrap();
            key.set_previous_keys(("set forward", "set back")).unwrap();
            if fails { Err("no") } else { Ok(()) }
        };
        manager
            .register_on_change("documents", "sets", call)
            .await
            .unwrap();
        drop(within(manager.key_changed(to("value_2"))).await.unwrap());
        let facts = facts(&manager).await.facts;
        assert_eq!(facts.holds, !fails);
        // A durable record came with it, and no other.
        assert_eq!(disk.all(Space::States).len(), usize::from(!fails));
        end(manager).await;
        let manager = disk.life_with(source.documents().stateless(false)).await;
        let expected = if fails { "value_1" } else { "set back" };
        assert_eq!(back(&manager).await, expected);
    }
}

#[tokio::test]
async fn an_effect_comes_after_what_its_callback_staged() {
    let manager = with(Source::new("value_1").documents()).await;
    let call = |change: KeyChange| {
        change.key.set_previous_keys("staged").unwrap();
        change.key.set_last_flow(SecretKeyFlow::BackPath).unwrap();
        Effect::Reencrypted
    };
    manager
        .register_on_change("documents", "both", call)
        .await
        .unwrap();
    drop(within(manager.key_changed(to("value_2"))).await.unwrap());
    let facts = facts(&manager).await.facts;
    assert_eq!(facts.last_flow, Some(SecretKeyFlow::ForwardPath));
    assert_eq!(back(&manager).await, "value_2");
}

#[tokio::test]
async fn clean_state_forgets_everything_and_deletes_the_record() {
    let disk = Disk::default();
    let manager = disk
        .life_with(Source::new("v").documents().stateless(false))
        .await;
    let call = |change: KeyChange| change.key.clean_state().unwrap();
    manager
        .register_on_change("documents", "cleans", call)
        .await
        .unwrap();
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    assert_eq!(disk.all(Space::States).len(), 1);
    drop(within(manager.key_changed(to("value_2"))).await.unwrap());
    assert!(disk.all(Space::States).is_empty());
    let facts = facts(&manager).await.facts;
    assert_eq!((facts.last_flow, facts.holds), (None, false));
}

#[tokio::test]
async fn a_staged_save_asks_the_store_when_it_is_called() {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let definition = || source.documents().stateless(false).keep_in_cache(false);
    let manager = disk.life_with(definition()).await;
    forward(&manager).await;
    let asked = source.clone();
    let call = move |change: KeyChange| {
        let asked = asked.clone();
        async move {
            let before = asked.calls();
            change.key.save_state().await.unwrap();
            assert_eq!(asked.calls(), before + 1);
            asked.set("value_3");
        }
    };
    manager
        .register_on_change("documents", "saves", call)
        .await
        .unwrap();
    let report = within(manager.key_changed(to("value_2"))).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    end(manager).await;
    let manager = disk.life_with(definition()).await;
    assert_eq!(back(&manager).await, "value_1");
}

#[tokio::test]
async fn a_resumed_rotation_supersedes_only_what_equals_its_old_keys() {
    for (now, superseded) in [("value_1", true), ("value_9", false)] {
        let source = Source::new("value_1");
        let manager = with(source.documents()).await;
        let mended = later(&manager, "fails", Effect::Nothing).await;
        let change = Change::of("documents").old("value_1").new_keys("value_2");
        let stopped = within(manager.key_changed(change)).await.unwrap();
        source.set(now);
        forward(&manager).await;
        assert!(
            !facts(&manager).await.facts.superseded,
            "a stopped one supersedes nothing"
        );
        mended.store(true, Ordering::SeqCst);
        manager.resume(stopped.id).await.unwrap();
        drop(within(manager.wait(stopped.id)).await.unwrap());
        assert_eq!(facts(&manager).await.facts.superseded, superseded);
    }
}
