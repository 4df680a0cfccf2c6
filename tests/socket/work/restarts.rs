//! A keeper that is killed and started again: what a living process runs is not called a second time, and a
//! process that ended meanwhile is lost.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keyward::wire::generated::CallbackKind;
use keyward::{
    CallbackStatus, Client as Operator, KeysManagement, RotationId, RotationState,
    SecretKeyDefinition, ServeOptions,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::ground::Client;
use crate::support::alone::{again, again_by, ended, passes};
use crate::support::{MASTER_KEY, change, step, until, within};
use crate::work::peer::{Peer, of, shared, sole};
use crate::work::processes::{called_in, start_as, start_at};

const FOLDER: &str = "KEYWARD_TEST_FOLDER";

/// The keeper's process.
#[test]
#[ignore = "it is started by the tests beside it"]
fn keeper() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let builder = KeysManagement::builder().data_folder(folder.join("data"));
        let keys = builder.master_key(|| MASTER_KEY).start().await.unwrap();
        let documents = SecretKeyDefinition::round_trip("documents", || "value_1");
        // A call that nothing is heard of is not failed for that.
        let documents = documents.callback_time_limit(Duration::from_secs(600));
        keys.define_key(documents).await.unwrap();
        let serving = keys
            .serve(ServeOptions::at(folder.join("s")))
            .await
            .unwrap();
        serving.ended().await;
    });
}

pub struct Keeper {
    process: Child,
    folder: PathBuf,
}

impl Keeper {
    pub async fn start(folder: &Path) -> Self {
        Self::start_by(folder, again(keeper)).await
    }

    /// The same, in a namespace of process ids of its own, which `unshare` makes.
    pub async fn start_in_a_namespace(folder: &Path, unshare: Command) -> Self {
        Self::start_by(folder, again_by(unshare, keeper)).await
    }

    async fn start_by(folder: &Path, mut command: Command) -> Self {
        command
            .env(FOLDER, folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let keeper = Self {
            process: command.spawn().unwrap(),
            folder: folder.to_owned(),
        };
        until("it listens", async || {
            Operator::at(folder.join("s")).await.is_ok()
        })
        .await;
        keeper
    }

    pub fn kill(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::KILL).unwrap();
        ended(&mut self.process);
    }

    /// Kills the child of its process, which `unshare` has started, and waits for both.
    pub fn kill_within(&mut self) {
        let process = self.process.id();
        let children = format!("/proc/{process}/task/{process}/children");
        let children = std::fs::read_to_string(children).unwrap();
        let child = children.split_whitespace().next().unwrap().parse();
        let child = Pid::from_raw(child.unwrap()).unwrap();
        kill_process(child, Signal::KILL).unwrap();
        ended(&mut self.process);
    }

    pub async fn operator(&self) -> Operator {
        Operator::at(self.folder.join("s")).await.unwrap()
    }

    pub async fn peer(&self, join: keyward::wire::generated::Join) -> Result<Peer, tonic::Status> {
        let stream = std::os::unix::net::UnixStream::connect(self.folder.join("s")).unwrap();
        Peer::join_over(Client::over(stream).await, join).await
    }

