//! Writes that fail while the history is kept.

use keyward::repo::space::Space;

use crate::faults::ground::{Callback, Ground, change, reopening, stated};
use crate::support::faulty::Fault;
use crate::support::{define, until, within};

#[tokio::test]
async fn a_pruning_of_which_nobody_knows_is_found_out_and_all_goes_on() {
    for (fault, _) in Fault::unknown() {
        for ground in Ground::both() {
            let repo = ground.repo();
            let manager = reopening().state_repo(repo.clone()).start().await.unwrap();
            define(&manager, stated("documents")).await;
            let callback = Callback::register(&manager, "documents", "call").await;
            callback.gate.open();
            let id = within(manager.declare(change("documents"))).await.unwrap();
            drop(within(manager.wait(id)).await.unwrap());
            within(manager.shutdown()).await.unwrap();
            drop((manager, repo));

            let repo = ground.repo();
            repo.next_write(Space::History, fault.clone());
            let forgets = reopening().state_repo(repo.clone()).history_count(Some(0));
            let manager = forgets.start().await.unwrap();
            define(&manager, stated("documents")).await;
            repo.reopened(1).await;
            assert!(repo.is_done());
            until("states are saved", async || {
                within(manager.get_forward_path_key("documents"))
                    .await
                    .unwrap();
                within(manager.save_state("documents")).await.is_ok()
            })
            .await;
            within(manager.shutdown()).await.unwrap();
        }
    }
}
