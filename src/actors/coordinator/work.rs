//! What is under way: each request, step and rotation with all that the shell has of it in one place, so
//! that nothing has to agree with anything else.
//!
//! ```text
//! request   open ──────────── Reply ───────────▶ gone
//!             └ coordinator fails ▶ unheard ─ Reply ▶ gone
//! step      Calling ── did its work ──▶ Done ◀─ Propose, Withdraw ─▶ Done with a proposal
//!             └ failed, released ▶ gone   └ settled ▶ gone              └ Adopt ▶ gone
//! rotation  accepted ▶ keys here ◀─ begins, waits or stopped ─▶ keys in the journal only ── ended ▶ gone
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::actors::coordinator::deferred::Cleanup;
use crate::actors::coordinator::message::With;
use crate::actors::directory::NewKey;
use crate::journal::secrets::RotationSecrets;
use crate::key::event::Ticket;
use crate::key::name::{CallbackName, KeyName};
use crate::key::state::{Effect, RecordChange, Snapshot, Staged};
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;

use crate::secret::value::SecretKeyValue;
use crate::worker::link::WorkerLink;

/// Where the answer to a request goes.
pub(super) type ReplySender = oneshot::Sender<Result<Reply, RotationError>>;

/// A request that the engine has not answered.
struct OpenRequest {
    /// None where the coordinator has failed since: its caller was told.
    reply: Option<ReplySender>,
    /// What came with it and is not used yet.
    with: With,
}

/// The requests that the engine has not answered.
#[derive(Default)]
pub(super) struct Requests {
    last: Ticket,
    open: HashMap<Ticket, OpenRequest>,
    cleanup: Cleanup,
}

impl Requests {
    /// Adds one, under a number of its own.
    pub(super) fn add(&mut self, reply: ReplySender, with: With) -> Ticket {
        self.last += 1;
        let reply = Some(reply);
        self.open.insert(self.last, OpenRequest { reply, with });
        self.last
    }

    /// Whether its caller has not been answered. It may have given up.
    pub(super) fn is_open(&self, ticket: Ticket) -> bool {
        self.open
            .get(&ticket)
            .is_some_and(|one| one.reply.is_some())
    }

    /// The keys that came with it.
    pub(super) fn secrets(&mut self, ticket: Ticket) -> Option<&mut RotationSecrets> {
        match &mut self.open.get_mut(&ticket)?.with {
            With::Secrets(secrets) => Some(secrets),
            With::Nothing | With::Values(_) | With::Keys(_) | With::Callback(_) | With::Link(_) => {
                None
            }
        }
    }

    /// Takes what came with it.
    pub(super) fn take_with(&mut self, ticket: Ticket) -> With {
        let one = self.open.get_mut(&ticket);
        one.map_or(With::Nothing, |one| {
            std::mem::replace(&mut one.with, With::Nothing)
        })
    }

    /// One of the keys that came with a request to define them.
    pub(super) fn take_key(&mut self, ticket: Ticket, key: &KeyName) -> Option<NewKey> {
        let With::Keys(keys) = &mut self.open.get_mut(&ticket)?.with else {
            return None;
        };
        let at = keys.iter().position(|new| new.means.name == *key)?;
        Some(keys.swap_remove(at))
    }

    /// It is answered, or will never be: nothing of it is kept.
    pub(super) fn close(&mut self, ticket: Ticket) -> Option<ReplySender> {
        self.open.remove(&ticket)?.reply
    }

    /// Takes out the requests that their callers gave up, where it is worth looking for them.
    pub(super) fn take_given_up(&mut self) -> Vec<Ticket> {
        if !self.cleanup.is_due(self.open.len()) {
            return Vec::new();
        }
        self.take_all_given_up()
    }

