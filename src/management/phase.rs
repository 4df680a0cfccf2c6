//! How far the end of a manager is, or of the service of its socket.

use tokio::sync::watch;

/// How far the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Phase {
    /// It goes on.
    #[default]
    Open,
    /// Nothing new is taken; what runs has its time.
    Closing,
    /// Every stream ends.
    Ended,
}

/// Tells the phases.
#[derive(Debug, Default)]
pub(crate) struct Phases(watch::Sender<Phase>);

/// Sees the phases.
#[cfg(feature = "server")]
#[derive(Debug, Clone)]
pub(crate) struct PhaseWatch(watch::Receiver<Phase>);

impl Phases {
    /// Goes on to this phase; there is no way back.
    pub(crate) fn go_on(&self, phase: Phase) {
        self.0.send_modify(|now| *now = phase.max(*now));
    }

    /// Waits until nothing sees them any more.
    pub(crate) async fn seen_by_none(&self) {
        self.0.closed().await;
    }

    /// What sees them.
    #[cfg(feature = "server")]
    pub(crate) fn watch(&self) -> PhaseWatch {
        PhaseWatch(self.0.subscribe())
    }
}

#[cfg(feature = "server")]
impl PhaseWatch {
    /// The phase now.
    pub(crate) fn now(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until nothing new is taken.
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.at_least(Phase::Closing)
    }

    /// Waits until every stream ends.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.at_least(Phase::Ended)
    }

    fn at_least(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut phases = self.0.clone();
        async move {
            // When the sender of the phases is gone, all has ended.
            let _ = phases.wait_for(|now| *now >= phase).await;
        }
    }
}
