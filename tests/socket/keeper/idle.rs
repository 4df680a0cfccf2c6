//! What a keeper keeps of connections that do nothing.

use keyward::{Client, Join, Worker};

use super::process::{Folder, START};
use crate::support::within;

/// So many connections are counted after those that pay for what all share.
const FIRST: usize = 30;
const COUNTED: usize = 200;

async fn joined(client: &Client, name: String) -> Worker {
    let worker = within(client.join(Join::sole(&name))).await.unwrap();
    for key in ["one", "two", "three"] {
        let registered = worker.register_on_change(key, "c", |_| async {});
        within(registered).await.unwrap();
    }
    within(worker.ready()).await.unwrap();
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_with_a_worker_and_three_callbacks_takes_no_more_than_64_kib() {
    let folder = Folder::new("");
    let keys = ["one", "two", "three"];
    let keys = keys.map(|key| format!("[keys.{key}]\nstore.file = \"documents.key\"\n"));
    folder.write(&format!("{START}{}", keys.concat()));
    let keeper = folder.serve();
    let client = within(Client::at(folder.socket())).await.unwrap();
    let mut workers = Vec::new();
    let mut before = 0;
    for no in 0..FIRST + COUNTED {
        if no == FIRST {
            before = keeper.resident();
        }
        workers.push(joined(&client, format!("worker-{no}")).await);
    }
    let each = keeper.resident().saturating_sub(before) / COUNTED;
    println!("an idle connection with a worker and 3 callbacks: {each} bytes");
    assert!(each <= 64 << 10, "{each}");
    keeper.stop();
}
