//! A write that fails while rotations run: the repo is reopened, what is found there is true, and
//! everything goes on by itself.

use std::collections::BTreeSet;

use keyward::repo::space::Space;
use keyward::{KeyChange, KeysManagement, RotationError, RotationId, RotationState};
use tokio::task::JoinHandle;

use crate::faults::ground::{
    Callback, Ground, back, change, goes_on, is_paused, on, recorded, stated, with_record,
};
use crate::support::faulty::{Fault, FaultyRepo};
use crate::support::{define, until, within};

const KEYS: [&str; 3] = ["documents", "letters", "parcels"];

type Waiting = JoinHandle<Result<RotationState, RotationError>>;

fn waits(manager: &KeysManagement, id: RotationId) -> Waiting {
    let manager = manager.clone();
    tokio::spawn(async move {
        let report = manager.wait(id).await?;
        let without_crash = report.steps.iter().all(|step| step.crashes == 0);
        assert!(without_crash, "{report:?}");
        Ok(report.state)
    })
}

async fn must_complete(waiting: Waiting) {
    let told = within(waiting).await.expect("no panic");
    assert_eq!(
        told.expect("waiters go on waiting"),
        RotationState::Completed
    );
}

/// Three keys, whose rotations each have a callback under way and one that is still to be called.
struct Running {
    manager: KeysManagement,
    first: Vec<Callback>,
    second: Vec<Callback>,
    waiting: Vec<Waiting>,
}

