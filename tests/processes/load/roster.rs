//! Floods of joining and registering.

use keyward::worker::callback::KeyChange;
use keyward::{Change, KeysManagement, RotationState};

use crate::load::clients::{CLIENTS, Clients, done, tally};
use crate::load::source::{SlowRepo, Source};
use crate::support::{builder, define, in_memory, on, within};

async fn register(manager: &KeysManagement, worker: &str, callbacks: usize) -> String {
    let joined = manager.join(worker).await;
    let Ok(worker) = joined else {
        return done(&joined).to_owned();
    };
    for callback in 0..callbacks {
        let name = format!("callback {callback}");
        let call = async |_: KeyChange| {};
        let registered = worker.register_on_change("documents", &name, call).await;
        if registered.is_err() {
            return done(&registered).to_owned();
        }
    }
    // It lives on.
    std::mem::forget(worker);
    "ok".to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_workers_that_join_at_once_on_a_slow_repo_each_is_on_the_roster() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    define(&manager, Source::default().round_trip("documents")).await;
    repo.hang();
    let asked = manager.clone();
    let mut clients = Clients::tasks(1, move |client| {
        let manager = asked.clone();
        async move { register(&manager, &format!("worker {client}"), 4).await }
    });
    repo.gate().arrived(1).await;
    repo.go_on();
    assert_eq!(clients.end(CLIENTS).await, tally([("ok", CLIENTS)]));
    let workers = manager.status().await.expect("it lives").workers;
    assert_eq!(workers.len(), CLIENTS + 1, "they and `main`");
    let report = within(manager.key_changed(Change::of("documents"))).await;
    let report = report.expect("it ends");
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(report.steps.len(), CLIENTS * 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_workers_that_join_under_one_name_one_has_it() {
    let manager = in_memory().await;
    define(&manager, Source::default().round_trip("documents")).await;
    let asked = manager.clone();
    let mut clients = Clients::tasks(1, move |_| {
        let manager = asked.clone();
        async move { register(&manager, "the one", 1).await }
    });
    let told = [("ok", 1), ("worker_name_taken", CLIENTS - 1)];
    assert_eq!(clients.end(CLIENTS).await, tally(told));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_callbacks_that_one_worker_registers_at_once_no_more_than_the_bound_are_taken() {
    let repo = SlowRepo::default();
    let limited = builder().max_callbacks(8).state_repo(repo).start().await;
    let manager = limited.expect("it starts");
    define(&manager, Source::default().round_trip("documents")).await;
    let asked = manager.clone();
    let mut clients = Clients::tasks(1, move |client| {
        let manager = asked.clone();
        async move {
            let (name, call) = (format!("callback {client}"), async |_: KeyChange| {});
            done(&manager.register_on_change("documents", &name, call).await).to_owned()
        }
    });
    let told = [("ok", 8), ("too_many_callbacks", CLIENTS - 8)];
    assert_eq!(clients.end(CLIENTS).await, tally(told));
    let report = within(manager.key_changed(Change::of("documents"))).await;
    assert_eq!(report.expect("it ends").steps.len(), 8);
}
