//! What gets of a key with versions answer.

use keyward::{KeyChange, SecretKeyFlow, VersionId, split, tag};

use super::{rotate, versioned, versions, written};
use crate::support::{define, within};
use crate::world::{Disk, Source, end, text, with};

#[tokio::test]
async fn a_forward_get_answers_the_current_version_with_its_id_and_asks_no_store() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source)).await;
    source.fail();
    for _ in 0..3 {
        let answer = within(manager.get_forward_path_key("documents"))
            .await
            .unwrap();
        assert_eq!(answer.flow, SecretKeyFlow::ForwardPath);
        assert_eq!(answer.version.unwrap().number, 1);
        assert_eq!(answer.expose_str(), Some("value_1"));
    }
    assert_eq!(source.calls(), 1, "as the key got its first version");
}

#[tokio::test]
async fn what_was_written_is_read_by_the_id_that_it_carries() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source)).await;
    let anna = manager.join("anna").await.unwrap();
    let mut documents = Vec::new();
    for value in ["value_2", "value_3", "value_4"] {
        let answer = within(anna.get_forward_path_key("documents"))
            .await
            .unwrap();
        let (id, key) = written(&answer);
        documents.push((tag(id, b"sealed"), key));
        rotate(&manager, value).await;
    }
    for (stored, key) in documents {
        let (id, payload) = split(&stored).unwrap();
        assert_eq!(payload, b"sealed");
        assert_eq!(text(within(anna.get_version("documents", id)).await), key);
        let single = manager.get_single_management("documents").unwrap();
        assert_eq!(text(within(single.get_version(id)).await), key);
    }
}

#[tokio::test]
async fn an_id_that_the_key_does_not_have_is_version_unknown_also_one_of_another_key() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source)).await;
    define(&manager, source.round_trip("letters").versions(true)).await;
    let letters = within(manager.versions("letters")).await.unwrap()[0].id;
    for id in [letters, VersionId::from_random([9; 16])] {
        let error = within(manager.get_version("documents", id))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "version_unknown");
        assert!(error.to_string().contains(&id.to_string()));
        assert!(!error.is_retriable());
    }
    assert_eq!(source.calls(), 2, "no look-up asks a store");
}

#[tokio::test]
async fn a_back_get_needs_a_version_and_there_is_no_state_to_save_and_no_flow_to_find() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source).stateless(false)).await;
    let anna = manager.join("anna").await.unwrap();
    let code = |answer: Result<keyward::KeyAnswer, keyward::KeyError>| answer.unwrap_err().code();
    assert_eq!(
        code(manager.get_back_path_key("documents").await),
        "needs_version"
    );
    assert_eq!(
        code(anna.get_back_path_key("documents").await),
        "needs_version"
    );
    assert_eq!(code(manager.get_key("documents").await), "invalid_flow");
    let saved = manager.save_state("documents").await.unwrap_err();
    assert_eq!(saved.code(), "stateless_key");
    manager.save_states().await.unwrap();
    let versions = manager.versions("plain").await.unwrap_err();
    assert_eq!(versions.code(), "key_not_defined");
}

#[tokio::test]
async fn a_one_way_key_is_signed_with_the_current_version_and_verified_by_id() {
    let source = Source::new("signs_1");
    let definition = source.one_way("tokens").versions(true);
    let manager = with(definition.drain(std::time::Duration::ZERO)).await;
    let signed = within(manager.get_key("tokens")).await.unwrap();
    assert_eq!(signed.flow, SecretKeyFlow::Default);
    let kid = signed.version.unwrap().id.kid();
    let change = keyward::Change::of("tokens").new_keys("signs_2");
    drop(within(manager.key_changed(change)).await.unwrap());
    assert_eq!(text(within(manager.get_key("tokens")).await), "signs_2");
    let id = VersionId::from_kid(&kid).unwrap();
    assert_eq!(
        text(within(manager.get_version("tokens", id)).await),
        "signs_1"
    );
    let candidates = within(manager.candidates("tokens")).await.unwrap();
    let candidates: Vec<_> = candidates
        .iter()
        .map(|key| key.expose_str().unwrap())
        .collect();
    assert_eq!(candidates, ["signs_2", "signs_1"]);
}

