//! From facts to the journal's batch: the secrets that go into the records are added here.

use actix::{AsyncContext, Context};

use crate::actors::coordinator::{CoordinatorActor, CoordinatorMessage};
use crate::actors::key::KeyMessage;
use crate::actors::worker::WorkerOrder;
use crate::journal::fact::{Attached, JournalFact};
use crate::journal::load::RotationSecrets;
use crate::key::event::Event;
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::id::RotationId;
use crate::rotation::state::RotationState;

impl CoordinatorActor {
    pub(super) fn write(&mut self, facts: Vec<Fact>, ctx: &Context<Self>) {
        let facts: Vec<JournalFact> = facts
            .into_iter()
            .map(|fact| self.with_secrets(fact))
            .collect();
        let actor = ctx.address();
        self.means.journal.submit(
            move |journal| journal.write(&facts),
            move |done| {
                let result = match done {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(closed) => Err(closed.to_string()),
                };
                actor.do_send(CoordinatorMessage::Written(result));
            },
        );
    }

    /// A fact with the secrets that go into its records. What it says of a key that
    /// lives in this process is told to the key.
    fn with_secrets(&mut self, fact: Fact) -> JournalFact {
        let attached = match &fact {
            Fact::Keys(id) => {
                let secrets = self.secrets.get(id).cloned().unwrap_or_default();
                let RotationSecrets { old, new, .. } = secrets;
                Attached::Keys { old, new }
            }
            Fact::Snapshot(id) => {
                let snapshot = self.secrets.get(id).and_then(|s| s.snapshot.clone());
                Attached::Snapshot(snapshot.unwrap_or_default())
            }
            Fact::Record(step) => {
                let proposal = self.proposals.get(step).cloned();
                proposal.map_or(Attached::Nothing, |(_, key, change)| Attached::Record {
                    key,
                    change,
                })
            }
            Fact::Rotation(header) => {
                let is_new = header.state == RotationState::Waiting && header.resumes == 0;
                if let Some(entry) = self.keys.get(&header.key).filter(|_| is_new) {
                    entry.actor().do_send(KeyMessage::Happened(Event::Declared {
                        old: header.declared.old,
                    }));
                }
                Attached::Nothing
            }
            Fact::MemberGone(_)
            | Fact::CallbackGone { .. }
            | Fact::NextSequence(_)
            | Fact::Member(_)
            | Fact::Callback(_)
            | Fact::Step(..)
            | Fact::Ended(..)
            | Fact::Dismissed(_) => Attached::Nothing,
        };
        JournalFact::new(fact, attached)
    }

    /// Tells workers of this process what is taken off the roster, before anything that comes after
    /// it: what is registered again later stays.
    pub(super) fn tell_removals(&mut self, effects: &[RotationEffect]) {
        for effect in effects {
            let RotationEffect::Write { facts, .. } = effect else {
                continue;
            };
            for fact in facts {
                if let Fact::MemberGone(name) = fact
                    && let Some(worker) = self.workers.remove(name)
                {
                    worker.do_send(WorkerOrder::Stop);
                }
                if let Fact::CallbackGone {
                    worker,
                    key,
                    callback,
                } = fact
                    && let Some(worker) = self.workers.get(worker)
                {
                    let (key, name) = (key.clone(), callback.clone());
                    worker.do_send(WorkerOrder::Remove { key, name });
                }
            }
        }
    }

    /// Keeps the secrets of a rotation that is being accepted: those that came with the request
    /// that is answered so, and no others that were offered under the same id.
    pub(super) fn keep_secrets(&mut self, effects: &[RotationEffect]) {
        let accepts = |id: &RotationId| {
            effects.iter().any(|effect| {
                matches!(effect, RotationEffect::Write { facts, .. } if facts.contains(&Fact::Keys(*id)))
            })
        };
        for effect in effects {
            if let RotationEffect::Reply {
                ask,
                reply: Ok(Reply::Accepted { id }),
                ..
            } = effect
                && accepts(id)
                && let Some(secrets) = self.offered.remove(ask)
            {
                self.secrets.insert(*id, secrets);
            }
        }
    }
}
