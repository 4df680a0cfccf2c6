//! Section 1: terms, defaults and names.

use std::time::Duration;

use keyward::{
    Change, KeyChange, OnKeyChangedCallbackErrorStrategy, SecretKeyFlow, SecretKeyUseCase,
};

use crate::support::{Story, within};
use crate::world::{Disk, Source, end, facts, text, with};

#[test]
fn the_names_of_keys_management_are_kept() {
    assert_eq!(
        SecretKeyUseCase::EncryptionDecryption,
        SecretKeyUseCase::RoundTrip
    );
    assert_eq!(SecretKeyFlow::Authentication, SecretKeyFlow::Default);
    assert_eq!(SecretKeyFlow::Encryption, SecretKeyFlow::ForwardPath);
    assert_eq!(SecretKeyFlow::Decryption, SecretKeyFlow::BackPath);
}

#[tokio::test]
async fn a_definition_that_says_nothing_else_has_the_defaults() {
    let manager = with(Source::new("v").documents()).await;
    let behaviour = facts(&manager).await.behaviour;
    assert!(behaviour.stateless && behaviour.keep_in_cache);
    assert_eq!(
        behaviour.error_strategy,
        OnKeyChangedCallbackErrorStrategy::Halt
    );
    assert_eq!(behaviour.store_time_limit, Duration::from_secs(10));
    assert_eq!(behaviour.request_time_limit, Duration::from_secs(15));
    assert_eq!(behaviour.callback_time_limit, Duration::from_secs(30));
    assert_eq!(
        (behaviour.max_requests, behaviour.max_waiting_rotations),
        (1_024, 64)
    );
    assert_eq!(behaviour.workers_at_once, 1);
}

#[tokio::test]
async fn a_pair_gives_one_half_to_each_path_and_a_value_gives_itself_to_both() {
    let source = Source::new(("forward half", "back half"));
    let manager = with(source.documents()).await;
    assert_eq!(
        text(manager.get_encrypt_key("documents").await),
        "forward half"
    );
    assert_eq!(
        text(manager.get_decrypt_key("documents").await),
        "back half"
    );
    source.set("both");
    assert_eq!(text(manager.get_encrypt_key("documents").await), "both");
    assert_eq!(text(manager.get_decrypt_key("documents").await), "both");
}

#[tokio::test]
async fn a_store_may_be_an_async_closure() {
    let store = async || "from afar";
    let manager = with(keyward::SecretKeyDefinition::round_trip("documents", store)).await;
    assert_eq!(text(manager.get_key("documents").await), "from afar");
}

#[tokio::test]
async fn a_handle_on_one_key_makes_the_same_calls() {
    let source = Source::new("value_1");
    let manager = with(source.documents().stateless(false)).await;
    let single = manager.get_single_management("documents").unwrap();
    assert_eq!(text(single.get_key().await), "value_1");
    source.set("value_2");
    assert_eq!(text(single.get_back_path_key().await), "value_1");
    assert_eq!(text(single.get_forward_path_key().await), "value_2");
    single.save_state().await.unwrap();
    single
        .register_on_change("callback", |_: KeyChange| {})
        .await
        .unwrap();
    let report = manager
        .key_changed(single.change().new_keys("value_3"))
        .await
        .unwrap();
    assert_eq!(report.steps.len(), 1);
    let unknown = manager.get_single_management("unknown").unwrap_err();
    assert_eq!(unknown.code(), "key_not_defined");
}

#[tokio::test]
async fn save_states_saves_every_stated_key() {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let names = ["a", "b"];
    let manager = disk.life().await;
    manager
        .define_key(source.round_trip("stateless"))
        .await
        .unwrap();
    for name in names {
        manager
            .define_key(source.round_trip(name).stateless(false))
            .await
            .unwrap();
        manager.get_forward_path_key(name).await.unwrap();
    }
    manager.get_forward_path_key("stateless").await.unwrap();
    manager.save_states().await.unwrap();
    end(manager).await;
    source.set("value_2");
    let manager = disk.life().await;
    manager
        .define_key(source.round_trip("stateless"))
        .await
        .unwrap();
    assert_eq!(
        text(manager.get_back_path_key("stateless").await),
        "value_2"
    );
    for name in names {
        manager
            .define_key(source.round_trip(name).stateless(false))
            .await
            .unwrap();
        assert_eq!(text(manager.get_back_path_key(name).await), "value_1");
    }
}

