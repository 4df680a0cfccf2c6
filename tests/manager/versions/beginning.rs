//! A key gets versions: from its store, its state record, or none at all; and goes back.

use keyward::{
    Cause, Change, RotationState, SecretKeyDefinition, SecretKeyFlow, Space, VersionState,
};

use super::{rotate, states, versioned, versions, written};
use crate::support::{define, within};
use crate::world::{Disk, Source, back, end, fails_until, forward, text};

#[tokio::test]
async fn what_the_store_answers_becomes_version_1_and_stays_in_every_life() {
    let (disk, source) = (Disk::default(), Source::new(("sealing", "opening")));
    let manager = disk.life_with(versioned(&source)).await;
    assert_eq!(states(&manager).await, [(1, VersionState::Active, true)]);
    let [first] = versions(&manager).await.try_into().unwrap();
    assert_eq!(first.arrows[0].cause, Cause::Adopted);
    assert_eq!(first.id.as_uuid().get_version_num(), 4);
    let answer = within(manager.get_forward_path_key("documents"))
        .await
        .unwrap();
    assert_eq!(written(&answer), (first.id, "sealing".to_owned()));
    end(manager).await;
    source.fail();
    let manager = disk.life_with(versioned(&source)).await;
    assert_eq!(versions(&manager).await[0].id, first.id);
    let answer = within(manager.get_version("documents", first.id)).await;
    assert_eq!(text(answer), "opening");
    assert_eq!(source.calls(), 1, "the journal has the truth");
}

#[tokio::test]
async fn a_state_record_with_another_key_becomes_a_deactivated_version_of_its_back_half() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    let manager = disk.life_with(source.documents().stateless(false)).await;
    manager.join("anna").await.unwrap();
    assert_eq!(forward(&manager).await, "value_1");
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    source.set("value_2");
    let manager = disk.life_with(versioned(&source).stateless(false)).await;
    let (active, deactivated) = (VersionState::Active, VersionState::Deactivated);
    let expected = [(2, deactivated, false), (1, active, true)];
    assert_eq!(states(&manager).await, expected);
    let [second, first] = versions(&manager).await.try_into().unwrap();
    assert_eq!(second.arrows[0].cause, Cause::StateRecord);
    // Who has data under it is not known.
    let owed: Vec<_> = second
        .debts
        .iter()
        .map(|debt| debt.worker.as_str())
        .collect();
    assert_eq!(owed, ["anna", "main"]);
    assert!(first.debts.is_empty());
    let old = within(manager.get_version("documents", second.id)).await;
    assert_eq!(text(old), "value_1");
    assert!(
        disk.all(Space::States).is_empty(),
        "there is no state record"
    );
    assert_eq!(forward(&manager).await, "value_2");
}

#[tokio::test]
async fn a_state_record_with_the_same_key_is_no_version_of_its_own() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    let manager = disk.life_with(versioned(&source)).await;
    assert_eq!(states(&manager).await, [(1, VersionState::Active, true)]);
    assert!(disk.all(Space::States).is_empty());
}

#[tokio::test]
async fn keyward_makes_the_first_value_only_where_it_is_told_to_and_the_store_has_none() {
    let none = || SecretKeyDefinition::round_trip("documents", || None::<String>);
    let manager = Disk::default().life().await;
    let refused = manager.define_key(none().versions(true)).await.unwrap_err();
    assert_eq!(refused.code(), "store_failed");
    define(&manager, none().make_first_value(48)).await;
    let answer = within(manager.get_forward_path_key("documents"))
        .await
        .unwrap();
    assert_eq!(answer.expose().len(), 48);
    assert_eq!(versions(&manager).await[0].arrows[0].cause, Cause::Made);

    let source = Source::new("value_1");
    let manager = Disk::default()
        .life_with(versioned(&source).make_first_value(48))
        .await;
    assert_eq!(forward(&manager).await, "value_1", "the store has one");

    source.fail();
    let manager = Disk::default().life().await;
    let fails = versioned(&source).make_first_value(48);
    let refused = manager.define_key(fails).await.unwrap_err();
    assert_eq!(
        refused.code(),
        "store_failed",
        "a store that fails may have one"
    );
}

#[tokio::test]
async fn a_value_of_more_than_64_kib_is_no_version() {
    let manager = Disk::default().life().await;
    let largest = Source::new(vec![7_u8; 64 * 1024]);
    define(&manager, largest.round_trip("largest").versions(true)).await;
    let larger = Source::new(("k", vec![7_u8; 64 * 1024 + 1]));
    let refused = manager.define_key(versioned(&larger)).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_key");
    assert!(refused.to_string().contains("64 KiB"), "{refused}");
}

#[tokio::test]
async fn a_key_with_an_unfinished_rotation_gets_no_versions_and_the_error_names_it() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    let manager = disk.life_with(source.documents()).await;
    fails_until(&manager, "reencrypt").await;
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let report = within(manager.key_changed(change)).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped);
    end(manager).await;
    let manager = disk.life().await;
    let refused = manager.define_key(versioned(&source)).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_definition");
    assert!(
        refused.to_string().contains(&report.id.to_string()),
        "{refused}"
    );
    assert!(disk.all(Space::Versions).is_empty());
    manager.abort(report.id, &["main"]).await.unwrap();
    define(&manager, versioned(&source)).await;
}

#[tokio::test]
async fn a_key_goes_back_only_while_it_has_one_version() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    end(disk.life_with(versioned(&source)).await).await;
    let manager = disk.life_with(source.documents()).await;
    assert!(disk.all(Space::Versions).is_empty());
    let plain = within(manager.versions("documents")).await.unwrap_err();
    assert_eq!(plain.code(), "not_versioned");
    assert_eq!(forward(&manager).await, "value_1");
    assert_eq!(back(&manager).await, "value_1");
    end(manager).await;

    let manager = disk.life_with(versioned(&source)).await;
    rotate(&manager, "value_2").await;
    end(manager).await;
    let manager = disk.life().await;
    let refused = manager.define_key(source.documents()).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_definition");
    assert!(refused.to_string().contains("2 versions"), "{refused}");
    define(&manager, versioned(&source)).await;
}

#[tokio::test]
async fn a_key_that_does_not_opt_in_writes_no_record_of_versions() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    rotate(&manager, "value_2").await;
    assert!(disk.all(Space::Versions).is_empty());
    let no_id = within(manager.get_forward_path_key("documents"))
        .await
        .unwrap();
    assert_eq!(no_id.version, None);
}

#[tokio::test]
async fn a_definition_that_contradicts_itself_is_refused() {
    let source = Source::new("value_1");
    let manager = Disk::default().life().await;
    for (definition, named) in [
        (versioned(&source).max_readable_versions(1), "max_readable"),
        (versioned(&source).make_first_value(0), "make_first_value"),
        (
            versioned(&source).make_first_value(65_537),
            "make_first_value",
        ),
        (
            versioned(&source).data_lives(std::time::Duration::ZERO),
            "data_lives",
        ),
    ] {
        let refused = manager.define_key(definition).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_definition");
        assert!(refused.to_string().contains(named), "{refused}");
    }
    let pair = Source::new(("a", "b")).one_way("documents").versions(true);
    let refused = manager.define_key(pair).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_key");
    define(&manager, versioned(&source)).await;
    let again = manager.define_key(versioned(&source)).await.unwrap_err();
    assert_eq!(again.code(), "invalid_definition");
    let flow = SecretKeyFlow::Default;
    let refused = manager.get_key_on("documents", flow).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_flow");
}
