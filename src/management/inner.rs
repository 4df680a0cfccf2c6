//! What all handles of a manager share, and the manager's end.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::admission::Permits;
use crate::actors::clock::Clock;
use crate::actors::coordinator::message::CoordinatorMessage;
use crate::actors::declarer::Declarer;
use crate::actors::history_thread::HistoryThread;
use crate::actors::journal_thread::JournalThread;
use crate::actors::supervision::actor::{ActorThread, ActorThreads};
use crate::actors::supervision::supervisor::Supervision;
use crate::guard::events::Events;
use crate::guard::fork;
use crate::guard::plugins::Plugins;
use crate::guard::this_thread::{self, Role};
use crate::journal::unreadable::Unreadable;
use crate::key::name::WorkerName;
use crate::management::phase::{Phase, Phases};
use crate::management::settings::Settings;
use crate::rotation::error::RotationError;

/// So long the end of a manager waits for its sockets, which end their streams in less.
const STREAMS_END_WITHIN: Duration = Duration::from_secs(5);

/// What all handles of a manager share.
pub struct Inner {
    pub(crate) declarer: Declarer,
    pub(crate) journal: JournalThread,
    pub(crate) history: HistoryThread,
    pub(crate) events: Events,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) clock: Clock,
    pub(crate) supervision: Supervision,
    pub(crate) unreadable: Unreadable,
    pub(crate) settings: Settings,
    /// The permit for the one backup that may be under way.
    pub(crate) backup: Arc<Permits>,
    /// How far its end is, for the sockets over which it is served.
    pub(crate) phases: Arc<Phases>,
    pub(crate) actors: Mutex<Option<ActorThreads>>,
    /// To the thread that waits for the end.
    pub(crate) ending: mpsc::Sender<ManagerEnd>,
    /// How many keys were defined.
    pub(crate) keys: AtomicUsize,
}

impl Inner {
    /// Where the actor of the next key is to run.
    pub(crate) fn next_thread(&self) -> Option<ActorThread> {
        let actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.keys.fetch_add(1, Ordering::Relaxed);
        actors.as_ref().map(|actors| actors.key(number))
    }

    /// The permits of a worker's own requests. `main` stands for all that use the manager directly,
    /// and is bounded by the keys alone.
    pub(crate) fn worker_permits(&self, worker: &WorkerName) -> Option<Arc<Permits>> {
        let bounded = *worker != WorkerName::main();
        bounded.then(|| Permits::new(self.settings.max_worker_requests))
    }

    /// Ends the manager and waits for it.
    pub(crate) async fn shutdown(&self, grace: Option<Duration>) -> Result<(), RotationError> {
        fork::refuse_child()?;
        if this_thread::current_role() == Some(Role::Callback) {
            return Err(RotationError::InsideCallback);
        }
        let Some(actors) = self.take_actors() else {
            return Err(RotationError::ShutDown { id: None });
        };
        let grace = grace.unwrap_or(self.settings.shutdown_grace);
        let (told, ended) = oneshot::channel::<()>();
        self.ask_for_end(actors, grace, Some(told));
        drop(ended.await);
        Ok(())
    }

    /// In a child of `fork()` nothing is ended: what would be waited for is in its parent only. A
    /// handle more on each part keeps all of it from being dropped.
    fn leave_to_parent(&mut self) {
        let actors = self
            .actors
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        mem::forget(actors.take());
        mem::forget(self.declarer.clone());
        mem::forget(self.journal.clone());
        mem::forget(self.history.clone());
        mem::forget(self.events.clone());
        mem::forget(Arc::clone(&self.plugins));
        mem::forget(self.supervision.clone());
        mem::forget(self.ending.clone());
    }

    fn ask_for_end(
        &self,
        actors: ActorThreads,
        grace: Duration,
        told: Option<oneshot::Sender<()>>,
    ) {
        self.phases.go_on(Phase::Closing);
        // The coordinator hears of it first: once a request is refused, no further step begins.
        let (reply, drained) = oneshot::channel();
        let close = CoordinatorMessage::Close { grace, reply };
        self.declarer.coordinator.post(close);
        self.declarer.directory.close();
        let end = ManagerEnd {
            drained,
            declarer: self.declarer.clone(),
            plugins: Arc::clone(&self.plugins),
            journal: self.journal.clone(),
            supervision: self.supervision.clone(),
            actors,
            events: self.events.clone(),
            phases: Arc::clone(&self.phases),
            _told: told,
        };
        // The thread waits until it is asked, once.
        drop(self.ending.send(end));
    }

    /// The threads of the actors, to be ended once.
    fn take_actors(&self) -> Option<ActorThreads> {
        self.actors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if fork::is_child() {
            return self.leave_to_parent();
        }
        if let Some(actors) = self.take_actors() {
            self.ask_for_end(actors, self.settings.shutdown_grace, None);
        }
    }
}

/// The manager's end: callbacks first, then the journal, the actors, what runs plug-ins, and the
/// events of all that.
pub(crate) struct ManagerEnd {
    /// Told when no callback is under way any more, or its time is over.
    drained: oneshot::Receiver<()>,
    declarer: Declarer,
    plugins: Arc<Plugins>,
    journal: JournalThread,
    supervision: Supervision,
    actors: ActorThreads,
    events: Events,
    phases: Arc<Phases>,
    /// Dropped when all of it has ended.
    _told: Option<oneshot::Sender<()>>,
}

impl ManagerEnd {
    /// Ends the manager. It takes the grace at most, and as long as its disk.
    pub(crate) fn run(self) {
        let flushed = this_thread::wait(async {
            drop(self.drained.await);
            self.supervision.close();
            self.declarer.directory.stop_keys();
            self.journal.close().await;
            // Waiters have their answers; a socket gives them to its clients, and ends every stream.
            self.phases.go_on(Phase::Ended);
            let streams = self.phases.seen_by_none();
            let _all_have_ended = self.plugins.within(STREAMS_END_WITHIN, streams).await;
        });
        if flushed.is_err() {
            self.events
                .tell(|| tracing::error!("the manager could not wait for its end"));
        }
        self.actors.close();
        self.plugins.close();
        self.events.close();
    }
}
