//! The death of a key's actor.

use futures_util::future::join_all;
use keyward::{Change, RotationState, SecretKeyFlow};

use crate::supervision::{actor, key, kill};
use crate::support::{Gate, until, within};
use crate::world::{Disk, Source, back, facts, forward, text, with};

#[tokio::test]
async fn the_held_pair_and_the_flow_of_a_key_outlive_its_actor() {
    let source = Source::new("value_1");
    let manager = with(source.documents()).await;
    assert_eq!(forward(&manager).await, "value_1");
    source.set("value_2");
    kill(&manager, &key("documents")).await;
    let known = facts(&manager).await.facts;
    assert_eq!(known.last_flow, Some(SecretKeyFlow::ForwardPath));
    assert!(known.holds);
    assert_eq!(text(manager.get_key("documents").await), "value_1");
    assert_eq!(source.calls(), 1, "the store was asked again");
}

#[tokio::test]
async fn requests_that_wait_when_a_keys_actor_dies_are_carried_over() {
    let gate = Gate::default();
    let passed = gate.clone();
    let store = move || {
        passed.pass_blocking();
        "value_1"
    };
    let manager = with(keyward::SecretKeyDefinition::round_trip("documents", store)).await;
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move { forward(&manager).await })
        })
        .collect();
    until("they wait", async || {
        facts(&manager).await.facts.waiting == 8
    })
    .await;
    kill(&manager, &key("documents")).await;
    assert_eq!(facts(&manager).await.facts.waiting, 8);
    gate.open();
    for asked in asked {
        assert_eq!(within(asked).await.unwrap(), "value_1");
    }
}

#[tokio::test]
async fn gets_that_an_actor_had_taken_when_it_died_are_answered_by_the_next() {
    let mut all_answered = 0;
    for fault_point in 1..=60 {
        let source = Source::new("value_1");
        let manager = with(source.documents()).await;
        assert_eq!(forward(&manager).await, "value_1");
        assert!(manager.kill_actor(&key("documents"), fault_point));
        let answers = within(join_all((0..64).map(|_| back(&manager)))).await;
        assert_eq!(actor(&manager, &key("documents")).await.restarts, 1);
        // Only the caller of the step in which it died may have to ask again.
        let mut refused = answers.iter().filter(|answer| *answer != "value_1");
        assert!(refused.next().is_none_or(|answer| answer == "unavailable"));
        assert_eq!(refused.next(), None, "at point {fault_point}");
        all_answered += u64::from(answers.iter().all(|answer| answer == "value_1"));
    }
    // It dies before a message, in its step, and before and in the answer.
    assert!(
        all_answered >= 20,
        "only {all_answered} times all had an answer"
    );
}

#[tokio::test]
async fn a_request_times_out_on_time_though_its_actor_died() {
    let gate = Gate::default();
    let passed = gate.clone();
    let store = move || {
        let passed = passed.clone();
        async move {
            passed.pass().await;
            "value_1"
        }
    };
    let definition = keyward::SecretKeyDefinition::round_trip("documents", store)
        .request_time_limit(crate::support::SHORT);
    let manager = with(definition).await;
    let asked = tokio::spawn({
        let manager = manager.clone();
        async move { forward(&manager).await }
    });
    gate.arrived(1).await;
    kill(&manager, &key("documents")).await;
    assert_eq!(within(asked).await.unwrap(), "timed_out");
}

/// What one key does from the request to the record: fetches, loads, looks, writes, and what rotations
/// want of it.
struct Told {
    disk: Disk,
    source: Source,
    stays: bool,
}

impl Told {
    fn definition(&self) -> keyward::SecretKeyDefinition {
        let definition = self.source.documents().stateless(false);
        definition.keep_in_cache(self.stays)
    }

    /// A life that leaves a record.
    async fn first_life(stays: bool) -> Self {
        let (disk, source) = (Disk::default(), Source::new("value_0"));
        let told = Self {
            disk,
            source,
            stays,
        };
        let manager = told.disk.life_with(told.definition()).await;
        forward(&manager).await;
        manager.save_state("documents").await.unwrap();
        within(manager.shutdown()).await.unwrap();
        told
    }

