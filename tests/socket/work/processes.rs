//! Processes that end: by the kernel's word, and by nothing else.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keyward::wire::generated::{CallbackKind, Join};
use keyward::{CallbackStatus, RotationState};
use rustix::process::{Pid, Signal, kill_process};

use crate::ground::{Client, Ground, code};
use crate::support::alone::{again, ended};
use crate::support::{change, step, until, within};
use crate::work::peer::{Peer, shared, sole};

const SOCKET: &str = "KEYWARD_TEST_SOCKET";
const DOES: &str = "KEYWARD_TEST_DOES";
const NUMBER: &str = "KEYWARD_TEST_NUMBER";

/// The worker's process: it does what the environment says.
#[test]
#[ignore = "it is started by the tests beside it"]
fn worker() {
    let Some(socket) = env::var_os(SOCKET) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .unwrap()
        .block_on(work(PathBuf::from(socket), &env::var(DOES).unwrap()));
}

async fn work(socket: PathBuf, does: &str) {
    let stream = || std::os::unix::net::UnixStream::connect(&socket).unwrap();
    if does == "take another's number" {
        // A keeper may be about to start.
        until("a keeper listens", async || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        })
        .await;
        let instance = env::var(NUMBER).unwrap().parse().unwrap();
        let join = Join {
            instance,
            ..sole("anna")
        };
        let refused = Peer::join_over(Client::over(stream()).await, join).await;
        assert_eq!(code(refused.map(drop)), "unknown_instance");
        return;
    }
    if does == "die when it is caught up" {
        let mut web = Peer::join_over(Client::over(stream()).await, shared("web"))
            .await
            .unwrap();
        web.send_register("load", CallbackKind::Memory);
        let catches_up = web.call().await;
        assert_eq!(catches_up.call.unwrap().attempt, 0);
        die();
    }
    let mut anna = Peer::join_over(Client::over(stream()).await, sole("anna"))
        .await
        .unwrap();
    anna.register("reencrypt", CallbackKind::Data)
        .await
        .unwrap();
    anna.is_ready().await;
    let call = anna.call().await;
    if does.starts_with("hang and") {
        keep_in_a_child();
    }
    println!("called");
    match does {
        "hang" | "hang and leave a child that keeps the socket" => std::future::pending().await,
        "answer and die" => {
            anna.succeed(&call);
            // It is in the socket's buffer once the runtime has nothing left to do.
            tokio::time::sleep(Duration::from_millis(100)).await;
            die();
        }
        "leave a child that keeps the socket" => {
            keep_in_a_child();
            die();
        }
        other => panic!("{other}"),
    }
}

fn die() -> ! {
    kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
    loop {
        std::thread::park();
    }
}

#[expect(unsafe_code, reason = "this is what is tested")]
fn keep_in_a_child() {
    // SAFETY: the child only sleeps.
    if unsafe { libc::fork() } == 0 {
        std::thread::sleep(Duration::from_secs(30));
        std::process::exit(0);
    }
}

/// A process that tries to be this instance of anna.
pub fn start_as(socket: &Path, number: u64) -> Command {
    let mut command: Command = again(worker);
    command
        .env(SOCKET, socket)
        .env(DOES, "take another's number")
        .env(NUMBER, number.to_string())
        .stdin(Stdio::null());
    command
}

fn start(ground: &Ground, does: &str) -> Child {
    start_at(&ground.path(), does)
}

/// A worker's process at this socket.
pub fn start_at(socket: &Path, does: &str) -> Child {
    let mut command: Command = again(worker);
    command.env(SOCKET, socket).env(DOES, does);
    command.stdout(Stdio::piped()).stdin(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until a worker's process says that its callback was called.
pub async fn called_in(worker: &mut Child) {
    let said = BufReader::new(worker.stdout.take().unwrap());
    let called = move || said.lines().any(|line| line.unwrap() == "called");
    assert!(within(tokio::task::spawn_blocking(called)).await.unwrap());
}

async fn on_the_roster(ground: &Ground) {
    until("anna has joined", async || {
        let status = ground.keys.status().await.unwrap();
        let mut workers = status.workers.iter().filter(|worker| worker.alive);
        workers.any(|worker| worker.callbacks.iter().any(|callback| callback.registered))
    })
    .await;
}

fn kill(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_in_its_call_is_lost_and_the_next_one_is_called() {
    let ground = Ground::new().await;
    let mut first = start(&ground, "hang");
    on_the_roster(&ground).await;
    let id = ground.keys.declare(change()).await.unwrap();
    called_in(&mut first).await;
    let taken = Peer::join(&ground, sole("anna")).await.map(drop);
    assert_eq!(code(taken), "worker_name_taken");
    kill(&first, Signal::KILL);
    // It is not waited for: a zombie has ended too.
    let mut next = None;
    until("the name is free", async || {
        next = Peer::join(&ground, sole("anna")).await.ok();
        next.is_some()
    })
    .await;
    let mut next = next.unwrap();
    next.register("reencrypt", CallbackKind::Data)
        .await
        .unwrap();
    next.is_ready().await;
    let call = next.call().await;
    next.succeed(&call);
    let report = within(ground.keys.wait(id)).await.unwrap();
    let step = step(&report, "anna", "reencrypt");
    assert_eq!((step.status, step.attempt), (CallbackStatus::Succeeded, 2));
    ended(&mut first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_stopped_is_not_lost_however_long_it_says_nothing() {
    let ground = Ground::new().await;
    let mut first = start(&ground, "hang");
    on_the_roster(&ground).await;
    let id = ground.keys.declare(change()).await.unwrap();
    called_in(&mut first).await;
    kill(&first, Signal::STOP);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let taken = Peer::join(&ground, sole("anna")).await.map(drop);
    assert_eq!(code(taken), "worker_name_taken");
    kill(&first, Signal::KILL);
    ended(&mut first);
    until("its step waits again", async || {
        let report = &ground.keys.rotations().await.unwrap()[0];
        assert_eq!(report.id, id);
        let step = step(report, "anna", "reencrypt");
        step.status == CallbackStatus::Pending && step.crashes == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_written_just_before_death_counts() {
    let ground = Ground::new().await;
    let mut first = start(&ground, "answer and die");
    on_the_roster(&ground).await;
    let report = within(ground.keys.key_changed(change())).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
    assert_eq!(step(&report, "anna", "reencrypt").attempt, 1);
    ended(&mut first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_keeps_the_socket_does_not_keep_its_dead_parent_alive() {
    let ground = Ground::new().await;
    let mut first = start(&ground, "leave a child that keeps the socket");
    on_the_roster(&ground).await;
    let id = ground.keys.declare(change()).await.unwrap();
    ended(&mut first);
    let begun = Instant::now();
    until("it is lost", async || {
        let report = &ground.keys.rotations().await.unwrap()[0];
        assert_eq!(report.id, id);
        step(report, "anna", "reencrypt").crashes == 1
    })
    .await;
    println!("lost after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_may_not_take_an_instance_up() {
    let ground = Ground::new().await;
    let mut anna = Peer::ready(&ground, sole("anna")).await;
    let mut command = start_as(&ground.path(), anna.number);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let id = ground.keys.declare(change()).await.unwrap();
    let call = anna.call().await;
    anna.succeed(&call);
    let _ended = within(ground.keys.wait(id)).await.unwrap();
}
