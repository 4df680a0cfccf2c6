//! Records of versions that cannot be read.

use keyward::Space;

use super::{rotate, versioned, versions};
use crate::support::{define, within};
use crate::world::{Disk, Source, end, forward, text};

/// A key name and the tag after it, as places begin.
fn begins(key: &[u8], tag: u8) -> bool {
    let length = usize::from(key[0]);
    key.get(length + 1) == Some(&tag)
}

async fn two_versions(source: &Source) -> Disk {
    let disk = Disk::default();
    let manager = disk.life_with(versioned(source)).await;
    rotate(&manager, "value_2").await;
    end(manager).await;
    disk
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_named_and_hides_no_other_version() {
    let source = Source::new("value_1");
    let disk = two_versions(&source).await;
    let manager = disk.life_with(versioned(&source)).await;
    let [second, first] = versions(&manager).await.try_into().unwrap();
    end(manager).await;
    let of_first = |key: &[u8]| begins(key, 3) && key.ends_with(first.id.as_bytes());
    disk.spoil(Space::Versions, of_first);
    let manager = disk.life_with(versioned(&source)).await;
    let error = within(manager.get_version("documents", first.id))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "version_unreadable");
    assert!(error.to_string().contains(&first.id.to_string()), "{error}");
    assert_eq!(
        text(within(manager.get_version("documents", second.id)).await),
        "value_2"
    );
    assert_eq!(forward(&manager).await, "value_2");
    let candidates = within(manager.candidates("documents")).await.unwrap();
    assert_eq!(candidates.len(), 1);
    let listed = manager.status().await.unwrap().unreadable_records;
    let [listed] = listed.try_into().unwrap();
    assert!(
        listed
            .place
            .contains(&format!("value of version {}", first.id)),
        "{listed:?}"
    );
}

#[tokio::test]
async fn where_a_version_or_the_current_one_cannot_be_read_the_key_says_so_and_others_go_on() {
    for tag in [1, 2] {
        let source = Source::new("value_1");
        let disk = two_versions(&source).await;
        disk.spoil(Space::Versions, |key| begins(key, tag));
        let manager = disk.life_with(versioned(&source)).await;
        let refused = within(manager.get_forward_path_key("documents"))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "version_unreadable");
        let refused = within(manager.versions("documents")).await.unwrap_err();
        assert_eq!(refused.code(), "version_unreadable");
        let change = keyward::Change::of("documents").new_keys("value_3");
        let refused = within(manager.declare(change)).await.unwrap_err();
        assert_eq!(refused.code(), "version_unreadable");
        define(&manager, source.round_trip("letters").versions(true)).await;
        within(manager.get_forward_path_key("letters"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_debt_that_cannot_be_read_is_still_owed() {
    let (disk, source) = (Disk::default(), Source::new("value_1"));
    let manager = disk.life_with(versioned(&source)).await;
    forward(&manager).await;
    end(manager).await;
    disk.spoil(Space::Versions, |key| begins(key, 4));
    let manager = disk.life_with(versioned(&source)).await;
    let [version] = versions(&manager).await.try_into().unwrap();
    assert_eq!(version.debts[0].worker.as_str(), "main");
    assert_eq!(forward(&manager).await, "value_1");
}
