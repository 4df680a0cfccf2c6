//! What a rotation between versions leaves at the key's side.

use keyward::{Change, KeyChange, VersionState};

use super::{rotate, states, versioned, versions};
use crate::support::{define, within};
use crate::world::{Disk, Source, forward, with};

#[tokio::test]
async fn after_a_rotation_the_new_version_is_current_and_the_old_one_is_read() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source)).await;
    assert_eq!(forward(&manager).await, "value_1");
    rotate(&manager, "value_2").await;
    let (active, deactivated) = (VersionState::Active, VersionState::Deactivated);
    assert_eq!(
        states(&manager).await,
        [(2, active, true), (1, deactivated, false)]
    );
    assert_eq!(
        forward(&manager).await,
        "value_2",
        "whatever the store answers"
    );
    let arrows = versions(&manager).await[0].arrows.clone();
    let ways: Vec<_> = arrows.iter().map(|arrow| arrow.to).collect();
    assert_eq!(ways, [VersionState::Pending, active]);
}

#[tokio::test]
async fn a_success_of_all_callbacks_of_data_ends_the_debts_to_their_worker_and_to_no_other() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source)).await;
    let (anna, bob) = (
        manager.join("anna").await.unwrap(),
        manager.join("bob").await.unwrap(),
    );
    anna.register_on_change("documents", "reencrypt", |_: KeyChange| Ok::<_, String>(()))
        .await
        .unwrap();
    for worker in [&anna, &bob] {
        within(worker.get_forward_path_key("documents"))
            .await
            .unwrap();
    }
    rotate(&manager, "value_2").await;
    let [second, first] = versions(&manager).await.try_into().unwrap();
    let owed = |of: &keyward::VersionListing| {
        let debts = of.debts.iter().map(|debt| debt.worker.as_str().to_owned());
        debts.collect::<Vec<_>>()
    };
    assert_eq!(owed(&first), ["bob"], "bob has no callback of data");
    assert_eq!(
        owed(&second),
        ["anna"],
        "its callback was handed the new version"
    );
}

#[tokio::test]
async fn a_known_value_no_new_keys_and_a_version_too_many_are_refused_and_leave_nothing() {
    let source = Source::new("value_1");
    let manager = with(versioned(&source).max_readable_versions(2)).await;
    let declare = async |change: Change| within(manager.declare(change)).await.unwrap_err();
    let refused = declare(Change::of("documents")).await;
    assert_eq!(refused.code(), "needs_new_keys");
    let refused = declare(Change::of("documents").new_keys("value_1")).await;
    assert_eq!(refused.code(), "known_version");
    assert!(refused.to_string().contains("version 1"), "{refused}");
    forward(&manager).await;
    rotate(&manager, "value_2").await;
    let refused = declare(Change::of("documents").new_keys("value_3")).await;
    assert_eq!(refused.code(), "too_many_versions");
    let text = refused.to_string();
    for named in [
        "2 versions",
        "version 1",
        "it owes main",
        "version 2",
        "it is current",
    ] {
        assert!(text.contains(named), "{text}");
    }
    assert_eq!(versions(&manager).await.len(), 2);
}

#[tokio::test]
async fn a_value_is_given_again_on_purpose_as_a_version_of_its_own() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    let manager = disk.life().await;
    define(&manager, versioned(&source)).await;
    rotate(&manager, "value_2").await;
    let again = Change::of("documents").new_keys("value_1").again();
    drop(within(manager.key_changed(again)).await.unwrap());
    let numbers: Vec<_> = states(&manager).await.iter().map(|(no, ..)| *no).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(forward(&manager).await, "value_1");
}
