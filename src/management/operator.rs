//! The operator's calls: listing, resume, abort, dismissal, and recovery of keys.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::actors::coordinator::message::{CoordinatorMessage, With};
use crate::actors::directory::KeyEntry;
use crate::actors::journal_thread::Refused;
use crate::actors::overview::{Listing, Overview};
use crate::guard::fork;
use crate::journal::error::JournalError;
use crate::journal::history::HistoryReading;
use crate::journal::opened::Journal;
use crate::journal::secrets::RotationSecrets;
use crate::key::definition::KeyBehaviour;
use crate::key::event::Ticket;
use crate::key::facts::KeyFacts;
use crate::key::name::WorkerName;
use crate::management::answer::about;
use crate::management::keys_management::KeysManagement;
use crate::operator::actor::ActorName;
use crate::operator::status::{HistoryListing, KeyStatus, RecoveredKeys, Status, WorkerStatus};
use crate::rotation::act::{By, Deed};
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;

/// How many rotations a page of the history has at most.
const MAX_PAGE: usize = 1_000;

impl KeysManagement {
    /// Everything an operator may know: keys, workers, and every rotation that has not ended with
    /// its steps and for whom it waits. Each rotation is shown as it was at some moment of the call.
    ///
    /// # Errors
    /// `busy` while 64 others are being answered; `timed_out`, `unavailable`, `shut_down`, `forked`.
    pub async fn status(&self) -> Result<Status, RotationError> {
        self.inner.declarer.within(None, self.status_of_all()).await
    }

    async fn status_of_all(&self) -> Result<Status, RotationError> {
        let mut overview = self.overview().await?;
        let mut keys = self.inner.declarer.directory.all();
        keys.sort_by(|a, b| a.name().cmp(b.name()));
        // All that are asked are so before the first answer is awaited.
        let facts: Vec<_> = keys.iter().map(KeyEntry::facts).collect();
        let facts = join_all(facts).await;
        let key = |(entry, facts): (&Arc<KeyEntry>, KeyFacts)| KeyStatus {
            name: entry.name().clone(),
            behaviour: KeyBehaviour::clone(entry.behaviour()),
            facts,
        };
        Ok(Status {
            keys: keys.iter().zip(facts).map(key).collect(),
            workers: overview.workers(),
            rotations: overview.reports(),
            unreadable_rotations: overview.unreadable,
            unreadable_records: self.inner.unreadable.all(),
            paused: overview.paused,
            lost: overview.lost,
            damaged_history: self.inner.history.damage(),
            actors: self.inner.supervision.statuses(),
        })
    }

    /// Every rotation that has not ended, in the order of the declarations, each as it was at some
    /// moment of the call.
    ///
    /// One that is [`Obsolete`](crate::rotation::state::RotationState::Obsolete) stays here until it is aborted,
    /// for it keeps its keys; [`RotationReport::remedy`] says what is to be done about each.
    ///
    /// # Errors
    /// `busy` while 64 others are being answered; `timed_out`, `unavailable`, `shut_down`, `forked`.
    pub async fn rotations(&self) -> Result<Vec<RotationReport>, RotationError> {
        let overview = self.inner.declarer.within(None, self.overview());
        Ok(overview.await?.reports())
    }

    /// The roster, in the order of joining.
    ///
    /// # Errors
    /// `busy` while 64 others are being answered; `timed_out`, `unavailable`, `shut_down`, `forked`.
    pub async fn workers(&self) -> Result<Vec<WorkerStatus>, RotationError> {
        let overview = self.inner.declarer.within(None, self.overview());
        Ok(overview.await?.workers())
    }

    pub(super) async fn overview(&self) -> Result<Overview, RotationError> {
        let (reply, overview) = oneshot::channel();
        let coordinator = &self.inner.declarer.coordinator;
        let listing = Listing::new(reply, coordinator.listing()?);
        coordinator.post(CoordinatorMessage::List(listing));
        match (overview.await, coordinator.gone()) {
            (Ok(overview), _) => Ok(overview),
            // An operator has to see this, above all.
            (Err(_), RotationError::CoordinatorFailed { why }) => Ok(Overview::of_failed(&why)),
            (Err(_), gone) => Err(gone),
        }
    }

