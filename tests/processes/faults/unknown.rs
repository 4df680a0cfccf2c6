//! Writes that fail, made or not: the caller is told that it is not known which, and the next life finds what
//! there is. The repo stays closed until then: what reopening does is in `reopening.rs`.

use keyward::RotationState;
use keyward::repo::space::Space;
use uuid::Uuid;

use crate::faults::ground::{
    Callback, Ground, back, candidates, change, is_paused, on, recorded, stated, with_record,
};
use crate::support::faulty::Fault;
use crate::support::{assert_says, define, until, within};

#[tokio::test]
async fn a_declaration_whose_write_fails_is_unknown_and_the_next_life_finds_it_if_it_was_made() {
    for (fault, made) in Fault::unknown() {
        for ground in Ground::both() {
            let repo = ground.repo();
            let manager = with_record(&repo, "documents").await;
            let callback = Callback::register(&manager, "documents", "call").await;
            repo.reopening_fails(u32::MAX);
            repo.next_write(Space::Rotations, fault.clone());
            let error = within(manager.declare(change("documents"))).await;
            let error = error.expect_err("nobody knows whether it was accepted");
            let id = Uuid::from_u128(0x0064_6f63_756d_656e_7473).to_string();
            assert_says(error.code(), "write_unknown", &error.to_string(), &[&id]);
            assert!(error.is_retriable() && is_paused(&manager).await);
            assert_eq!(back(&manager, "documents").await, "value_1");
            assert_eq!(
                callback.calls(),
                0,
                "it was called though nothing is durable"
            );
            within(manager.shutdown()).await.expect("it shuts down");
            drop((manager, repo));

            let repo = ground.repo();
            let manager = on(&repo).await;
            let found = manager.rotations().await.expect("a listing");
            assert_eq!(found.len(), usize::from(made));
            define(&manager, stated("documents")).await;
            let callback = Callback::register(&manager, "documents", "call").await;
            callback.gate.open();
            let report = within(manager.key_changed(change("documents"))).await;
            let report = report.expect("the same declaration again");
            assert_eq!(report.state, RotationState::Completed);
            assert_eq!((callback.calls(), report.steps.len()), (1, 1));
            within(manager.shutdown()).await.expect("it shuts down");
            drop((manager, repo));
            assert_eq!(recorded(&ground, "documents").await, "value_2");
        }
    }
}

#[tokio::test]
async fn a_result_whose_write_fails_is_there_whole_or_its_step_runs_again() {
    for (fault, made) in Fault::unknown() {
        for ground in Ground::both() {
            let repo = ground.repo();
            let manager = with_record(&repo, "documents").await;
            let callback = Callback::register(&manager, "documents", "call").await;
            let after = Callback::register(&manager, "documents", "after").await;
            let id = manager.declare(change("documents")).await;
            let id = id.expect("it is accepted");
            callback.gate.arrived(1).await;
            repo.reopening_fails(u32::MAX);
            repo.next_write(Space::Rotations, fault.clone());
            callback.gate.open();
            until("rotations pause", async || is_paused(&manager).await).await;
            assert_eq!((callback.ended(), after.calls()), (1, 0));
            within(manager.shutdown()).await.expect("it shuts down");
            drop((manager, repo));

            // Effect, success and record are one write: all of it was made, or nothing.
            let expected = if made { "value_2" } else { "value_1" };
            assert_eq!(recorded(&ground, "documents").await, expected);
            let repo = ground.repo();
            let manager = on(&repo).await;
            define(&manager, stated("documents")).await;
            let again = Callback::register(&manager, "documents", "call").await;
            let after = Callback::register(&manager, "documents", "after").await;
            again.gate.open();
            after.gate.open();
            let report = within(manager.wait(id)).await.expect("it goes on");
            assert_eq!(report.state, RotationState::Completed);
            assert_eq!(again.calls(), usize::from(!made));
            assert_eq!((after.calls(), after.ended()), (1, 1));
            within(manager.shutdown()).await.expect("it shuts down");
            drop((manager, repo));
            assert_eq!(recorded(&ground, "documents").await, "value_2");
        }
    }
}

