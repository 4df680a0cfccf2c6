//! The socket of a worker is cut after each byte, each way, over a whole rotation: the callback is called
//! once, its end is told until it is durable, and the rotation completes.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::{Change, Client, Effect, Join, KeyChange, RotationState, Uuid, Worker};

use crate::client::proxy::{Cut, Proxy, Way};
use crate::ground::Ground;
use crate::support::within;

/// So many places are cut at unless `KEYWARD_CUTS` says another number.
const CUTS: u64 = 24;

struct World {
    ground: Ground,
    number: u128,
}

/// What came of one rotation.
struct Seen {
    calls: usize,
    has_cut: bool,
    bytes: [u64; 2],
}

impl World {
    /// One rotation of a worker of two processes; the connection of this one to the keeper is cut.
    async fn rotation(&mut self, cut: Option<Cut>) -> Seen {
        self.number += 1;
        let (calls, bait_calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let name = format!("web{}", self.number);
        let bait = Client::at(self.ground.path()).await.unwrap();
        let proxy = Proxy::new(&self.ground.path(), cut);
        let client = Client::at(&proxy.path).await.unwrap();
        let worker = self.joined(&client, &name, &calls).await;
        let idle = self.joined(&bait, &name, &bait_calls).await;
        let (old, new) = (format!("v{}", self.number), format!("v{}", self.number + 1));
        let change = Change::of("documents")
            .old(old.as_str())
            .new_keys(new.as_str());
        let change = change.id(Uuid::from_u128(self.number));
        let report = within(self.ground.keys.key_changed(change)).await.unwrap();
        assert_eq!(report.state, RotationState::Completed, "{cut:?}: {report}");
        let step = &report.steps[report.steps.len() - 1];
        // A call that never came to the client, as it says, is given again, which is no crash.
        assert_eq!(step.crashes, 0, "{cut:?}: {report}");
        assert!(step.attempt <= 2, "{cut:?}: {report}");
        let seen = Seen {
            calls: calls.load(Ordering::SeqCst) + bait_calls.load(Ordering::SeqCst),
            has_cut: proxy.has_cut(),
            bytes: [proxy.gone(Way::ToKeeper), proxy.gone(Way::ToClient)],
        };
        drop((worker, idle));
        self.ground.keys.remove_worker(&name).await.ok();
        seen
    }

    async fn joined(&self, client: &Client, name: &str, calls: &Arc<AtomicUsize>) -> Worker {
        // Until it has joined, a cut is its caller's error, and it asks again.
        let worker = loop {
            match client.join(Join::shared(name)).await {
                Ok(worker) => break worker,
                Err(error) => assert!(error.is_retriable(), "{error:?}"),
            }
        };
        let called = Arc::clone(calls);
        let counts = move |_: KeyChange| {
            called.fetch_add(1, Ordering::SeqCst);
            Effect::Reencrypted
        };
        worker
            .register_on_change("documents", "counts", counts)
            .await
            .unwrap();
        worker.ready().await.unwrap();
        worker
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_its_socket_is_cut_a_callback_is_called_once_and_its_end_is_told_until_it_is_durable()
 {
    let mut world = World {
        ground: Ground::new().await,
        number: 0,
    };
    let whole = world.rotation(None).await;
    assert_eq!(whole.calls, 1);
    let cuts = env::var("KEYWARD_CUTS")
        .ok()
        .and_then(|cuts| cuts.parse().ok())
        .unwrap_or(CUTS);
    let mut made = 0;
    for (way, bytes) in [Way::ToKeeper, Way::ToClient].into_iter().zip(whole.bytes) {
        let step = (bytes / cuts).max(1);
        for after in (1..bytes).step_by(usize::try_from(step).unwrap()) {
            let cut = Cut { way, after };
            let seen = world.rotation(Some(cut)).await;
            assert_eq!(seen.calls, 1, "{cut:?}");
            made += u64::from(seen.has_cut);
        }
    }
    println!("cut {made} times over {:?} bytes", whole.bytes);
    assert!(made >= cuts, "only {made} of {cuts} cuts were made");
}