    /// The last `limit` rotations that have ended, the latest declaration first: one page, of 1,000
    /// rotations at most, and of fewer where they have very many steps. `next` of the listing begins
    /// the next page.
    ///
    /// It is read in pieces, which everything else that needs the journal goes before, and no more
    /// where its caller has gone.
    ///
    /// # Errors
    /// `timed_out`, `busy`, `repo_unavailable`, `shut_down`, `forked`.
    pub async fn history(&self, limit: usize) -> Result<HistoryListing, RotationError> {
        self.history_page(None, limit).await
    }

    /// As [`history`](Self::history), of the rotations whose sequence number is below `sequence`:
    /// `next` of the page before this one.
    ///
    /// # Errors
    /// `timed_out`, `busy`, `repo_unavailable`, `shut_down`, `forked`.
    pub async fn history_before(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<HistoryListing, RotationError> {
        self.history_page(Some(sequence), limit).await
    }

    async fn history_page(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryListing, RotationError> {
        let mut reading = HistoryReading::new(limit.min(MAX_PAGE), before);
        let piece = move |journal: &mut Journal| match journal.read_history(&mut reading) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(history)) => ControlFlow::Break(Ok(history)),
            Err(error) => ControlFlow::Break(Err(error)),
        };
        let read = async {
            match self.inner.journal.read(piece).await {
                Ok(Ok(history)) => Ok(HistoryListing {
                    rotations: history.rotations,
                    unreadable: history.unreadable,
                    acts: history.acts,
                    next: history.next,
                }),
                Ok(Err(error)) => Err(RotationError::of_journal(None, (&error).into())),
                Err(Refused::Busy { bound }) => Err(RotationError::Busy { bound }),
                Err(Refused::Closed) => Err(RotationError::ShutDown { id: None }),
            }
        };
        self.inner.declarer.within(None, read).await
    }