    /// Takes out every request that needs no answer: its caller gave it up, or was told that the coordinator
    /// has failed.
    pub(super) fn take_all_given_up(&mut self) -> Vec<Ticket> {
        let is_gone = |one: &OpenRequest| one.reply.as_ref().is_none_or(ReplySender::is_closed);
        let gone = self.open.extract_if(|_, one| is_gone(one));
        let gone = gone.map(|(ticket, _)| ticket).collect();
        self.cleanup.made(self.open.len());
        gone
    }

    /// The coordinator has failed: callers are told by the end of their channels. What came with their
    /// requests stays, for the engine may still accept it.
    pub(super) fn fail(&mut self) {
        self.open.values_mut().for_each(|one| one.reply = None);
    }
}

/// A change that a step proposed to its key.
pub(super) struct Proposal {
    /// The key's ticket for it.
    pub(super) ticket: Ticket,
    /// The key.
    pub(super) key: KeyName,
    /// What becomes of the record, once the key has told it.
    pub(super) record: Option<RecordChange>,
}

/// Where a step is.
pub(super) enum StepWork {
    /// Its worker gets ready to call this callback, or calls it.
    Calling(Arc<dyn WorkerLink>, CallbackName),
    /// Its callback did its work, which is not durable yet.
    Done {
        effect: Effect,
        staged: Vec<Staged>,
        proposal: Option<Proposal>,
    },
}

impl StepWork {
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Calling(..) => false,
            Self::Done { .. } => true,
        }
    }

    /// What is proposed for it to its key.
    pub(super) fn proposal(&self) -> Option<&Proposal> {
        match self {
            Self::Calling(..) => None,
            Self::Done { proposal, .. } => proposal.as_ref(),
        }
    }
}

/// The keys of a rotation that needs them.
pub(super) enum RotationKeys {
    /// They are here.
    Here(RotationSecrets),
    /// They cannot be read. What the key had when it began to run is here all the same.
    Unreadable {
        why: String,
        snapshot: Option<Snapshot>,
    },
}

/// What the shell has of a rotation that has not ended.
#[derive(Default)]
pub(super) struct RotationWork {
    /// Its keys, where they are needed; else they are in the journal only.
    pub(super) kept: Option<RotationKeys>,
    /// Whether its keys are being read. Further reads would only wait behind that one, and writes behind them.
    pub(super) reads: bool,
    /// How its keys begin, by which texts that quote them are found.
    pub(super) beginnings: Vec<SecretKeyValue>,
    /// The key that knows these.
    pub(super) known_to: Option<KeyName>,
}

impl RotationWork {
    /// Whether nothing is known of it, nor asked for.
    pub(super) fn is_empty(&self) -> bool {
        !self.reads && self.kept.is_none() && self.known_to.is_none() && self.beginnings.is_empty()
    }

    /// Its keys, if they are here.
    pub(super) fn secrets(&self) -> Option<&RotationSecrets> {
        match self.kept.as_ref()? {
            RotationKeys::Here(secrets) => Some(secrets),
            RotationKeys::Unreadable { .. } => None,
        }
    }

    /// What its key had when it began to run.
    pub(super) fn snapshot(&mut self) -> Option<&mut Option<Snapshot>> {
        match self.kept.as_mut()? {
            RotationKeys::Here(secrets) => Some(&mut secrets.snapshot),
            RotationKeys::Unreadable { snapshot, .. } => Some(snapshot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_keeps_nothing_of_those_who_were_told_that_the_coordinator_failed() {
        let mut requests = Requests::default();
        let ask = |requests: &mut Requests| {
            let (reply, answer) = oneshot::channel();
            let ask = requests.add(reply, With::Secrets(RotationSecrets::default()));
            (ask, answer)
        };
        let (failed, _told) = ask(&mut requests);
        requests.fail();
        let (heard, _waits) = ask(&mut requests);
        assert!(
            requests.take_given_up().is_empty(),
            "so few are not looked for"
        );
        assert_eq!(requests.take_all_given_up(), [failed]);
        assert!(requests.secrets(failed).is_none() && requests.secrets(heard).is_some());
    }
}
