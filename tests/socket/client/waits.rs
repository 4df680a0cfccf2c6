//! How long a client waits, on which threads, and what a future that is dropped does.

use std::fs;
use std::time::{Duration, Instant};

use keyward::{Change, Client, KeyChange, SecretKeyDefinition, block_on};

use crate::client::at;
use crate::ground::Ground;
use crate::support::alone::alone_async;
use crate::support::{Gate, define, in_memory, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_future_is_dropped_is_cancelled_at_the_keeper() {
    let keys = in_memory().await;
    let gate = Gate::default();
    let waits = gate.clone();
    let store = move || {
        let waits = waits.clone();
        async move {
            waits.pass().await;
            "value"
        }
    };
    define(&keys, SecretKeyDefinition::round_trip("slow", store)).await;
    let ground = Ground::serve(keys, |options| options).await;
    let client = at(&ground.path()).await;
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.get_forward_path_key("slow").await }
    });
    let waiting = async || ground.keys.status().await.unwrap().keys[0].facts.waiting;
    until("it is asked", async || waiting().await == 1).await;
    asked.abort();
    until("it is asked no more", async || waiting().await == 0).await;
    gate.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_does_not_answer_is_waited_for_as_long_as_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    // It takes connections, and never reads.
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let limit = Duration::from_millis(300);
    let client = Client::builder().socket(&socket).request_time_limit(limit);
    let client = client.connect().await.unwrap();
    let begun = Instant::now();
    let error = within(client.get_key("documents")).await.unwrap_err();
    assert_eq!((error.code(), error.is_retriable()), ("timed_out", true));
    assert!(begun.elapsed() >= limit);
}

#[test]
fn blocking_calls_work_on_any_thread_with_no_runtime_and_in_blocking_callbacks() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ground = runtime.block_on(Ground::new());
    let client = block_on(Client::at(ground.path())).unwrap();
    let worker = block_on(client.join("anna")).unwrap();
    let asks = client.clone();
    let callback = move |change: KeyChange| -> Result<(), keyward::KeyError> {
        block_on(asks.get_key("token"))?;
        drop(change);
        Ok(())
    };
    block_on(worker.register_on_change("documents", "asks", callback)).unwrap();
    block_on(worker.ready()).unwrap();
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let report = block_on(worker.key_changed(change)).unwrap();
    assert_eq!(report.state, keyward::RotationState::Completed, "{report}");
    // In a runtime of one thread, which a blocking call holds up.
    let single = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    single.block_on(async {
        block_on(worker.get_key("documents")).unwrap();
        worker.get_key("documents").await.unwrap();
    });
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task")
        .expect("the threads of this process")
        .count()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd")
        .expect("the descriptors of this process")
        .count()
}

#[test]
fn clients_and_workers_that_are_dropped_leave_no_thread_and_no_descriptor() {
    alone_async(
        clients_and_workers_that_are_dropped_leave_no_thread_and_no_descriptor,
        async {
            let ground = Ground::new().await;
            let one = async || {
                let client = at(&ground.path()).await;
                client.get_key("documents").await.unwrap();
                let worker = client.join("anna").await.unwrap();
                worker.ready().await.unwrap();
                worker.leave().await.unwrap();
            };
            one().await;
            let before = (threads(), descriptors());
            for _ in 0..20 {
                one().await;
            }
            until("all that they had is gone", async || {
                threads() <= before.0 && descriptors() <= before.1
            })
            .await;
        },
    );
}
