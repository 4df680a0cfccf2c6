//! `fork()` in the keeper's process: its child has no part in the socket nor in a connection, however long it lives.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use keyward::ServeOptions;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::ground::{Client, Ground};
use crate::support::alone::alone_async;
use crate::support::{LIMIT, until, within};

/// A child that does nothing until this is dropped.
struct Child(Pid);

impl Drop for Child {
    fn drop(&mut self) {
        kill_process(self.0, Signal::KILL).unwrap();
        waitpid(Some(self.0), WaitOptions::empty()).unwrap();
    }
}

#[expect(unsafe_code, reason = "this is what is tested")]
fn forked() -> Child {
    // SAFETY: the child only waits.
    match unsafe { libc::fork() } {
        0 => loop {
            // SAFETY: it may be called at any time.
            unsafe { libc::pause() };
        },
        child => Child(Pid::from_raw(child).expect("a child")),
    }
}

/// The sockets of this path that a process has, by their inodes: what listens, and what has connected to it.
fn sockets(process: &str, path: &Path) -> BTreeSet<String> {
    let known = fs::read_to_string("/proc/net/unix").unwrap();
    let path = path.to_str().unwrap();
    let inodes: BTreeSet<String> = known
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.get(7) == Some(&path))
        .map(|words| format!("socket:[{}]", words[6]))
        .collect();
    let open = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .map(|link| link.to_string_lossy().into_owned())
        .filter(|link| inodes.contains(link))
        .collect()
}

#[test]
fn a_child_that_the_keeper_forked_has_no_part_in_its_socket_nor_in_a_connection() {
    alone_async(
        a_child_that_the_keeper_forked_has_no_part_in_its_socket_nor_in_a_connection,
        async {
            let ground = Ground::new().await;
            let mut client = ground.client().await;
            client.get("documents").await.unwrap();
            let path = ground.path();
            // It is bound under another name, which is what the system goes on to call it.
            let bound = fs::read_to_string("/proc/net/unix").unwrap();
            let ours = format!(".keyward-{}-", std::process::id());
            let name = bound.split_whitespace().find(|word| word.contains(&ours));
            let name = name.expect("it listens").to_owned();
            assert!(sockets("self", Path::new(&name)).len() >= 2, "{bound}");
            let mut idle = ground.connect();
            client.get("documents").await.unwrap();
            let child = forked();
            let process = child.0.as_raw_pid().to_string();
            until("the child has closed them", async || {
                sockets(&process, Path::new(&name)).is_empty()
            })
            .await;
            // Its connections end with the service though the child lives, and the path can be served again.
            client.get("documents").await.unwrap();
            within(ground.serving.stop()).await;
            let ended = tokio::task::spawn_blocking(move || {
                idle.set_nonblocking(false).unwrap();
                idle.set_read_timeout(Some(LIMIT)).unwrap();
                let mut rest = Vec::new();
                idle.read_to_end(&mut rest)
            });
            within(ended).await.unwrap().expect("it has ended");
            assert!(!path.exists());
            let again = ground.keys.serve(ServeOptions::at(&path)).await.unwrap();
            let mut client = Client::over(ground.connect()).await;
            client.get("documents").await.unwrap();
            within(again.stop()).await;
            drop(child);
        },
    );
}