#[tokio::test]
async fn candidates_are_all_readable_versions_the_current_one_first() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source)).await;
    rotate(&manager, "value_2").await;
    rotate(&manager, "value_3").await;
    let candidates = within(manager.candidates("documents")).await.unwrap();
    let candidates: Vec<_> = candidates
        .iter()
        .map(|key| key.expose_str().unwrap())
        .collect();
    assert_eq!(candidates, ["value_3", "value_2", "value_1"]);
    let opened = manager.try_candidates("documents", |key| match key.expose_str() {
        Some("value_1") => Ok("opened"),
        _ => Err("another key"),
    });
    assert_eq!(within(opened).await.unwrap(), "opened");
}

#[tokio::test]
async fn a_callback_has_both_ids_and_reads_every_version() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source)).await;
    let first = versions(&manager).await[0].id;
    rotate(&manager, "value_2").await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    let call = move |change: KeyChange| {
        let noted = std::sync::Arc::clone(&noted);
        async move {
            let key = change.key.clone();
            let (old, new) = (key.old_version().unwrap(), key.new_version().unwrap());
            let mut read = Vec::new();
            for id in [first, old, new] {
                let value = key.get_version(id).await.unwrap();
                read.push(value.expose_str().unwrap().to_owned());
            }
            let unknown = key.get_version(VersionId::from_random([1; 16])).await;
            read.push(unknown.unwrap_err().code().to_owned());
            let old_keys = change.old_keys.unwrap();
            read.push(old_keys.back().expose_str().unwrap().to_owned());
            read.push(format!("{:?}", key.last_flow().unwrap()));
            *noted.lock().unwrap() = read;
        }
    };
    manager
        .register_on_change("documents", "reencrypt", call)
        .await
        .unwrap();
    rotate(&manager, "value_3").await;
    let seen = seen.lock().unwrap().clone();
    let expected = [
        "value_1",
        "value_2",
        "value_3",
        "version_unknown",
        "value_2",
        "Some(ForwardPath)",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_version_owes_a_worker_before_a_get_has_answered_it_for_writing_and_reads_make_no_debt() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    let manager = disk.life_with(versioned(&source)).await;
    let (anna, bob) = (
        manager.join("anna").await.unwrap(),
        manager.join("bob").await.unwrap(),
    );
    let id = versions(&manager).await[0].id;
    within(bob.get_version("documents", id)).await.unwrap();
    within(bob.candidates("documents")).await.unwrap();
    assert!(versions(&manager).await[0].debts.is_empty());
    for _ in 0..3 {
        within(anna.get_forward_path_key("documents"))
            .await
            .unwrap();
    }
    let owes = async |manager: &keyward::KeysManagement| {
        let [version] = versions(manager).await.try_into().unwrap();
        let debts = version.debts.into_iter();
        debts
            .map(|debt| debt.worker.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(owes(&manager).await, ["anna"]);
    within(manager.get_forward_path_key("documents"))
        .await
        .unwrap();
    assert_eq!(owes(&manager).await, ["anna", "main"]);
    drop((anna, bob));
    end(manager).await;
    let manager = disk.life_with(versioned(&source)).await;
    assert_eq!(owes(&manager).await, ["anna", "main"]);
}

#[tokio::test]
async fn while_nothing_can_be_made_durable_who_is_owed_already_is_answered_and_others_are_told() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    let manager = disk.life_with(versioned(&source)).await;
    let (anna, bob) = (
        manager.join("anna").await.unwrap(),
        manager.join("bob").await.unwrap(),
    );
    within(anna.get_forward_path_key("documents"))
        .await
        .unwrap();
    disk.set_broken(true);
    let refused = within(bob.get_forward_path_key("documents"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "repo_unavailable");
    assert!(refused.is_retriable());
    let again = within(bob.get_forward_path_key("documents"))
        .await
        .unwrap_err();
    assert_eq!(again.code(), "repo_unavailable");
    let answer = within(anna.get_forward_path_key("documents"))
        .await
        .unwrap();
    let (id, _) = written(&answer);
    assert_eq!(
        text(within(bob.get_version("documents", id)).await),
        "value_1"
    );
    disk.set_broken(false);
    crate::support::until("the journal is read anew", async || {
        bob.get_forward_path_key("documents").await.is_ok()
    })
    .await;
}