    /// A life at whose point of this number the actor is killed: what is seen must be the same, or an
    /// error after which asking again is right. Answers whether it was killed.
    async fn second_life(&self, fault_point: u64) -> bool {
        let manager = self.disk.life_with(self.definition()).await;
        let reads = |change: keyward::KeyChange| async move {
            // What the record of the first life says.
            let flow = change.key.last_flow()?;
            assert_eq!(flow, Some(SecretKeyFlow::ForwardPath));
            change.key.save_state().await?;
            Ok::<_, keyward::KeyError>(keyward::Effect::Reencrypted)
        };
        manager
            .register_on_change("documents", "callback", reads)
            .await
            .unwrap();
        assert!(manager.kill_actor(&key("documents"), fault_point));
        let change = || Change::of("documents").old("value_0").new_keys("value_1");
        let mut report = within(manager.key_changed(change())).await.unwrap();
        while report.state == RotationState::Stopped {
            // The staged save was of a request that died with the actor.
            let error = report.steps[0].error.clone().unwrap_or_default();
            assert!(error.contains("ask again"), "{error}");
            report = resumed(&manager, report.id).await;
        }
        assert_eq!(report.state, RotationState::Completed);
        assert_eq!(again(|| back(&manager)).await, "value_1");
        self.source.set("value_1");
        within(save(&manager)).await;
        assert_eq!(again(|| forward(&manager)).await, "value_1");
        within(save(&manager)).await;
        let any = || async { text(within(manager.get_key("documents")).await) };
        assert_eq!(again(any).await, "value_1");
        let died = actor(&manager, &key("documents")).await.restarts == 1;
        within(manager.shutdown()).await.unwrap();
        let manager = self.disk.life_with(self.definition()).await;
        assert_eq!(back(&manager).await, "value_1");
        within(manager.shutdown()).await.unwrap();
        died
    }
}

async fn resumed(
    manager: &keyward::KeysManagement,
    id: keyward::RotationId,
) -> keyward::RotationReport {
    within(manager.resume(id)).await.unwrap();
    within(manager.wait(id)).await.unwrap()
}

#[tokio::test]
async fn a_keys_actor_that_dies_at_any_point_of_a_load_look_or_save_leaves_nothing_under_way() {
    for stays in [true, false] {
        let mut points = 0;
        while Told::first_life(stays).await.second_life(points + 1).await {
            points += 1;
        }
        assert!(points >= 40, "only {points} points");
    }
}

/// A story of one key, at whose points its actor is killed: what is seen must be the same, or an
/// error after which asking again is right.
async fn story(fault_point: u64) -> bool {
    let disk = Disk::default();
    let source = Source::new("value_1");
    let manager = disk.life_with(source.documents().stateless(false)).await;
    let call = |_: keyward::KeyChange| keyward::Effect::Reencrypted;
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    assert!(manager.kill_actor(&key("documents"), fault_point));
    assert_eq!(again(|| forward(&manager)).await, "value_1");
    within(save(&manager)).await;
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let report = within(manager.key_changed(change)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(report.steps[0].attempt, 1, "called twice");
    assert_eq!(again(|| back(&manager)).await, "value_2");
    source.set("value_2");
    assert_eq!(again(|| forward(&manager)).await, "value_2");
    let died = actor(&manager, &key("documents")).await.restarts == 1;
    within(manager.shutdown()).await.unwrap();
    // The next life finds the record of the effect, or of a later save.
    let manager = disk.life_with(source.documents().stateless(false)).await;
    assert_eq!(back(&manager).await, "value_2");
    died
}

async fn again<F: Future<Output = String>>(ask: impl Fn() -> F) -> String {
    loop {
        let answer = ask().await;
        if answer != "unavailable" {
            return answer;
        }
    }
}

async fn save(manager: &keyward::KeysManagement) {
    loop {
        match manager.save_state("documents").await {
            Ok(()) => return,
            Err(error) => assert_eq!(error.code(), "unavailable"),
        }
    }
}

#[tokio::test]
async fn a_keys_actor_that_dies_at_any_point_of_a_change_loses_nothing_and_repeats_nothing() {
    let mut points = 0;
    while story(points + 1).await {
        points += 1;
    }
    assert!(points >= 15, "only {points} points");
}
