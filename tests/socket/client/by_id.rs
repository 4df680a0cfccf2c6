//! Versions of keys, read by id by other processes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::wire::generated::{Flow, GetRequest, GetVersionRequest, VersionsRequest};
use keyward::{
    Change, Client, Effect, Grants, KeyAnswer, KeyChange, Right, RotationState,
    SecretKeyDefinition, VersionId, VersionState,
};

use crate::client::at;
use crate::ground::{Ground, code, grant};
use crate::support::{define, in_memory, within};

/// A served manager with the key `documents`, which has versions, and `plain`, which has none.
async fn ground() -> Ground {
    let keys = in_memory().await;
    let documents = SecretKeyDefinition::round_trip("documents", || "value_1");
    define(&keys, documents.versions(true).drain(Duration::ZERO)).await;
    let plain = SecretKeyDefinition::round_trip("plain", || "value_1");
    define(&keys, plain).await;
    Ground::serve(keys, |options| options).await
}

fn id(answer: &KeyAnswer) -> VersionId {
    answer.version.expect("the key has versions").id
}

async fn change_to(client: &Client, new: &str) {
    let change = Change::of("documents").new_keys(new);
    let report = within(client.key_changed(change)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_writes_with_the_current_version_and_reads_by_id_what_it_wrote() {
    let ground = ground().await;
    let client = at(&ground.path()).await;
    let first = client.get_forward_path_key("documents").await.unwrap();
    assert_eq!(
        (first.expose(), first.version.unwrap().number),
        (&b"value_1"[..], 1)
    );
    change_to(&client, "value_2").await;
    let second = client.get_forward_path_key("documents").await.unwrap();
    assert_eq!(
        (second.expose(), second.version.unwrap().number),
        (&b"value_2"[..], 2)
    );
    let worker = client.join("anna").await.unwrap();
    for (written, value) in [(&first, "value_1"), (&second, "value_2")] {
        let read = client.get_version("documents", id(written)).await.unwrap();
        assert_eq!(
            (read.expose_str(), read.version),
            (Some(value), written.version)
        );
        let read = worker.get_version("documents", id(written)).await.unwrap();
        assert_eq!(
            (read.expose_str(), read.version),
            (Some(value), written.version)
        );
    }
    // Each refusal is the one of the keeper's process.
    let foreign = VersionId::from_random([7; 16]);
    for (key, id) in [
        ("documents", foreign),
        ("plain", id(&first)),
        ("none", foreign),
    ] {
        let here = ground.keys.get_version(key, id).await.unwrap_err();
        let there = client.get_version(key, id).await.unwrap_err();
        assert_eq!(
            (there.code(), there.to_string()),
            (here.code(), here.to_string())
        );
    }
    let back = client.get_back_path_key("documents").await.unwrap_err();
    assert_eq!(back.code(), "needs_version");
    let saved = worker.save_state("documents").await.unwrap_err();
    assert_eq!(saved.code(), "stateless_key");
    let all = client.back_path_candidates("documents").await.unwrap();
    let all: Vec<_> = all.iter().map(|value| value.expose_str()).collect();
    assert_eq!(all, [Some("value_2"), Some("value_1")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_shown_the_versions_that_the_keepers_process_has() {
    let ground = ground().await;
    let client = at(&ground.path()).await;
    let anna = client.join("anna").await.unwrap();
    anna.get_forward_path_key("documents").await.unwrap();
    change_to(&client, "value_2").await;
    let here = ground.keys.versions("documents").await.unwrap();
    assert_eq!(client.versions("documents").await.unwrap(), here);
    assert_eq!(anna.versions("documents").await.unwrap(), here);
    let states: Vec<_> = here.iter().map(|of| (of.state, of.is_current)).collect();
    assert_eq!(
        states,
        [
            (VersionState::Active, true),
            (VersionState::Deactivated, false)
        ]
    );
    let debts = here[1].debts.iter().map(|debt| debt.worker.as_str());
    assert_eq!(debts.collect::<Vec<_>>(), ["anna"]);
    let plain = client.versions("plain").await.unwrap_err();
    assert_eq!(plain.code(), "not_versioned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_of_another_process_has_both_ids_and_reads_every_version() {
    let ground = ground().await;
    let client = at(&ground.path()).await;
    let first = id(&client.get_forward_path_key("documents").await.unwrap());
    change_to(&client, "value_2").await;
    let anna = client.join("anna").await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let look = move |change: KeyChange| {
        let noted = Arc::clone(&noted);
        async move {
            let (old, new) = (change.key.old_version(), change.key.new_version());
            let (old, new) = (old.ok_or("no old id")?, new.ok_or("no new id")?);
            for id in [first, old, new] {
                let value = change.key.get_version(id).await;
                let value = value.map_err(|error| error.to_string())?;
                noted.lock().unwrap().push((id, value.expose().to_vec()));
            }
            let flow = change.key.last_flow().map_err(|error| error.to_string())?;
            assert_eq!(flow, Some(keyward::SecretKeyFlow::ForwardPath));
            Ok::<_, String>(Effect::Reencrypted)
        }
    };
    anna.register_on_change("documents", "reencrypt", look)
        .await
        .unwrap();
    anna.ready().await.unwrap();
    change_to(&client, "value_3").await;
    let third = id(&client.get_forward_path_key("documents").await.unwrap());
    let seen = seen.lock().unwrap();
    let values: Vec<_> = seen.iter().map(|(_, value)| value.as_slice()).collect();
    assert_eq!(values, [&b"value_1"[..], b"value_2", b"value_3"]);
    assert_eq!((seen[0].0, seen[2].0), (first, third));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_by_id_needs_the_grant_back_and_a_look_at_the_versions_operate() {
    let ground = ground().await;
    let first = id(&ground.keys.get_forward_path_key("documents").await.unwrap());
    for (right, allowed) in [
        (Right::Forward, [true, false, false]),
        (Right::Back, [false, true, false]),
        (Right::Operate, [false, false, true]),
    ] {
        let own = rustix::process::geteuid().as_raw();
        let grants = Grants::table([grant(own, [right], &["documents"], &[])]);
        ground.serving.set_grants(grants).unwrap();
        let mut other = ground.client().await;
        let (key, id) = ("documents".to_owned(), first.to_string());
        let by_id = GetVersionRequest {
            key: key.clone(),
            id,
        };
        let answers = [
            other.get("documents").await.map(drop),
            other.keys.get_version(by_id).await.map(drop),
            other
                .operate
                .versions(VersionsRequest { key })
                .await
                .map(drop),
        ];
        for (answer, allowed) in answers.into_iter().zip(allowed) {
            match allowed {
                true => answer.unwrap(),
                false => assert_eq!(code(answer), "permission_denied", "{right:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_owes_the_worker_that_a_get_names_also_before_it_has_joined_if_it_may_join() {
    let ground = ground().await;
    let mut client = ground.client().await;
    let get = |worker: &str| GetRequest {
        key: "documents".to_owned(),
        flow: Flow::ForwardPath.into(),
        worker: worker.to_owned(),
    };
    client.keys.get(get("anna")).await.unwrap();
    let versions = ground.keys.versions("documents").await.unwrap();
    let debts = versions[0].debts.iter().map(|debt| debt.worker.as_str());
    assert_eq!(debts.collect::<Vec<_>>(), ["anna"]);
    let named = client.keys.get(get("an\u{7}na")).await;
    assert_eq!(code(named), "invalid_name");
    let own = rustix::process::geteuid().as_raw();
    let rights = [Right::Forward, Right::Work];
    let grants = Grants::table([grant(own, rights, &["documents"], &["anna"])]);
    ground.serving.set_grants(grants).unwrap();
    client.keys.get(get("anna")).await.unwrap();
    let other = client.keys.get(get("ben")).await;
    assert_eq!(code(other), "permission_denied");
}
