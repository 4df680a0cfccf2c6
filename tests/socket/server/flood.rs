//! More of everything than is taken, all at once.

use std::fs;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::ground::Ground;
use crate::support::alone::alone_async;
use crate::support::within;

/// The descriptors of this process.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The memory of this process, in bytes.
fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

fn connections() -> usize {
    let wanted = std::env::var("KEYWARD_CONNECTIONS").ok();
    wanted
        .and_then(|wanted| wanted.parse().ok())
        .unwrap_or(10_000)
}

#[test]
fn ten_thousand_connections_stay_within_the_bounds_and_others_are_answered_meanwhile() {
    alone_async(
        ten_thousand_connections_stay_within_the_bounds_and_others_are_answered_meanwhile,
        async {
            let ground = Ground::new().await;
            let mut client = ground.client().await;
            client.get("documents").await.unwrap();
            let (before, bytes) = (descriptors(), memory());
            let path = ground.path();
            let all = connections();
            // In batches, so that this process's own descriptors are not what is counted.
            let flood = tokio::task::spawn_blocking(move || {
                let mut made = 0;
                while made < all {
                    let batch: Vec<_> = (0..500)
                        .filter_map(|_| UnixStream::connect(&path).ok())
                        .collect();
                    made += 500;
                    std::thread::sleep(Duration::from_millis(10));
                    drop(batch);
                }
            });
            let mut slowest = Duration::ZERO;
            let (mut most, mut largest) = (0, 0);
            while !flood.is_finished() {
                let begun = Instant::now();
                within(client.get("documents")).await.unwrap();
                slowest = slowest.max(begun.elapsed());
                most = most.max(descriptors());
                largest = largest.max(memory());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            flood.await.unwrap();
            println!(
                "connections: {all}; slowest other: {slowest:?}; descriptors: {before} to {most}; memory: {} KiB more",
                largest.saturating_sub(bytes) / 1_024
            );
            // A batch here, at most as many there with a descriptor each of their process, and some.
            assert!(most <= before + 500 + 2 * 1_024 + 200, "{before} to {most}");
            assert!(largest - bytes < 128 << 20, "{bytes} to {largest}");
            assert!(slowest < Duration::from_secs(10), "{slowest:?}");
        },
    );
}

#[test]
fn as_many_idle_connections_as_may_be_take_little_memory_each() {
    alone_async(
        as_many_idle_connections_as_may_be_take_little_memory_each,
        async {
            let ground = Ground::new().await;
            let mut held = Vec::new();
            let mut first = ground.client().await;
            first.get("documents").await.unwrap();
            let before = memory();
            for _ in 0..400 {
                let mut client = ground.client().await;
                client.get("documents").await.unwrap();
                held.push(client);
            }
            let each = memory().saturating_sub(before) / held.len();
            println!("an idle connection, with its client in the same process: {each} bytes");
            assert!(each < 128 << 10, "{each}");
            first.get("documents").await.unwrap();
        },
    );
}
