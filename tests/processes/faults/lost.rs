//! A journal that is lost for good: another manager has taken it over, or its folder was moved away.
//! Every call and every waiter is told so once and for all, nothing is tried again, and the end is
//! clean.

use std::fs;

use keyward::repo::space::Space;
use keyward::{
    Change, KeyChange, KeysManagement, RotationError, RotationState, SecretKeyDefinition,
};
use tokio::task::JoinHandle;

use crate::faults::ground::{Callback, Ground, change, on, recorded, stated, with_record};
use crate::support::faulty::{Fault, FaultyRepo};
use crate::support::{assert_says, define, until, within};

const FENCED: (&str, &str) = ("fenced", "another manager has taken over this journal");
const MOVED: (&str, &str) = ("folder_lost", "it was moved or removed");

fn says(told: &RotationError, (code, text): (&str, &str)) {
    assert_says(told.code(), code, &told.to_string(), &[text]);
    assert!(!told.is_retriable(), "{told}");
}

/// A manager with a callback of the key `documents` that runs for a rotation.
struct Running {
    manager: KeysManagement,
    callback: Callback,
    waiting: Vec<JoinHandle<Result<RotationState, RotationError>>>,
}

impl Running {
    async fn on(repo: &FaultyRepo) -> Self {
        let manager = with_record(repo, "documents").await;
        let callback = Callback::register(&manager, "documents", "call").await;
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let manager = manager.clone();
            waiting.push(tokio::spawn(async move {
                let report = manager.key_changed(change("documents")).await?;
                Ok(report.state)
            }));
        }
        callback.gate.arrived(1).await;
        Self {
            manager,
            callback,
            waiting,
        }
    }

    /// The callback ends, and each waiter is told that the journal is lost.
    async fn ends(&mut self, repo: &FaultyRepo, told: (&str, &str)) {
        self.callback.gate.open();
        for waiting in self.waiting.drain(..) {
            let answer = within(waiting).await.expect("no panic");
            says(&answer.expect_err("its end cannot be written"), told);
        }
        let before = repo.reopenings();
        is_lost(&self.manager, told).await;
        assert_eq!(repo.reopenings(), before, "it is not tried again");
        assert_eq!(self.callback.calls(), 1);
    }
}

/// Every call that needs the journal says so, and what needs none is answered.
async fn is_lost(manager: &KeysManagement, told: (&str, &str)) {
    let status = manager.status().await.expect("a status");
    assert_eq!(status.lost, Some(told.0));
    assert!(status.paused.expect("it says why").contains(told.1));
    let id = status.rotations.first().map(|rotation| rotation.id);
    let another = Change::of("documents").new_keys("value_3");
    says(&within(manager.declare(another)).await.unwrap_err(), told);
    says(&within(manager.join("late")).await.unwrap_err(), told);
    let call = |_: KeyChange| Ok::<_, &str>(());
    let registered = manager.register_on_change("documents", "late", call);
    says(&within(registered).await.unwrap_err(), told);
    if let Some(id) = id {
        says(&within(manager.wait(id)).await.unwrap_err(), told);
        says(&within(manager.resume(id)).await.unwrap_err(), told);
        says(
            &within(manager.abort(id, &["main"])).await.unwrap_err(),
            told,
        );
    }
    let saved = within(manager.save_state("documents")).await.unwrap_err();
    assert_says(
        saved.code(),
        told.0,
        &saved.to_string(),
        &["documents", told.1],
    );
    assert!(!saved.is_retriable(), "{saved}");
    let key = within(manager.get_forward_path_key("documents")).await;
    assert_eq!(
        key.expect("keys are handed out").expose_str(),
        Some("value_1")
    );
}

#[tokio::test]
async fn a_manager_that_another_one_took_over_from_ends_its_writing_and_the_other_one_goes_on() {
    for ground in Ground::both() {
        let repo = ground.repo();
        let mut first = Running::on(&repo).await;
        // As two programs would have it whose lock is of no use: on a network's file system, say.
        let other = repo.another();
        let second = on(&other).await;
        define(&second, stated("documents")).await;
        first.ends(&repo, FENCED).await;
        let callback = Callback::register(&second, "documents", "call").await;
        callback.gate.open();
        let report = within(second.key_changed(change("documents"))).await;
        assert_eq!(report.expect("it goes on").state, RotationState::Completed);
        for manager in [first.manager, second] {
            within(manager.shutdown()).await.expect("it shuts down");
        }
        drop((repo, other));
        assert_eq!(recorded(&ground, "documents").await, "value_2");
    }
}

#[tokio::test]
async fn a_manager_whose_folder_is_moved_away_answers_everybody_who_waits() {
    for unknown in [false, true] {
        let ground = Ground::both().into_iter().last().expect("a folder");
        let Ground::Folder(base) = &ground else {
            panic!("the last one is a folder")
        };
        let repo = ground.repo();
        let mut first = Running::on(&repo).await;
        fs::rename(base.path().join("data"), base.path().join("moved")).expect("it is mine");
        if unknown {
            repo.next_write(Space::Rotations, Fault::Fails);
        }
        first.ends(&repo, MOVED).await;
        within(first.manager.shutdown())
            .await
            .expect("it shuts down");
    }
}

#[tokio::test]
async fn a_save_or_a_load_finds_the_journal_lost_and_rotations_are_told_too() {
    let ground = Ground::both().into_iter().last().expect("a folder");
    let Ground::Folder(base) = &ground else {
        panic!("the last one is a folder")
    };
    let repo = ground.repo();
    let mut first = Running::on(&repo).await;
    let other = SecretKeyDefinition::round_trip("other", || "value_1").stateless(false);
    define(&first.manager, other).await;
    fs::rename(base.path().join("data"), base.path().join("moved")).expect("it is mine");
    let saved = within(first.manager.save_state("documents"))
        .await
        .unwrap_err();
    assert_eq!(saved.code(), "folder_lost", "{saved}");
    let loaded = within(first.manager.get_back_path_key("other"))
        .await
        .unwrap_err();
    assert_eq!(
        (loaded.code(), loaded.is_retriable()),
        ("folder_lost", false),
        "{loaded}"
    );
    let manager = first.manager.clone();
    let lost = async || manager.status().await.expect("a status").lost.is_some();
    until("the coordinator hears of it", lost).await;
    first.ends(&repo, MOVED).await;
    within(first.manager.shutdown())
        .await
        .expect("it shuts down");
}
