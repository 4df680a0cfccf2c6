//! Writes that fail again and again, of any kind and at any moment, while three keys rotate: each
//! callback is called once for each rotation, and all of them complete.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use keyward::repo::space::Space;
use keyward::{Change, Effect, KeyChange, KeysManagement, RotationId, RotationState, Worker};
use uuid::Uuid;

use crate::faults::ground::{Ground, goes_on, recorded, reopening, stated};
use crate::support::faulty::{Fault, FaultyRepo};
use crate::support::{define, until, within};

const KEYS: [&str; 3] = ["documents", "letters", "parcels"];
const WORKERS: [&str; 2] = ["w0", "w1"];
const ROTATIONS: u128 = 4;
const FAULTS: u64 = 12;
const SEEDS: u64 = 30;

/// How often each worker was called for each rotation.
type Calls = Arc<Mutex<BTreeMap<(RotationId, String), u32>>>;

/// A sequence of numbers (SplitMix64) below a bound.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn value(no: u128) -> String {
    format!("value_{no}")
}

async fn register(worker: &Worker, key: &str, calls: &Calls) {
    let (calls, name) = (Arc::clone(calls), worker.name().to_owned());
    let call = move |change: KeyChange| {
        let place = (change.key.rotation_id(), name.clone());
        *calls.lock().expect("no panic").entry(place).or_default() += 1;
        async move {
            tokio::task::yield_now().await;
            Effect::Reencrypted
        }
    };
    let registered = worker.register_on_change(key, "call", call).await;
    registered.expect("it registers");
}

/// Lets write after write fail, until so many have, or the rotations are over.
async fn sabotage(seed: u64, repo: &FaultyRepo, manager: &KeysManagement, came: &Cell<u32>) {
    let mut chance = Chance(seed);
    let faults = Fault::unknown();
    for _ in 0..FAULTS {
        let (fault, _) = &faults[chance.below(5) as usize];
        let space = [Space::Rotations, Space::States][chance.below(2) as usize];
        repo.reopening_fails(chance.below(3) as u32);
        repo.later_write(space, chance.below(6) as u32, fault.clone());
        until("the fault comes", async || repo.is_done()).await;
        came.set(came.get() + 1);
        goes_on(manager).await;
    }
}

/// Takes a key through its rotations, and declares again what is unknown.
async fn rotate(key: &str, manager: &KeysManagement) {
    for no in 1..=ROTATIONS {
        let id = Uuid::from_u128(u128::from(key.as_bytes()[0]) << 64 | no);
        let change = Change::of(key).old(value(no)).new_keys(value(no + 1));
        let id = loop {
            match within(manager.declare(change.clone().id(id))).await {
                Ok(id) => break id,
                Err(error) => assert!(error.is_retriable(), "{error}"),
            }
            goes_on(manager).await;
        };
        let report = loop {
            match within(manager.wait(id)).await {
                Ok(report) => break report,
                // It has ended already, and the history cannot be looked into.
                Err(error) => assert_eq!(error.code(), "repo_unavailable"),
            }
            goes_on(manager).await;
        };
        assert_eq!(report.state, RotationState::Completed);
        // A call whose InProgress was unknown, and was made, was not called for that attempt.
        assert!(report.steps.iter().all(|s| s.crashes == 0), "{report:?}");
    }
}

/// Lives once; answers how many faults came.
async fn story(seed: u64, ground: Ground) -> u32 {
    let repo = ground.repo();
    let often = reopening().reopen_every(Duration::from_millis(5));
    let manager = often.state_repo(repo.clone()).start().await;
    let manager = manager.expect("it starts");
    let calls = Calls::default();
    let mut workers = Vec::new();
    for name in WORKERS {
        workers.push(manager.join(name).await.expect("it joins"));
    }
    for key in KEYS {
        define(&manager, stated(key).workers_at_once(2)).await;
        let forward = manager.get_forward_path_key(key).await;
        drop(forward.expect("a key"));
        manager.save_state(key).await.expect("it is saved");
        for worker in &workers {
            register(worker, key, &calls).await;
        }
    }
    let rotating = join_all(KEYS.map(|key| rotate(key, &manager)));
    let came = Cell::new(0);
    let sabotaging = async {
        sabotage(seed, &repo, &manager, &came).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = rotating => {}
        () = sabotaging => {}
    }
    goes_on(&manager).await;
    within(manager.shutdown()).await.expect("it shuts down");
    let calls = calls.lock().expect("no panic").clone();
    assert_eq!(calls.len(), 3 * 2 * ROTATIONS as usize);
    assert!(calls.values().all(|called| *called == 1), "{calls:?}");
    for key in KEYS {
        assert_eq!(recorded(&ground, key).await, value(ROTATIONS + 1));
    }
    came.get()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_fail_again_and_again_lose_and_repeat_nothing() {
    let mut faults = 0;
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let [memory, folder] = Ground::both();
        let ground = if seed % 10 == 0 { folder } else { memory };
        faults += story(seed, ground).await;
    }
    println!("faults under running rotations: {faults}");
    assert!(faults >= 5 * SEEDS as u32, "only {faults} faults came");
}