    /// Takes a rotation up again that was stopped or completed with failures: its Failed and
    /// Pending steps run when its turn comes, its Succeeded ones never again.
    ///
    /// # Errors
    /// `unknown_rotation`, `wrong_state`, `rotation_unreadable`, `timed_out`, `busy`, `repo_unavailable`,
    /// `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn resume(&self, id: RotationId) -> Result<(), RotationError> {
        let by = self.who();
        let resume = move |ticket| Event::Resume { ticket, id, by };
        self.operate(id, Deed::Resumed, resume).await
    }

    /// Ends a rotation for good, also of a key that is not defined. It undoes nothing, and the
    /// rotation's keys leave the journal. The workers whose steps have not Succeeded, which may
    /// hold data under the old key, have to be named in `confirmed`; `not_confirmed` tells them.
    ///
    /// # Errors
    /// `not_confirmed`, `callback_runs`, `mixed_writers`, `invalid_name`, `unknown_rotation`, `wrong_state`,
    /// `rotation_unreadable`, `timed_out`, `busy`, `repo_unavailable`, `write_unknown`, `unavailable`,
    /// `coordinator_failed`, `shut_down`, `forked`.
    pub async fn abort(&self, id: RotationId, confirmed: &[&str]) -> Result<(), RotationError> {
        let names = confirmed.iter().map(|name| WorkerName::new(name));
        let confirmed = names.collect::<Result<BTreeSet<WorkerName>, _>>()?;
        let by = self.who();
        let abort = move |ticket| Event::Abort {
            ticket,
            id,
            confirmed,
            by,
        };
        self.operate(id, Deed::Aborted, abort).await
    }

    /// Moves the records of an unreadable rotation to quarantine, so that its key goes on without
    /// it.
    ///
    /// # Errors
    /// `unknown_rotation`, `wrong_state` if it can be read, `timed_out`, `busy`, `repo_unavailable`,
    /// `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn dismiss(&self, id: RotationId) -> Result<(), RotationError> {
        let by = self.who();
        let dismiss = move |ticket| Event::Dismiss { ticket, id, by };
        self.operate(id, Deed::Dismissed, dismiss).await
    }

    async fn operate(
        &self,
        id: RotationId,
        deed: Deed,
        make: impl FnOnce(Ticket) -> Event + Send + 'static,
    ) -> Result<(), RotationError> {
        let declarer = &self.inner.declarer;
        let operate = async {
            let answer = declarer.coordinator.ask(With::Nothing, make).await;
            match answer.map_err(|error| about(id, error))? {
                Reply::NotLive { .. } => {
                    let state = self.inner.ended(id).await?.state;
                    let why = "it has ended; there is nothing to do about it";
                    Err(RotationError::WrongState { id, state, why })
                }
                Reply::Done
                | Reply::CaughtUp { .. }
                | Reply::AskStores { .. }
                | Reply::WithoutVersions { .. }
                | Reply::Accepted { .. }
                | Reply::Report(_)
                | Reply::Joined { .. } => Ok(()),
            }
        };
        declarer.within(Some(id), operate).await?;
        self.tell_act(deed, format!("rotation {id}"));
        Ok(())
    }

    /// Tells who did what.
    pub(super) fn tell_act(&self, deed: Deed, about: String) {
        let By {
            user,
            process,
            reason,
            ..
        } = self.who();
        let reason = reason.unwrap_or_default();
        self.inner.events.tell(move || {
            tracing::info!(user, process, reason, "{about} was {deed}");
        });
    }

    /// The keys of a rotation that still holds them: one that has not ended, obsolete ones too.
    /// They may be the last copy of an old key that data is still under. The call is a tracing event of level warn.
    ///
    /// # Errors
    /// `unknown_rotation`, `wrong_state` if it has ended and its keys are gone, `rotation_unreadable`,
    /// `timed_out`, `busy`, `unavailable`, `coordinator_failed`, `shut_down`, `forked`; `repo_unavailable`
    /// of one that does not run, where the repo does not answer.
    pub async fn recover_keys(&self, id: RotationId) -> Result<RecoveredKeys, RotationError> {
        let keys = self.keys_of(id);
        self.inner.declarer.within(Some(id), keys).await
    }

    async fn keys_of(&self, id: RotationId) -> Result<RecoveredKeys, RotationError> {
        let (reply, secrets) = oneshot::channel();
        let coordinator = &self.inner.declarer.coordinator;
        let permit = coordinator.listing()?;
        coordinator.post(CoordinatorMessage::Recover { id, reply, permit });
        let gone = |_| about(id, coordinator.gone());
        let here = secrets.await.map_err(gone)?;
        // What waits, or was stopped, has them in the journal only.
        let secrets = match here {
            Some(secrets) => Some(secrets),
            None => self.sealed(id).await?,
        };
        if let Some(secrets) = secrets {
            self.inner.events.tell(move || {
                tracing::warn!(rotation = %id, "an operator took the keys of a rotation");
            });
            return Ok(RecoveredKeys {
                old: secrets.old,
                new: secrets.new,
            });
        }
        let state = self.inner.ended(id).await?.state;
        let why = "its keys have left the journal";
        Err(RotationError::WrongState { id, state, why })
    }

    /// What the journal has of a rotation that has not ended.
    pub(super) async fn sealed(
        &self,
        id: RotationId,
    ) -> Result<Option<RotationSecrets>, RotationError> {
        let found = self
            .inner
            .journal
            .ask(move |journal| journal.living_secrets(id))
            .await;
        match found {
            Ok(Ok(secrets)) => Ok(secrets),
            Ok(Err(error @ JournalError::Unreadable { .. })) => {
                let why = error.to_string();
                Err(RotationError::Unreadable { id, why })
            }
            Ok(Err(error)) => Err(RotationError::of_journal(Some(id), (&error).into())),
            Err(Refused::Busy { bound }) => Err(RotationError::Busy { bound }),
            Err(Refused::Closed) => Err(RotationError::ShutDown { id: Some(id) }),
        }
    }

    /// Starts an actor again that has failed, with what it knew when it died.
    ///
    /// # Errors
    /// `unknown_actor`; `not_failed`, also for the actor of a worker, which lives again when a worker of
    /// its name joins; `shut_down`, `forked`.
    pub async fn restart(&self, actor: &ActorName) -> Result<(), RotationError> {
        fork::refuse_child()?;
        if self.inner.declarer.directory.is_closed() {
            return Err(RotationError::ShutDown { id: None });
        }
        let name = actor.to_string();
        match self.inner.supervision.renew(actor) {
            Some(true) => {
                self.inner
                    .events
                    .tell(move || tracing::warn!(actor = %name, "an operator restarts an actor"));
                Ok(())
            }
            Some(false) => Err(RotationError::NotFailed { actor: name }),
            None => Err(RotationError::UnknownActor { actor: name }),
        }
    }

    /// Lets an actor die, in the middle of what it does: at its fault point of this number from now
    /// on, 1 being the next. There is one before each message that it takes, and one before each
    /// thing that it does because of it; an idle actor passes the first at once. False if no such
    /// actor is known.
    #[cfg(feature = "testing")]
    pub fn kill_actor(&self, actor: &ActorName, fault_point: u64) -> bool {
        self.inner.supervision.kill_at(actor, fault_point)
    }
}
