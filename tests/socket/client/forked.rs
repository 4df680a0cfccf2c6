//! `fork()` in a process that has connected to the keeper: the child is told where to connect instead, can
//! do that, and harms no one.

use std::process::exit;
use std::time::{Duration, Instant};

use keyward::{Client, Worker, block_on};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::ground::Ground;
use crate::support::alone::alone;

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