#[tokio::test]
async fn a_save_whose_write_fails_is_an_error_and_the_record_is_the_old_or_the_new_one() {
    for (fault, made) in Fault::unknown() {
        for ground in Ground::both() {
            let repo = ground.repo();
            let manager = on(&repo).await;
            define(&manager, stated("documents")).await;
            let forward = manager.get_forward_path_key("documents").await;
            drop(forward.expect("a key"));
            repo.reopening_fails(u32::MAX);
            repo.next_write(Space::States, fault.clone());
            let error = within(manager.save_state("documents")).await;
            let error = error.expect_err("nobody knows whether it was saved");
            let text = error.to_string();
            assert_says(error.code(), "write_unknown", &text, &["documents"]);
            assert!(error.is_retriable());
            assert_eq!(back(&manager, "documents").await, "value_1");
            within(manager.shutdown()).await.expect("it shuts down");
            drop((manager, repo));
            let expected = if made {
                "value_1"
            } else {
                "the store was asked"
            };
            assert_eq!(recorded(&ground, "documents").await, expected);
        }
    }
}

#[tokio::test]
async fn a_registration_whose_write_fails_is_an_error_and_can_be_made_in_the_next_life() {
    for (fault, _) in Fault::unknown() {
        let ground = Ground::memory();
        let repo = ground.repo();
        let manager = with_record(&repo, "documents").await;
        repo.reopening_fails(u32::MAX);
        repo.next_write(Space::Roster, fault.clone());
        let joined = within(manager.join("worker")).await;
        let error = joined.expect_err("nobody knows whether it has joined");
        assert_eq!(error.code(), "write_unknown");
        within(manager.shutdown()).await.expect("it shuts down");
        let manager = on(&ground.repo()).await;
        let worker = within(manager.join("worker")).await.expect("it joins");
        define(&manager, stated("documents")).await;
        let call = |_: keyward::KeyChange| {};
        let registered = worker.register_on_change("documents", "call", call).await;
        registered.expect("it registers");
        let members = manager.status().await.expect("a status").workers;
        let of_its_name = members.iter().filter(|m| m.worker.as_str() == "worker");
        assert_eq!(of_its_name.count(), 1);
        within(manager.shutdown()).await.expect("it shuts down");
    }
}

#[tokio::test]
async fn while_the_repo_is_closed_a_save_is_unavailable_at_once_also_where_an_effect_is_under_way()
{
    for (fault, _) in Fault::unknown() {
        let ground = Ground::memory();
        let repo = ground.repo();
        let manager = with_record(&repo, "documents").await;
        let callback = Callback::register(&manager, "documents", "call").await;
        let declared = manager.declare(change("documents")).await;
        declared.expect("it is accepted");
        callback.gate.arrived(1).await;
        repo.reopening_fails(u32::MAX);
        // The effect, its step's end and the record are one write.
        repo.next_write(Space::States, fault);
        callback.gate.open();
        until("rotations pause", async || is_paused(&manager).await).await;
        for _ in 0..3 {
            let asked = std::time::Instant::now();
            let error = within(manager.save_state("documents")).await;
            let error = error.expect_err("the repo is closed");
            let text = error.to_string();
            assert_says(error.code(), "repo_unavailable", &text, &["documents"]);
            assert!(error.is_retriable());
            // The time limit of a request is 15 s.
            assert!(asked.elapsed() < std::time::Duration::from_secs(10));
        }
        assert_eq!(back(&manager, "documents").await, "value_1");
        within(manager.shutdown()).await.expect("it shuts down");
    }
}

#[tokio::test]
async fn the_status_says_why_rotations_are_paused_with_what_the_repo_said() {
    for ground in Ground::both() {
        let repo = ground.repo();
        let manager = with_record(&repo, "documents").await;
        repo.reopening_fails(u32::MAX);
        repo.next_write(Space::Rotations, Fault::Fails);
        let error = within(manager.declare(change("documents"))).await;
        let error = error.expect_err("its write fails").to_string();
        let paused = manager.status().await.expect("a status").paused;
        let paused = paused.expect("rotations are paused");
        for text in [error, paused] {
            assert!(text.contains("it was told to fail"), "{text}");
        }
        within(manager.shutdown()).await.expect("it shuts down");
    }
}

#[tokio::test]
async fn candidates_are_answered_also_where_an_effect_is_under_way_whose_write_is_unknown() {
    let ground = Ground::memory();
    let repo = ground.repo();
    let manager = on(&repo).await;
    define(&manager, stated("documents").keep_in_cache(false)).await;
    let forward = manager.get_forward_path_key("documents").await;
    drop(forward.expect("a key"));
    let callback = Callback::register(&manager, "documents", "call").await;
    let declared = manager.declare(change("documents")).await;
    declared.expect("it is accepted");
    callback.gate.arrived(1).await;
    repo.reopening_fails(u32::MAX);
    repo.next_write(Space::States, Fault::Fails);
    callback.gate.open();
    until("rotations pause", async || is_paused(&manager).await).await;
    assert_eq!(candidates(&manager).await, ["value_2", "value_1"]);
    within(manager.shutdown()).await.expect("it shuts down");
}
