//! Kernels before 6.5 do not tell which process is at the other end of a connection: its end is that of the process.

use keyward::wire::generated::CallbackKind;
use keyward::{Client as Operator, KeysManagement, MemoryRepo, RotationState};

use crate::ground::{Ground, code};
use crate::support::alone::alone_async;
use crate::support::refused_calls::refuse;
use crate::support::{builder, change, define, documents, step, until, within};
use crate::work::peer::{Peer, of, sole, waiting};

/// From here on this process is on such a kernel: of the options of a socket, `SO_PEERPIDFD` has this bit, and no other
/// that is asked for.
fn on_an_older_kernel() {
    let bit_of_peerpidfd = 64;
    refuse(
        libc::SYS_getsockopt,
        Some((2, bit_of_peerpidfd)),
        libc::ENOPROTOOPT,
    );
}

async fn on(content: &MemoryRepo) -> KeysManagement {
    let keys = builder().state_repo(content.clone()).start().await.unwrap();
    define(&keys, documents()).await;
    keys
}

#[test]
fn where_the_kernel_names_no_process_the_end_of_a_connection_is_its_end_and_workers_says_so() {
    alone_async(
        where_the_kernel_names_no_process_the_end_of_a_connection_is_its_end_and_workers_says_so,
        async {
            on_an_older_kernel();
            let ground = Ground::new().await;
            let mut anna = Peer::ready(&ground, sole("anna")).await;
            let operator = within(Operator::at(ground.path())).await.unwrap();
            let workers = within(operator.workers()).await.unwrap();
            let instance = workers.iter().flat_map(|worker| &worker.instances).next();
            let instance = instance.expect("anna's");
            assert!(instance.may_be_called_twice, "{instance}");
            assert!(
                instance.to_string().contains("may be called twice"),
                "{instance}"
            );
            let id = ground.keys.declare(change()).await.unwrap();
            let first = anna.call().await;
            let again = anna.again(vec![first.call.clone().unwrap()], "anna");
            drop(anna);
            until("it is lost", async || {
                let report = ground.keys.rotation(id).await.unwrap();
                step(&report, "anna", "reencrypt").crashes == 1
            })
            .await;
            let refused = Peer::join(&ground, again).await.map(drop);
            assert_eq!(code(refused), "unknown_instance", "it is gone");
            let mut anna = Peer::ready(&ground, sole("anna")).await;
            let call = anna.call().await;
            assert_eq!((of(&first).1, of(&call).1), (1, 2));
            anna.succeed(&call);
            let report = within(ground.keys.wait(id)).await.unwrap();
            assert_eq!(report.state, RotationState::Completed, "{report}");
        },
    );
}

#[test]
fn where_the_kernel_names_no_process_the_next_keeper_calls_again_what_the_one_before_had_called() {
    alone_async(
        where_the_kernel_names_no_process_the_next_keeper_calls_again_what_the_one_before_had_called,
        async {
            on_an_older_kernel();
            let content = MemoryRepo::new();
            let ground = Ground::serve(on(&content).await, |options| options).await;
            let mut anna = Peer::join(&ground, sole("anna")).await.unwrap();
            anna.register("reencrypt", CallbackKind::Data).await.unwrap();
            anna.is_ready().await;
            let id = ground.keys.declare(change()).await.unwrap();
            let first = anna.call().await;
            within(ground.keys.shutdown()).await.unwrap();
            let ground = Ground::serve(on(&content).await, |options| options).await;
            let mut next = Peer::ready(&ground, waiting(sole("anna"))).await;
            let call = next.call().await;
            assert_eq!((of(&first).1, of(&call).1), (1, 2));
            next.succeed(&call);
            let report = within(ground.keys.wait(id)).await.unwrap();
            assert_eq!(report.state, RotationState::Completed, "{report}");
            drop(anna);
        },
    );
}