#[tokio::test]
async fn a_name_has_1_to_255_bytes_and_no_control_characters() {
    let manager = with(Source::new("v").documents()).await;
    let longest = "é".repeat(127) + "x";
    manager
        .define_key(Source::new("v").round_trip(&longest))
        .await
        .unwrap();
    manager.join(&longest).await.unwrap();
    manager
        .register_on_change("documents", &longest, |_: KeyChange| {})
        .await
        .unwrap();
    for bad in [
        String::new(),
        "x".repeat(256),
        "line\nend".to_owned(),
        "nul\0".to_owned(),
    ] {
        let definition = Source::new("v").round_trip(&bad);
        assert_eq!(
            manager.define_key(definition).await.unwrap_err().code(),
            "invalid_name"
        );
        assert_eq!(manager.join(&bad).await.unwrap_err().code(), "invalid_name");
        let registered = manager
            .register_on_change("documents", &bad, |_: KeyChange| {})
            .await;
        assert_eq!(registered.unwrap_err().code(), "invalid_name");
        assert_eq!(
            manager.get_key(&bad).await.unwrap_err().code(),
            "invalid_name"
        );
    }
}

#[tokio::test]
async fn what_is_registered_on_the_manager_belongs_to_main_which_joins_first() {
    let manager = with(Source::new("v").documents()).await;
    let story = Story::default();
    let tells = |line: &'static str| {
        let story = story.clone();
        move |change: KeyChange| story.tell(format!("{line} of {}", change.key.worker()))
    };
    let early = manager.join("early").await.unwrap();
    early
        .register_on_change("documents", "a", tells("a"))
        .await
        .unwrap();
    manager
        .register_on_change("documents", "b", tells("b"))
        .await
        .unwrap();
    drop(
        within(manager.key_changed(Change::of("documents")))
            .await
            .unwrap(),
    );
    assert_eq!(story.lines(), ["b of main", "a of early"]);
}

#[tokio::test]
async fn a_callback_is_told_everything_about_its_key_and_its_call() {
    let source = Source::new(("e1", "d1"));
    let manager = with(source.documents().stateless(false)).await;
    manager.get_forward_path_key("documents").await.unwrap();
    let story = Story::default();
    let told = story.clone();
    let call = move |change: KeyChange| {
        let key = &change.key;
        told.tell(format!(
            "{} {} {}",
            key.name(),
            key.worker(),
            key.use_case()
        ));
        told.tell(format!(
            "{} {} {}",
            key.is_stated(),
            key.is_stateless(),
            key.is_keep_in_cache()
        ));
        let previous = key.previous_keys().unwrap().unwrap();
        let flow = key.last_flow().unwrap().unwrap();
        told.tell(format!("{flow} {}", previous.back().expose_str().unwrap()));
        let old = change.old_keys.unwrap();
        let new = change.new_keys.unwrap();
        told.tell(format!(
            "{} {} {}",
            old.forward().expose_str().unwrap(),
            new.back().expose_str().unwrap(),
            change.key.attempt()
        ));
        told.tell(change.key.rotation_id().to_string());
    };
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let change = Change::of("documents").new_keys(("e2", "d2"));
    let report = within(manager.key_changed(change)).await.unwrap();
    let wanted = [
        format!("documents main {}", SecretKeyUseCase::RoundTrip),
        "true false true".to_owned(),
        format!("{} d1", SecretKeyFlow::ForwardPath),
        "e1 d2 1".to_owned(),
        report.id.to_string(),
    ];
    assert_eq!(story.lines(), wanted);
}