    pub async fn ready(&self, join: keyward::wire::generated::Join) -> Peer {
        let mut peer = self.peer(join).await.unwrap();
        peer.register("reencrypt", CallbackKind::Data)
            .await
            .unwrap();
        peer.is_ready().await;
        peer
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The attempts and crashes of the one step, once the rotation has completed.
async fn completed(operator: &Operator, id: RotationId) -> (u32, u32) {
    let report = within(operator.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
    let step = step(&report, "anna", "reencrypt");
    (step.attempt, step.crashes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_keeper_calls_nothing_again_whose_process_lives_and_its_end_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::start(folder.path()).await;
    let mut anna = keeper.ready(sole("anna")).await;
    let id = keeper.operator().await.declare(change()).await.unwrap();
    let call = anna.call().await;
    // It ends just before the keeper does, which hears nothing of it.
    keeper.kill();
    let keeper = Keeper::start(folder.path()).await;
    let again = anna.again(vec![call.call.clone().unwrap()], "anna");
    let number = anna.number;
    drop(anna);
    let mut anna = keeper.peer(again).await.unwrap();
    assert_eq!(anna.number, number);
    assert!(anna.hears_nothing_for(Duration::from_secs(1)).await);
    anna.succeed(&call);
    assert_eq!(anna.end_taken().await.1, None);
    assert_eq!(completed(&keeper.operator().await, id).await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_told_to_the_next_keeper_is_withheld_where_it_quotes_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::start(folder.path()).await;
    let mut anna = keeper.ready(sole("anna")).await;
    let id = keeper.operator().await.declare(change()).await.unwrap();
    let call = anna.call().await;
    keeper.kill();
    let keeper = Keeper::start(folder.path()).await;
    let again = anna.again(vec![call.call.clone().unwrap()], "anna");
    drop(anna);
    let anna = keeper.peer(again).await.unwrap();
    anna.fail(&call, "cannot seal with value_2");
    let report = within(keeper.operator().await.wait(id)).await.unwrap();
    let step = step(&report, "anna", "reencrypt");
    let said = step.error.as_deref();
    assert_eq!(said, Some("(withheld: the text contains a key value)"));
    assert_eq!(step.status, CallbackStatus::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ended_while_the_keeper_was_down_is_lost_at_its_start_also_unreaped() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::start(folder.path()).await;
    let mut worker = start_at(&folder.path().join("s"), "hang");
    let operator = keeper.operator().await;
    until("anna is ready", async || {
        let workers = operator.workers().await.unwrap();
        workers
            .iter()
            .any(|worker| worker.callbacks.iter().any(|callback| callback.registered))
    })
    .await;
    let id = operator.declare(change()).await.unwrap();
    called_in(&mut worker).await;
    keeper.kill();
    kill_process(Pid::from_child(&worker), Signal::KILL).unwrap();
    let keeper = Keeper::start(folder.path()).await;
    let operator = keeper.operator().await;
    until("it is lost", async || {
        let report = operator.rotation(id).await.unwrap();
        step(&report, "anna", "reencrypt").crashes == 1
    })
    .await;
    let mut next = keeper.ready(sole("anna")).await;
    let call = next.call().await;
    assert_eq!(of(&call).1, 2);
    next.succeed(&call);
    assert_eq!(completed(&operator, id).await.0, 2);
    ended(&mut worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_joins_anew_without_its_number_has_called_exec_and_is_called_again() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(folder.path()).await;
    let mut anna = keeper.ready(sole("anna")).await;
    let operator = keeper.operator().await;
    let id = operator.declare(change()).await.unwrap();
    let first = anna.call().await;
    drop(anna);
    // At once: the end of its connection may come in behind its join.
    let mut anna = keeper.ready(sole("anna")).await;
    let call = anna.call().await;
    assert_eq!((of(&first).1, of(&call).1), (1, 2));
    anna.succeed(&call);
    assert_eq!(completed(&operator, id).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_joins_the_next_keeper_is_called_for_a_step_of_memory_that_the_one_before_began()
 {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::start(folder.path()).await;
    let mut first = keeper.peer(shared("web")).await.unwrap();
    first.register("load", CallbackKind::Memory).await.unwrap();
    first.is_ready().await;
    let id = keeper.operator().await.declare(change()).await.unwrap();
    let call = first.call().await;
    keeper.kill();
    let keeper = Keeper::start(folder.path()).await;
    let again = keyward::wire::generated::Join {
        sharing: shared("web").sharing,
        ..first.again(vec![call.call.clone().unwrap()], "web")
    };
    drop(first);
    let mut first = keeper.peer(again).await.unwrap();
    let mut second = keeper.peer(shared("web")).await.unwrap();
    second.register("load", CallbackKind::Memory).await.unwrap();
    second.is_ready().await;
    let of_second = second.call().await;
    assert_eq!(of(&of_second), of(&call));
    for (peer, call) in [(&mut first, &call), (&mut second, &of_second)] {
        peer.succeed(call);
        assert_eq!(peer.end_taken().await.1, None);
    }
    let report = within(keeper.operator().await.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_keeps_the_socket_of_a_process_that_ended_while_the_keeper_was_down_keeps_nothing_alive()
 {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::start(folder.path()).await;
    let mut worker = start_at(
        &folder.path().join("s"),
        "hang and leave a child that keeps the socket",
    );
    let operator = keeper.operator().await;
    until("anna is ready", async || {
        let workers = operator.workers().await.unwrap();
        workers
            .iter()
            .flat_map(|worker| &worker.instances)
            .any(|one| one.ready)
    })
    .await;
    let id = operator.declare(change()).await.unwrap();
    called_in(&mut worker).await;
    keeper.kill();
    kill_process(Pid::from_child(&worker), Signal::KILL).unwrap();
    ended(&mut worker);
    let keeper = Keeper::start(folder.path()).await;
    let operator = keeper.operator().await;
    until("it is lost", async || {
        let report = operator.rotation(id).await.unwrap();
        step(&report, "anna", "reencrypt").crashes == 1
    })
    .await;
    let mut next = keeper.ready(sole("anna")).await;
    let call = next.call().await;
    assert_eq!(of(&call).1, 2);
    next.succeed(&call);
    assert_eq!(completed(&operator, id).await.0, 2);
}

#[test]
fn a_process_id_that_is_used_again_while_the_keeper_was_away_is_a_strangers() {
    let namespace = || {
        let mut namespace = Command::new("unshare");
        namespace.args(["--pid", "--fork", "--mount-proc", "--"]);
        namespace
    };
    let may = namespace().arg("true").status();
    if !may.is_ok_and(|status| status.success()) {
        println!("this user may have no namespace of process ids: not tested");
        return;
    }
    passes(again_by(namespace(), in_a_namespace_of_process_ids));
}

/// Here the next process id can be chosen.
#[test]
#[ignore = "it is started by the test before it, in a namespace of its own"]
fn in_a_namespace_of_process_ids() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = Keeper::start(folder.path()).await;
        let socket = folder.path().join("s");
        let mut anna = start_at(&socket, "hang");
        let operator = keeper.operator().await;
        let instance = async || {
            let workers = operator.workers().await.unwrap();
            let mut all = workers.into_iter().flat_map(|worker| worker.instances);
            all.find(|one| one.ready)
        };
        until("anna is ready", async || instance().await.is_some()).await;
        let number = instance().await.unwrap().instance;
        let id = operator.declare(change()).await.unwrap();
        called_in(&mut anna).await;
        keeper.kill();
        anna.kill().unwrap();
        anna.wait().unwrap();
        let last = (anna.id() - 1).to_string();
        std::fs::write("/proc/sys/kernel/ns_last_pid", last).unwrap();
        let mut stranger = start_as(&socket, number).spawn().unwrap();
        assert_eq!(stranger.id(), anna.id(), "the id is used again");
        let keeper = Keeper::start(folder.path()).await;
        // It asks for the number, and is refused.
        assert!(ended(&mut stranger).success());
        let mut next = keeper.ready(sole("anna")).await;
        let call = next.call().await;
        assert_eq!(of(&call).1, 2);
        next.succeed(&call);
        assert_eq!(next.end_taken().await.1, None);
        let report = within(keeper.operator().await.wait(id)).await.unwrap();
        assert_eq!(report.state, RotationState::Completed, "{report}");
    });
}
