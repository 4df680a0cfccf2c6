//! The last step of a rotation between versions: it puts the new key into the key's store. To the coordinator it is a
//! call as any other, of a worker that is always there: keyward itself.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::actors::fetch::Fetcher;
use crate::actors::fetch::fetch_end::FetchEnd;
use crate::actors::fetch::what::What;
use crate::guard::plugins::Plugins;
use crate::key::event::FetchFailure;
use crate::key::state::Effect;
use crate::rotation::outcome::StepOutcome;
use crate::secret::scrub::Scrubber;
use crate::secret::value::{SecretKeyPair, SecretKeyValue, SecretKeys};
use crate::store::keys_store::Swap;
use crate::worker::call::{Call, CallEnd};
use crate::worker::link::{TellEvent, WorkerEvent, WorkerLink, WorkerRequest};

/// The way to the store of one key.
pub struct StoreWriter {
    /// What asks it.
    pub fetcher: Arc<Fetcher>,
    /// Where its outcome is awaited.
    pub plugins: Arc<Plugins>,
    /// The way back to the coordinator.
    pub tell: TellEvent,
}

impl WorkerLink for StoreWriter {
    fn ask(&self, request: WorkerRequest) {
        match request {
            WorkerRequest::Prepare { step, .. } => (self.tell)(WorkerEvent::Prepared { step }),
            WorkerRequest::Call(call) => self.switch(*call),
            WorkerRequest::Add { .. }
            | WorkerRequest::Remove { .. }
            | WorkerRequest::Release { .. }
            | WorkerRequest::CatchUp(_)
            | WorkerRequest::Heard { .. }
            | WorkerRequest::Stop => {}
        }
    }
}

impl StoreWriter {
    fn switch(&self, call: Call) {
        let fetcher = Arc::clone(&self.fetcher);
        let tell = Arc::clone(&self.tell);
        let (step, attempt) = (call.step, call.attempt);
        self.plugins.run_own(async move {
            let end = match switch(&fetcher, call).await {
                Ok(()) => CallEnd {
                    outcome: StepOutcome::Done {
                        effect: Effect::Nothing,
                        staged: false,
                    },
                    staged: Vec::new(),
                },
                Err(why) => CallEnd::failed(why),
            };
            tell(WorkerEvent::Ended { step, attempt, end });
        });
    }
}

/// Puts the new key where the old one is; done is what was done before, by a switch of which the end was lost.
async fn switch(fetcher: &Arc<Fetcher>, call: Call) -> Result<(), String> {
    let (Some(old), Some(new)) = (call.old_keys, call.new_keys) else {
        return Err("the keys of the rotation cannot be read".to_owned());
    };
    let known = [&old, &new].into_iter();
    let known: Vec<SecretKeyValue> = known
        .flat_map(|pair| [pair.forward().clone(), pair.back().clone()])
        .collect();
    let found = ask(&fetcher.asked_to(What::Look), &known).await?;
    let pair = found.to_pair();
    if pair == new {
        return Ok(());
    }
    if !is_between(&pair, &old, &new) {
        return Err(diverged());
    }
    let name = call.step.rotation.to_string();
    let swap = Swap::new(found, new.clone(), name);
    let after = ask(&fetcher.asked_to(What::Replace(swap)), &known).await?;
    if after.to_pair() == new {
        Ok(())
    } else {
        Err(diverged())
    }
}

/// Whether each half is the old or the new one: a switch of two files may have ended between them.
fn is_between(found: &SecretKeyPair, old: &SecretKeyPair, new: &SecretKeyPair) -> bool {
    let forward = [old.forward(), new.forward()].contains(&found.forward());
    forward && [old.back(), new.back()].contains(&found.back())
}

fn diverged() -> String {
    "store_diverged: the store has neither the old nor the new key of this rotation, and was left as it is; \
     put either there and resume, or abort: the new version is current all the same"
        .to_owned()
}

async fn ask(fetcher: &Arc<Fetcher>, known: &[SecretKeyValue]) -> Result<SecretKeys, String> {
    let (told, ended) = oneshot::channel();
    fetcher.fetch(Scrubber::new(known.to_vec()), move |end: FetchEnd| {
        drop(told.send(end.answer));
    });
    match ended.await {
        Ok(Ok(fetched)) => Ok(fetched.keys),
        Ok(Err(FetchFailure::Failed { why })) => Err(format!("the store failed: {why}")),
        Ok(Err(FetchFailure::Invalid(why))) => Err(format!("the store answered no key: {why}")),
        Err(_) => Err("the manager shuts down".to_owned()),
    }
}
