//! The keys of what waits, or was stopped, lie in the journal: they are read when they are needed, and a
//! repo that does not answer then only keeps their rotation waiting.

use std::sync::{Arc, Mutex};

use keyward::repo::space::Space;
use keyward::{Change, Effect, KeyChange, KeysManagement, RotationState};

use crate::faults::ground::{Ground, on, stated};
use crate::support::{Gate, Story, define, until, within};

/// Registers a callback that tells its keys, waits at the gate, and fails while it is told to.
async fn tells(manager: &KeysManagement, gate: &Gate, fails: &Arc<Mutex<bool>>) -> Story {
    let story = Story::default();
    let (told, gate, fails) = (story.clone(), gate.clone(), Arc::clone(fails));
    let call = move |change: KeyChange| {
        let text = |keys: Option<keyward::SecretKeyPair>| {
            let keys = keys.expect("they were declared");
            keys.forward().expose_str().expect("text").to_owned()
        };
        let line = format!("{} {}", text(change.old_keys), text(change.new_keys));
        told.tell(line);
        let (gate, fails) = (gate.clone(), Arc::clone(&fails));
        async move {
            gate.pass().await;
            match *fails.lock().expect("no panic") {
                true => Err("it was told to"),
                false => Ok(Effect::Nothing),
            }
        }
    };
    let registered = manager.register_on_change("documents", "tells", call).await;
    registered.expect("it registers");
    story
}

fn change(no: u32) -> Change {
    let (old, new) = (format!("old_{no}"), format!("new_{no}"));
    Change::of("documents").old(old).new_keys(new)
}

#[tokio::test]
async fn a_rotation_whose_keys_the_repo_does_not_answer_waits_until_it_does() {
    for ground in Ground::both() {
        let repo = ground.repo();
        let manager = on(&repo).await;
        define(&manager, stated("documents")).await;
        // Where it fails nothing but its end is written, for which nothing is read.
        let (gate, fails) = (Gate::default(), Arc::new(Mutex::new(true)));
        let story = tells(&manager, &gate, &fails).await;
        let first = manager.declare(change(1)).await.expect("it is accepted");
        gate.arrived(1).await;
        let second = manager.declare(change(2)).await.expect("it is accepted");
        repo.cannot_read(Some(Space::Rotations));
        let refused = within(manager.recover_keys(second)).await;
        assert_eq!(
            refused.expect_err("nothing is read").code(),
            "repo_unavailable"
        );
        let keys = within(manager.recover_keys(first)).await.expect("it runs");
        assert!(keys.old.is_some() && keys.new.is_some());
        gate.open();
        let report = within(manager.wait(first)).await.expect("it gives way");
        assert_eq!(report.state, RotationState::Stopped);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(
            story.lines(),
            ["old_1 new_1"],
            "none is called without its keys"
        );
        repo.cannot_read(None);
        let report = within(manager.wait(second)).await.expect("it goes on");
        assert_eq!(report.state, RotationState::Stopped);
        assert_eq!(story.lines(), ["old_1 new_1", "old_2 new_2"]);
    }
}

#[tokio::test]
async fn a_rotation_that_is_taken_up_again_has_its_keys_in_its_life_and_in_the_next() {
    for ground in Ground::both() {
        let repo = ground.repo();
        let manager = on(&repo).await;
        define(&manager, stated("documents")).await;
        let (gate, fails) = (Gate::default(), Arc::new(Mutex::new(true)));
        gate.open();
        let story = tells(&manager, &gate, &fails).await;
        let report = within(manager.key_changed(change(1)))
            .await
            .expect("it settles");
        assert_eq!(report.state, RotationState::Stopped);
        let id = report.id;
        within(manager.resume(id)).await.expect("it is taken up");
        until("it stopped again", async || story.lines().len() == 2).await;
        drop(within(manager.wait(id)).await.expect("it settles"));
        let keys = within(manager.recover_keys(id))
            .await
            .expect("it holds them");
        assert_eq!(keys.new.expect("declared").back().expose(), b"new_1");
        within(manager.shutdown()).await.expect("it shuts down");
        drop((manager, repo));

        let repo = ground.repo();
        let manager = on(&repo).await;
        define(&manager, stated("documents")).await;
        *fails.lock().expect("no panic") = false;
        let again = tells(&manager, &gate, &fails).await;
        let forward = within(manager.get_forward_path_key("documents")).await;
        assert_eq!(forward.expect("it answers").expose(), b"value_1");
        within(manager.resume(id)).await.expect("it is taken up");
        let report = within(manager.wait(id)).await.expect("it settles");
        assert_eq!(report.state, RotationState::Completed);
        assert_eq!(
            (story.lines().len(), again.lines()),
            (2, vec!["old_1 new_1".to_owned()])
        );
        // What is held is another pair than its old keys, which its end supersedes alone.
        let facts = manager.status().await.expect("a status").keys[0].facts;
        assert!(facts.holds && !facts.superseded, "{facts:?}");
    }
}
