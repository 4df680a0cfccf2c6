//! Processes that the keeper does not see by their ids, because they are of another namespace: they are known again by
//! what the kernel says of them, and are gone after 60 s without.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use keyward::{CallbackStatus, Client as Operator, InstanceStatus, RotationState};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::alone::{LONGEST, ended};
use crate::support::{change, step, until, within};
use crate::work::peer::{of, sole};
use crate::work::processes::{called_in, start_at};
use crate::work::restarts::Keeper;

/// What starts a keeper in a namespace of its own; none where this user may have none.
fn namespace() -> Option<Command> {
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
        unshare
    };
    let may = unshare().arg("true").status();
    let may = may.is_ok_and(|status| status.success());
    if !may {
        println!("this user may have no namespace of process ids: not tested");
    }
    may.then(unshare)
}

async fn instance(operator: &Operator) -> Option<InstanceStatus> {
    let workers = operator.workers().await.ok()?;
    let mut all = workers.into_iter().flat_map(|worker| worker.instances);
    all.find(|one| one.ready)
}

async fn keeper(folder: &Path) -> Option<Keeper> {
    Some(Keeper::start_in_a_namespace(folder, namespace()?).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_another_namespace_is_known_again_when_it_connects_and_workers_says_that_it_may_be_called_twice()
 {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut first) = keeper(folder.path()).await else {
        return;
    };
    // This process is not seen from there.
    let mut anna = first.ready(sole("anna")).await;
    let operator = first.operator().await;
    let known = instance(&operator).await.expect("anna's");
    assert!(known.may_be_called_twice && known.process == 0, "{known}");
    assert!(known.to_string().contains("may be called twice"), "{known}");
    let id = operator.declare(change()).await.unwrap();
    let call = anna.call().await;
    first.kill_within();
    let next = keeper(folder.path()).await.unwrap();
    let again = anna.again(vec![call.call.clone().unwrap()], "anna");
    let number = anna.number;
    drop(anna);
    let mut anna = next.peer(again).await.unwrap();
    assert_eq!(anna.number, number, "it is known again");
    anna.succeed(&call);
    assert_eq!(anna.end_taken().await.1, None);
    let report = within(next.operator().await.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
    let step = step(&report, "anna", "reencrypt");
    assert_eq!((step.attempt, step.crashes), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_another_namespace_that_does_not_connect_again_is_gone_after_a_minute_and_not_before()
 {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut first) = keeper(folder.path()).await else {
        return;
    };
    let mut worker = start_at(&folder.path().join("s"), "hang");
    let operator = first.operator().await;
    until("anna is ready", async || {
        instance(&operator).await.is_some()
    })
    .await;
    let id = operator.declare(change()).await.unwrap();
    called_in(&mut worker).await;
    first.kill_within();
    let begun = Instant::now();
    let next = keeper(folder.path()).await.unwrap();
    // The keeper sees nothing of its end.
    kill_process(Pid::from_child(&worker), Signal::KILL).unwrap();
    ended(&mut worker);
    let operator = next.operator().await;
    loop {
        let report = within(operator.rotation(id)).await.unwrap();
        let step = step(&report, "anna", "reencrypt");
        if step.crashes == 1 {
            break;
        }
        assert_eq!(step.status, CallbackStatus::InProgress, "{report}");
        assert!(begun.elapsed() < 3 * LONGEST, "{report}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        begun.elapsed() >= Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );
    let mut next = next.ready(sole("anna")).await;
    let call = next.call().await;
    assert_eq!(of(&call).1, 2);
    next.succeed(&call);
    let report = within(operator.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}
