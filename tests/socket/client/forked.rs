//! `fork()` in a process that has connected to the keeper: the child is told where to connect instead, can
//! do that, and harms no one.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyward::{Change, Client, Effect, KeyChange, RotationState, Worker, block_on};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::ground::Ground;
use crate::support::alone::alone;
use crate::support::{change, within};

/// A child that is not done by then hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Forks; answers how the child ended.
#[expect(unsafe_code, reason = "this is what is tested")]
fn forked(in_child: impl FnOnce() -> i32) -> Option<i32> {
    // SAFETY: what the child does is what a program may do with keyward, which is tested here.
    let child = match unsafe { libc::fork() } {
        0 => exit(in_child()),
        child => Pid::from_raw(child).expect("a child"),
    };
    let begun = Instant::now();
    loop {
        match waitpid(Some(child), WaitOptions::NOHANG).expect("a child") {
            Some((_, status)) => return status.exit_status(),
            None if begun.elapsed() > LIMIT => {
                kill_process(child, Signal::KILL).expect("it hangs");
                panic!("the child hangs");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// What a child of a client's process sees; the number of what is wrong.
fn child(client: &Client, worker: &Worker) -> i32 {
    let told = |error: String| error.contains("connect anew in the child, with Client::at(");
    let of_client = block_on(client.get_key("documents")).expect_err("it is the parent's");
    if of_client.code() != "forked" || !told(of_client.to_string()) {
        return 2;
    }
    let of_worker = block_on(worker.get_key("documents")).expect_err("it is the parent's");
    if of_worker.code() != "forked" || block_on(worker.ready()).is_ok() {
        return 3;
    }
    if block_on(client.join("late"))
        .err()
        .map(|error| error.code())
        != Some("forked")
    {
        return 4;
    }
    let path = of_client.to_string();
    let path = path.split('"').nth(1).unwrap_or_default();
    let Ok(own) = block_on(Client::at(path)) else {
        return 5;
    };
    let Ok(child) = block_on(own.join("child")) else {
        return 6;
    };
    match block_on(child.get_key("documents")) {
        Ok(_) => 0,
        Err(_) => 7,
    }
}

#[test]
fn in_a_child_every_call_is_forked_and_says_where_to_connect_which_it_can() {
    alone(
        in_a_child_every_call_is_forked_and_says_where_to_connect_which_it_can,
        || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let ground = runtime.block_on(Ground::new());
            let client = block_on(Client::at(ground.path())).unwrap();
            let worker = block_on(client.join("anna")).unwrap();
            block_on(worker.ready()).unwrap();
            let of_child = (client.clone(), worker);
            let ended = forked(|| child(&of_child.0, &of_child.1));
            assert_eq!(ended, Some(0));
            // The child has dropped its copies, and ended.
            block_on(of_child.1.get_key("documents")).unwrap();
            block_on(of_child.1.leave()).unwrap();
        },
    );
}

/// Forks where other threads run: the child ends without what the program registered for its end.
#[expect(unsafe_code, reason = "this is what is tested")]
fn forked_in_a_callback(in_child: impl FnOnce() -> i32) -> Option<i32> {
    forked(|| {
        let code = in_child();
        // SAFETY: it returns to nothing.
        unsafe { libc::_exit(code) }
    })
}

#[test]
fn a_fork_inside_a_callback_harms_no_call_and_the_childs_calls_are_forked() {
    alone(
        a_fork_inside_a_callback_harms_no_call_and_the_childs_calls_are_forked,
        || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let ground = Ground::new().await;
                let client = Client::at(ground.path()).await.unwrap();
                let worker = client.join("anna").await.unwrap();
                let (of_child, calls) = (client.clone(), Arc::<AtomicUsize>::default());
                let called = Arc::clone(&calls);
                let forks = move |change: KeyChange| {
                    called.fetch_add(1, Ordering::SeqCst);
                    let code = forked_in_a_callback(|| {
                        let client =
                            block_on(of_child.get_key("documents")).map_err(|error| error.code());
                        let declared = change
                            .key
                            .declare(Change::of("documents").new_keys("value_3"));
                        let declared = block_on(declared).map_err(|error| error.code());
                        let told = [client.map(drop).err(), declared.map(drop).err()];
                        i32::from(told != [Some("forked"), Some("forked")])
                    });
                    match code {
                        Some(0) => Ok(Effect::Reencrypted),
                        other => Err(format!("the child ended with {other:?}")),
                    }
                };
                worker
                    .register_on_change("documents", "reencrypt", forks)
                    .await
                    .unwrap();
                worker.ready().await.unwrap();
                let report = within(ground.keys.key_changed(change())).await.unwrap();
                assert_eq!(report.state, RotationState::Completed, "{report}");
                assert_eq!(calls.load(Ordering::SeqCst), 1);
                // The parent goes on.
                within(worker.get_forward_path_key("documents"))
                    .await
                    .unwrap();
                within(worker.leave()).await.unwrap();
            });
        },
    );
}
