//! A process that is killed before or after each durable write of a key that gets versions, hands them out and
//! rotates: the next life goes on, and all that anybody was told is still so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::{
    Change, KeyChange, KeysManagement, MemoryRepo, RotationState, SecretKeyDefinition, Space,
    VersionId, VersionState, Worker,
};

use super::cut::{CutDisk, When, count};
use super::versions;
use crate::support::{builder, until, within};

/// What anna was told, and her documents: which version each is under.
#[derive(Clone, Default)]
struct Told {
    keys: Arc<Mutex<BTreeMap<VersionId, String>>>,
    documents: Arc<Mutex<Vec<VersionId>>>,
}

impl Told {
    fn write(&self, (id, key): (VersionId, String)) {
        self.keys.lock().unwrap().insert(id, key);
        self.documents.lock().unwrap().push(id);
    }

    fn reencrypt(&self, new: VersionId, key: &str) {
        self.keys.lock().unwrap().insert(new, key.to_owned());
        self.documents
            .lock()
            .unwrap()
            .iter_mut()
            .for_each(|id| *id = new);
    }
}

fn definition() -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip("documents", || "value_1")
        .versions(true)
        .drain(Duration::ZERO)
}

async fn start(disk: CutDisk) -> Option<KeysManagement> {
    builder().state_repo(disk).start().await.ok()
}

async fn join(manager: &KeysManagement, told: &Told) -> Option<Worker> {
    let anna = manager.join("anna").await.ok()?;
    let told = told.clone();
    let call = move |change: KeyChange| {
        let new = change.key.new_version().ok_or("no id")?;
        let keys = change.new_keys.ok_or("no keys")?;
        told.reencrypt(new, keys.forward().expose_str().ok_or("no text")?);
        Ok::<_, &str>(())
    };
    anna.register_on_change("documents", "reencrypt", call)
        .await
        .ok()?;
    Some(anna)
}

/// One life: it ends where the disk does.
async fn life(disk: CutDisk, told: &Told, rotates: bool) -> Option<()> {
    let manager = start(disk).await?;
    manager.define_key(definition()).await.ok()?;
    let anna = join(&manager, told).await?;
    let write = async |anna: &Worker| {
        let answer = anna.get_forward_path_key("documents").await.ok()?;
        let id = answer.version?.id;
        told.write((id, answer.expose_str()?.to_owned()));
        Some(())
    };
    write(&anna).await?;
    if rotates {
        let change = Change::of("documents").new_keys("value_2");
        drop(manager.key_changed(change).await.ok()?);
        write(&anna).await?;
    }
    manager.shutdown().await.ok()
}

/// What has to hold of the life after.
async fn check(content: &MemoryRepo, told: &Told, at: &str) {
    let manager = start(CutDisk::on(content, None)).await.expect(at);
    manager.define_key(definition()).await.expect(at);
    let anna = join(&manager, told).await.expect(at);
    for going in manager.rotations().await.expect(at) {
        let report = within(manager.wait(going.id)).await.expect(at);
        assert_eq!(report.state, RotationState::Completed, "{at}: {report:?}");
    }
    let listed = versions(&manager).await;
    let current = listed.iter().filter(|version| version.is_current);
    assert_eq!(current.count(), 1, "{at}: {listed:?}");
    let rotated = manager.history(8).await.expect(at).rotations;
    let completed = rotated
        .iter()
        .filter(|one| one.state == RotationState::Completed);
    assert_eq!(completed.count(), listed.len() - 1, "{at}: {listed:?}");
    for version in &listed {
        let expected = if version.is_current {
            VersionState::Active
        } else {
            VersionState::Deactivated
        };
        assert_eq!(version.state, expected, "{at}: {listed:?}");
    }
    let keys = told.keys.lock().unwrap().clone();
    for (id, key) in keys {
        let answer = within(anna.get_version("documents", id)).await.expect(at);
        assert_eq!(answer.expose_str(), Some(key.as_str()), "{at}");
    }
    // Nothing is owed where nothing was handed out, and what documents are under is owed.
    for id in told.documents.lock().unwrap().iter() {
        let version = listed.iter().find(|version| version.id == *id);
        let owes = |of: &keyward::VersionListing| {
            of.debts.iter().any(|debt| debt.worker.as_str() == "anna")
        };
        assert!(version.is_some_and(owes), "{at}: {listed:?}");
    }
    manager.shutdown().await.expect(at);
}

async fn killed_at_each_write(rotates: bool, at_least: u32) {
    for when in [When::Before, When::After] {
        for writes in 0.. {
            let (content, told) = (MemoryRepo::new(), Told::default());
            let disk = CutDisk::on(&content, Some((writes, when)));
            let ended = life(disk.clone(), &told, rotates);
            let ended = tokio::time::timeout(Duration::from_secs(20), async {
                // What waits for the journal would wait for ever: the process is gone.
                let dead = until("it is killed", async || disk.is_cut());
                tokio::select! { ended = ended => ended, () = dead => None }
            });
            let ended = ended.await.expect("a life ends");
            let at = format!("killed {when:?} write {writes}");
            if ended.is_some() && !disk.is_cut() {
                assert!(writes > at_least, "only {writes} writes");
                check(&content, &told, &at).await;
                assert!(count(&content, Space::Versions) > 0);
                break;
            }
            check(&content, &told, &at).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_gets_its_versions_and_hands_them_out_whichever_write_it_is_killed_at() {
    killed_at_each_write(false, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_between_versions_goes_on_whichever_write_it_is_killed_at() {
    killed_at_each_write(true, 9).await;
}
