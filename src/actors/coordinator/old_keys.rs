//! The old keys of a declaration that did not give them: the new keys of the rotation before it, or
//! what its key holds. And what a key is told of the change that was declared last.

use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::actors::coordinator::message::CoordinatorMessage;
use crate::actors::coordinator::part::{CoordinatorPart, Ctx};
use crate::actors::declarer::refused;
use crate::actors::key_message::KeyMessage;
use crate::actors::supervision::actor;
use crate::key::event::Event as KeyEvent;
use crate::key::event::Ticket;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Declaration, Event};
use crate::rotation::id::RotationId;
use crate::rotation::plan::Header;
use crate::rotation::state::RotationState;
use crate::secret::value::SecretKeyPair;

impl CoordinatorPart {
    /// Looks for the old keys: they are the new ones of this rotation, or what the key holds.
    pub(super) fn find_old(
        &self,
        ticket: Ticket,
        declaration: Declaration,
        of: Option<RotationId>,
    ) {
        let entry = self.key(&declaration.key);
        let slot = Arc::clone(&self.slot);
        let tell = move |found| {
            slot.post(CoordinatorMessage::OldFound {
                ticket,
                declaration: Box::new(declaration),
                found,
            });
        };
        match (of, entry) {
            // One that has ended meanwhile has none; the machine knows that, and looks again.
            (Some(id), _) => self.new_keys_of(id, tell),
            (None, Some(entry)) => {
                let (reply, held) = oneshot::channel();
                entry.post(KeyMessage::Held(reply));
                actor::spawn(async move {
                    // A key that does not answer is not taken for one that holds nothing.
                    tell(held.await.map_err(|_| refused(entry.gone())));
                });
            }
            (None, None) => tell(Ok(None)),
        }
    }

    /// The old keys were found, or there are none.
    pub(super) fn old_found(
        &mut self,
        ticket: Ticket,
        mut declaration: Declaration,
        found: Result<Option<SecretKeyPair>, RotationError>,
        ctx: &mut Ctx,
    ) {
        let prints = &self.declarer.fingerprints;
        let found = found.map(|old| {
            let print = old.as_ref().map(|pair| prints.of(&declaration.key, pair));
            declaration.old_keys = old.as_ref().map(|_| Uuid::new_v4().as_u128());
            if let Some(secrets) = self.requests.secrets(ticket) {
                secrets.old = old;
            }
            print
        });
        let event = Event::OldFound {
            ticket,
            declaration,
            found,
        };
        self.found_for(ticket, event, ctx);
    }

    /// Notes what a batch declares: it is told when that is durable, and not before.
    pub(super) fn note_declared(&mut self, header: &Header) {
        if header.state == RotationState::Waiting && header.resumes == 0 && !header.begun {
            let secrets = self.secrets(header.id);
            let old = secrets.and_then(|secrets| secrets.old.as_ref());
            let keys = self.declarer.fingerprints.of_keys(header, old);
            self.batch.declares.push((header.clone(), keys));
        }
    }

    /// The batch was made, or was not.
    pub(super) fn tell_declared(&mut self, was_made: bool) {
        for (header, keys) in std::mem::take(&mut self.batch.declares) {
            if !was_made {
                continue;
            }
            self.tell_key(&header.key, KeyEvent::Declared(keys));
            if header.old_keys.is_none() && header.versions.is_none() {
                let (rotation, key) = (header.id, header.key);
                self.means.events.tell(move || {
                    tracing::warn!(
                        %rotation,
                        %key,
                        "a change was declared without its old keys, and none are held: its \
                         callbacks get none; name them with Change::old, or have the store asked \
                         for them with Change::old_from_store"
                    );
                });
            }
        }
    }
}
