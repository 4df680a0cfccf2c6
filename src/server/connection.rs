//! One connection, as the requests that come over it see it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::key::name::WorkerName;
use crate::rotation::act::By;
use crate::server::bounds::ServeBounds;
use crate::server::counts::{ConnectionPlace, RequestPlace, UserCounts, places};
use crate::server::grants::Asker;
use crate::server::peer::Peer;
use crate::server::refusal::SocketRefusal;
use crate::server::unread::UnreadAnswers;

/// One connection.
pub(super) struct Connection {
    /// Its peer, by the kernel's word.
    pub(super) peer: Peer,
    /// Whether it is served, or its peer only told why it is not.
    pub(super) service: Service,
    user: Arc<UserCounts>,
    requests: Arc<Semaphore>,
    has_asked: AtomicBool,
    cut: Notify,
    why_cut: Mutex<Option<String>>,
    /// Told when the answer after which it is to end has been given.
    answered: Notify,
    /// Whether a worker joins over it, or has joined.
    joined: AtomicBool,
    /// The answers that its peer makes no room for.
    unread: Arc<UnreadAnswers>,
    /// The worker that has joined over it.
    worker: Mutex<Option<WorkerName>>,
}

/// What becomes of a connection's requests.
pub(super) enum Service {
    /// They are answered.
    Full { _place: ConnectionPlace },
    /// The first one is, and that is the end: nothing is granted to its user.
    Stranger { _place: OwnedSemaphorePermit },
    /// They are refused for this.
    Refused {
        why: SocketRefusal,
        _place: OwnedSemaphorePermit,
    },
}

impl Connection {
    pub(super) fn new(
        peer: Peer,
        service: Service,
        user: Arc<UserCounts>,
        bounds: &ServeBounds,
    ) -> Self {
        Self {
            peer,
            service,
            user,
            requests: places(bounds.requests_of_connection),
            has_asked: AtomicBool::new(false),
            cut: Notify::new(),
            why_cut: Mutex::default(),
            answered: Notify::new(),
            joined: AtomicBool::new(false),
            unread: Arc::default(),
            worker: Mutex::default(),
        }
    }

    /// The peer at the other end.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker {
            user: self.peer.user,
            groups: &self.peer.groups,
        }
    }

    /// What its user has taken.
    pub(super) fn user(&self) -> &UserCounts {
        &self.user
    }

    /// A place for a request.
    pub(super) fn request(&self, bounds: &ServeBounds) -> Result<RequestPlace, SocketRefusal> {
        self.user.request(&self.requests, bounds)
    }

    /// Notes that a request's headers have come.
    pub(super) fn note_request(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }

    /// Whether a request's headers have come.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Ends the connection at once.
    pub(super) fn cut(&self, why: String) {
        let mut known = self.why_cut.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert(why);
        drop(known);
        self.cut.notify_one();
    }

    /// Waits until the connection is to end at once; answers why.
    pub(super) async fn to_be_cut(&self) -> String {
        self.cut.notified().await;
        let mut why = self.why_cut.lock().unwrap_or_else(PoisonError::into_inner);
        why.take().unwrap_or_default()
    }

    /// Notes that an answer was given: with it, a connection that is not served ends.
    pub(super) fn note_answer(&self) {
        match self.service {
            Service::Full { .. } => {}
            Service::Stranger { .. } | Service::Refused { .. } => self.answered.notify_one(),
        }
    }

    /// The answers that its peer makes no room for.
    pub(super) fn unread(&self) -> &Arc<UnreadAnswers> {
        &self.unread
    }

    /// Waits for the answer with which the connection ends.
    pub(super) async fn to_be_ended(&self) {
        self.answered.notified().await;
    }

    /// Takes the one place of a worker that a connection has; false if it is taken.
    pub(super) fn join(&self) -> bool {
        !self.joined.swap(true, Ordering::AcqRel)
    }

    /// The worker has joined.
    pub(super) fn joined_as(&self, worker: WorkerName) {
        *self.worker() = Some(worker);
    }

    /// Frees the place of the worker.
    pub(super) fn leave(&self) {
        *self.worker() = None;
        self.joined.store(false, Ordering::Release);
    }

    fn worker(&self) -> MutexGuard<'_, Option<WorkerName>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user and process at the other end, as the kernel says, and the worker that has joined.
    pub(super) fn by(&self) -> By {
        let Peer { user, pid, .. } = self.peer;
        By::process(user, pid).of_worker(self.worker().clone())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.peer)
    }
}
