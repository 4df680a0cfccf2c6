//! What the effects of a key's machine do: fetches, loads, looks and writes, and what is told to those
//! that want to know.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::key_actor::KeyPart;
use crate::actors::key_message::{KeyMessage, Proposed};
use crate::actors::supervision::actor;
use crate::actors::tell_once::TellOnce;
use crate::guard::foreign_call::Returned;
use crate::key::effect::KeyEffect;
use crate::key::event::{Event, FetchFailure, FetchedKeys, Ticket};
use crate::key::state::{Loaded, RecordChange};

/// After how long a look at a record, or a write of one, is tried again that the repo refused.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl KeyPart {
    pub(super) fn perform(&mut self, effect: &KeyEffect) {
        self.slot.fault_points().pass();
        match effect {
            KeyEffect::Fetch { fetch } => self.fetch(*fetch),
            KeyEffect::GiveUpFetch => self.means.fetcher.give_up(),
            KeyEffect::Load { ticket } => self.read(*ticket),
            KeyEffect::Look { ticket } => self.look(*ticket),
            KeyEffect::Write { ticket, change } => self.write(*ticket, change.clone()),
            KeyEffect::WriteLater => self.post_later(KeyMessage::Happened(Event::WriteAgain)),
            KeyEffect::WarnOfStore { has_old } => self.warn_of_store(*has_old),
            KeyEffect::Owe { version, worker } => {
                (self.means.hand_out)(*version, worker.clone());
            }
            KeyEffect::Answer { .. } => {}
            KeyEffect::Snapped { ticket, snapshot } => {
                if let Some(tell) = self.snapshots.remove(ticket) {
                    tell(snapshot.clone());
                }
            }
            KeyEffect::Proposed {
                ticket,
                applies,
                record,
            } => {
                if let Some(tell) = self.proposals.remove(ticket) {
                    let (applies, record) = (*applies, record.clone());
                    tell(Proposed { applies, record });
                }
            }
        }
    }

    /// Tells itself something after a while, in whichever life of the actor that is.
    pub(super) fn post_later(&self, message: KeyMessage) {
        let slot = Arc::clone(&self.slot);
        actor::spawn(async move {
            tokio::time::sleep(LOOK_AGAIN).await;
            slot.post(message);
        });
    }

    fn warn_of_store(&self, has_old: bool) {
        let what = if has_old {
            "neither the old nor the new keys of the change that was declared last; compare them: \
             is there a line end too many, or is it another value?"
        } else {
            "others than the new keys of the change that was declared last, which named no old keys; \
             if the store has switched, compare them: is there a line end too many?"
        };
        let key = self.means.name.clone();
        self.means
            .events
            .tell(move || tracing::warn!(%key, "the store answers {what}"));
    }

    fn fetch(&self, number: u64) {
        let fingerprints = self.means.fingerprints.clone();
        let key = self.means.name.clone();
        let slot = Arc::clone(&self.slot);
        let scrubber = self.scrubber_of(Vec::new());
        let why = "how the fetch ended was lost in a panic".to_owned();
        let lost = (Err(FetchFailure::Failed { why }), None);
        let end = TellOnce::new(lost, move |(answer, still_running)| {
            slot.post(KeyMessage::Fetched {
                fetch: number,
                answer,
                still_running,
            });
        });
        self.means.fetcher.fetch(scrubber, move |fetched| {
            let answer = fetched.answer.map(|fetched| FetchedKeys {
                prints: fingerprints.of(&key, &fetched.keys.to_pair()),
                keys: fetched.keys,
            });
            end.tell((answer, fetched.still_running));
        });
    }

    /// Tells itself when the thread of a fetch has come back that had passed its limit.
    pub(super) fn post_when(&self, returned: Returned) {
        let slot = Arc::clone(&self.slot);
        actor::spawn(async move {
            returned.await;
            slot.post(KeyMessage::Happened(Event::Returned));
        });
    }

    /// Looks at the record for a rotation, which waits where the repo does not answer.
    pub(super) fn look(&self, ticket: Ticket) {
        let key = self.means.name.clone();
        let slot = Arc::clone(&self.slot);
        self.means.journal.submit(
            move |journal| journal.load_state(&key),
            move |found| {
                slot.post(match found {
                    Ok(Loaded::Unavailable { why }) if !why.is_for_good() => {
                        let why = why.why;
                        KeyMessage::LookLater { ticket, why }
                    }
                    Ok(found) => KeyMessage::Happened(Event::Looked { ticket, found }),
                    Err(closed) => {
                        let why = closed.to_string();
                        KeyMessage::LookLater { ticket, why }
                    }
                });
            },
        );
    }

    fn read(&self, ticket: Ticket) {
        let key = self.means.name.clone();
        let slot = Arc::clone(&self.slot);
        let in_doubt = Arc::clone(&self.means.in_doubt);
        self.means.journal.submit(
            move |journal| journal.load_state(&key),
            move |found| {
                let found =
                    found.unwrap_or_else(|closed| Loaded::Unavailable { why: closed.into() });
                if let Loaded::Unavailable { why } = &found
                    && why.is_for_good()
                {
                    in_doubt(why.clone());
                }
                slot.post(KeyMessage::Happened(Event::Loaded { ticket, found }));
            },
        );
    }

    fn write(&self, ticket: Option<Ticket>, change: RecordChange) {
        let key = self.means.name.clone();
        let slot = Arc::clone(&self.slot);
        let in_doubt = Arc::clone(&self.means.in_doubt);
        let written = change.clone();
        self.means.journal.save(key, written, move |result| {
            if let Err(failure) = &result
                && (failure.unknown || failure.why.is_for_good())
            {
                in_doubt(failure.why.clone());
            }
            slot.post(KeyMessage::Happened(Event::Saved {
                ticket,
                change,
                result,
            }));
        });
    }
}
