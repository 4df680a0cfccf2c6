//! A burst of commands: so many at once and no more, within few descriptors.

use std::fs;
use std::time::Duration;

use keyward::store::command::CommandStore;
use keyward::{KeysManagement, MemoryRepo, SecretKeyDefinition};

use crate::support::alone::{again_after, passes};

const BURST: usize = 400;

const TOLD: &str = "KEYWARD_TEST_BURST";

/// Asks for 400 keys at once, in a process of its own with 1,024 descriptors.
#[test]
fn four_hundred_commands_at_once_run_64_at_a_time_within_1024_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut process = again_after("ulimit -n 1024", asks_for_400_keys);
    process.env(TOLD, &log);
    let said = passes(process);
    assert!(said.contains("answered: 400"), "{said}");
    let (mut at_once, mut most) = (0_usize, 0);
    for line in fs::read_to_string(&log).unwrap().lines() {
        match line {
            "begins" => at_once += 1,
            _ => at_once -= 1,
        }
        most = most.max(at_once);
    }
    assert!(most > 8 && most <= 64, "{most} ran at once");
}

#[test]
#[ignore = "run by its parent test only"]
fn asks_for_400_keys() {
    let log = std::env::var(TOLD).expect("run by its parent test only");
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let builder = KeysManagement::builder().state_repo(MemoryRepo::new());
        let builder = builder.master_key(|| "a master key for tests: 32 bytes or more");
        let manager = builder.start().await.unwrap();
        let long = Duration::from_secs(120);
        let script = format!("echo begins >> {log}; sleep 0.2; echo ends >> {log}; echo key");
        for no in 0..BURST {
            let store = CommandStore::new("sh").args(["-c", script.as_str()]);
            let key = SecretKeyDefinition::one_way(format!("command {no}"), store.time_limit(long));
            let key = key.store_time_limit(long).request_time_limit(long);
            manager.define_key(key).await.unwrap();
        }
        let asked = (0..BURST).map(|no| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.get_key(&format!("command {no}")).await })
        });
        let mut answered = 0;
        for answer in asked.collect::<Vec<_>>() {
            match answer.await.unwrap() {
                Ok(key) => answered += usize::from(key.expose() == b"key"),
                Err(error) => println!("{error}"),
            }
        }
        println!("answered: {answered}");
        manager.shutdown().await.unwrap();
    });
}