impl Running {
    async fn on(repo: &FaultyRepo) -> Self {
        let manager = on(repo).await;
        let (mut first, mut second, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for key in KEYS {
            define(&manager, stated(key)).await;
            drop(manager.get_forward_path_key(key).await.expect("a key"));
            manager.save_state(key).await.expect("it is saved");
            first.push(Callback::register(&manager, key, "first").await);
            second.push(Callback::register(&manager, key, "second").await);
            let id = manager.declare(change(key)).await.expect("it is accepted");
            waiting.push(waits(&manager, id));
        }
        for callback in &first {
            callback.gate.arrived(1).await;
        }
        Self {
            manager,
            first,
            second,
            waiting,
        }
    }
}

#[tokio::test]
async fn a_write_that_fails_under_running_rotations_is_found_out_and_each_callback_runs_once() {
    for (fault, _) in Fault::unknown() {
        for ground in Ground::both() {
            let repo = ground.repo();
            let running = Running::on(&repo).await;
            let manager = running.manager;
            repo.reopening_fails(u32::MAX);
            repo.next_write(Space::Rotations, fault.clone());
            running.first[0].gate.open();
            until("rotations pause", async || is_paused(&manager).await).await;

            // The other results come while the repo is closed, and nothing new is called.
            for callback in &running.first {
                callback.gate.open();
                until("it ends", async || callback.ended() == 1).await;
            }
            for key in KEYS {
                assert_eq!(back(&manager, key).await, "value_1");
            }
            assert!(running.second.iter().all(|callback| callback.calls() == 0));
            assert!(running.waiting.iter().all(|waiting| !waiting.is_finished()));

            repo.reopening_fails(0);
            for callback in &running.second {
                callback.gate.open();
            }
            for waiting in running.waiting {
                must_complete(waiting).await;
            }
            for callback in running.first.iter().chain(&running.second) {
                assert_eq!((callback.calls(), callback.ended()), (1, 1));
            }
            for key in KEYS {
                assert_eq!(back(&manager, key).await, "value_2");
            }
            within(manager.shutdown()).await.expect("it shuts down");
            drop((manager, repo));
            for key in KEYS {
                assert_eq!(recorded(&ground, key).await, "value_2");
            }
        }
    }
}

#[tokio::test]
async fn reopening_that_fails_twice_is_tried_again_and_works() {
    for ground in Ground::both() {
        let repo = ground.repo();
        let running = Running::on(&repo).await;
        repo.reopening_fails(2);
        repo.next_write(Space::Rotations, Fault::Full);
        for callback in running.first.iter().chain(&running.second) {
            callback.gate.open();
        }
        repo.reopened(3).await;
        for waiting in running.waiting {
            must_complete(waiting).await;
        }
        goes_on(&running.manager).await;
        within(running.manager.shutdown())
            .await
            .expect("it shuts down");
    }
}

#[tokio::test]
async fn a_declaration_whose_write_is_unknown_is_accepted_or_never_was_once_the_repo_is_reopened() {
    for (fault, made) in Fault::unknown() {
        for ground in Ground::both() {
            let repo = ground.repo();
            let manager = with_record(&repo, "documents").await;
            let callback = Callback::register(&manager, "documents", "call").await;
            callback.gate.open();
            repo.next_write(Space::Rotations, fault.clone());
            let error = within(manager.declare(change("documents"))).await;
            assert_eq!(error.expect_err("it is unknown").code(), "write_unknown");
            goes_on(&manager).await;
            // It may end between the two.
            let living = manager.rotations().await.expect("a listing");
            let ended = within(manager.history(10)).await.expect("a history");
            let found: BTreeSet<RotationId> = living
                .iter()
                .chain(&ended.rotations)
                .map(|r| r.id)
                .collect();
            assert_eq!(found.len(), usize::from(made));
            let report = within(manager.key_changed(change("documents"))).await;
            let report = report.expect("the same declaration again");
            assert_eq!(report.state, RotationState::Completed);
            assert_eq!(callback.calls(), 1);
            within(manager.shutdown()).await.expect("it shuts down");
        }
    }
}

#[tokio::test]
async fn a_write_that_fails_anywhere_in_a_rotation_loses_and_repeats_nothing() {
    for (fault, _) in Fault::unknown() {
        for after in 0.. {
            let ground = Ground::memory();
            let repo = ground.repo();
            let manager = with_record(&repo, "documents").await;
            let first = Callback::register(&manager, "documents", "first").await;
            let second = Callback::register(&manager, "documents", "second").await;
            first.gate.open();
            second.gate.open();
            repo.later_write(Space::Rotations, after, fault.clone());
            let id = loop {
                match within(manager.declare(change("documents"))).await {
                    Ok(id) => break id,
                    Err(error) => assert!(error.is_retriable(), "{error}"),
                }
                goes_on(&manager).await;
            };
            let report = within(manager.wait(id))
                .await
                .expect("waiters go on waiting");
            assert_eq!(report.state, RotationState::Completed, "write {after}");
            assert_eq!((first.calls(), second.calls()), (1, 1), "write {after}");
            goes_on(&manager).await;
            within(manager.shutdown()).await.expect("it shuts down");
            drop(manager);
            assert_eq!(recorded(&ground, "documents").await, "value_2");
            if !repo.is_done() {
                // The declaration, the beginning, both steps and the end are such writes.
                assert!(after >= 3, "only {after} writes");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_save_that_failed_is_mended_without_any_rotation() {
    for (fault, _) in Fault::unknown() {
        for ground in Ground::both() {
            let repo = ground.repo();
            let manager = with_record(&repo, "documents").await;
            repo.next_write(Space::States, fault.clone());
            let error = within(manager.save_state("documents")).await;
            assert_eq!(error.expect_err("it is unknown").code(), "write_unknown");
            until("it can be saved again", async || {
                manager.save_state("documents").await.is_ok()
            })
            .await;
            goes_on(&manager).await;
            let report = within(manager.key_changed(change("documents"))).await;
            assert_eq!(report.expect("it goes on").state, RotationState::Completed);
            within(manager.shutdown()).await.expect("it shuts down");
        }
    }
}

#[tokio::test]
async fn while_the_repo_is_closed_what_needs_it_is_refused_and_works_afterwards() {
    let ground = Ground::memory();
    within(with_record(&ground.repo(), "letters").await.shutdown())
        .await
        .expect("it shuts down");
    let repo = ground.repo();
    let manager = with_record(&repo, "documents").await;
    define(&manager, stated("letters")).await;
    define(&manager, stated("parcels")).await;
    let worker = manager.join("worker").await.expect("it joins");
    let fails = |_: KeyChange| Err::<(), _>("no");
    let registered = worker.register_on_change("parcels", "fails", fails).await;
    registered.expect("it registers");
    let stopped = within(manager.key_changed(change("parcels"))).await;
    let stopped = stopped.expect("it stops").id;
    repo.reopening_fails(u32::MAX);
    repo.next_write(Space::Rotations, Fault::Fails);
    let error = within(manager.declare(change("documents"))).await;
    assert_eq!(error.expect_err("it is unknown").code(), "write_unknown");
    assert!(is_paused(&manager).await);

    let call = |_: KeyChange| {};
    let refused = [
        within(manager.declare(change("documents"))).await.map(drop),
        within(manager.join("other")).await.map(drop),
        within(worker.register_on_change("documents", "call", call)).await,
        within(manager.resume(stopped)).await,
        within(manager.abort(stopped, &["worker"])).await,
    ];
    for refused in refused {
        let error = refused.expect_err("the repo is closed");
        assert_eq!(error.code(), "repo_unavailable", "{error}");
        assert!(error.is_retriable());
    }
    for refused in [
        within(manager.save_state("documents")).await,
        within(manager.get_back_path_key("letters")).await.map(drop),
    ] {
        let error = refused.expect_err("the repo is closed");
        assert_eq!(error.code(), "repo_unavailable", "{error}");
        assert!(error.is_retriable());
    }
    // What is held, and what the store answers.
    assert_eq!(back(&manager, "documents").await, "value_1");
    let forward = within(manager.get_forward_path_key("documents")).await;
    assert_eq!(forward.expect("the store is asked").expose(), b"value_1");

    repo.reopening_fails(0);
    goes_on(&manager).await;
    assert_eq!(back(&manager, "letters").await, "value_1");
    within(manager.save_state("documents"))
        .await
        .expect("it is saved");
    let registered = worker.register_on_change("documents", "call", call).await;
    registered.expect("it registers");
    let report = within(manager.key_changed(change("documents"))).await;
    assert_eq!(report.expect("it goes on").state, RotationState::Completed);
    within(manager.abort(stopped, &["worker"]))
        .await
        .expect("it is aborted");
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_shutdown_while_the_repo_is_closed_ends_and_the_next_life_goes_on() {
    for (fault, _) in Fault::unknown() {
        for ground in Ground::both() {
            let repo = ground.repo();
            let running = Running::on(&repo).await;
            repo.reopening_fails(u32::MAX);
            repo.next_write(Space::Rotations, fault.clone());
            running.first[0].gate.open();
            let manager = running.manager;
            until("rotations pause", async || is_paused(&manager).await).await;
            within(manager.shutdown()).await.expect("it shuts down");
            for waiting in running.waiting {
                let told = within(waiting).await.expect("no panic");
                assert!(told.is_err_and(|error| error.is_retriable()));
            }
            drop((manager, repo));

            let repo = ground.repo();
            let manager = on(&repo).await;
            let found = manager.rotations().await.expect("a listing");
            assert_eq!(found.len(), KEYS.len());
            for key in KEYS {
                define(&manager, stated(key)).await;
                for name in ["first", "second"] {
                    let callback = Callback::register(&manager, key, name).await;
                    callback.gate.open();
                }
            }
            for report in found {
                let report = within(manager.wait(report.id)).await.expect("it goes on");
                assert_eq!(report.state, RotationState::Completed);
            }
            within(manager.shutdown()).await.expect("it shuts down");
        }
    }
}
