//! Signals that ask a command to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP from the moment when they are watched: one that comes while nothing waits for it is
/// answered by the next wait. A command watches them once, for the process no longer ends by them itself.
pub struct Interruption([Signal; 3]);

impl Interruption {
    /// Watches them from now on.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn watch() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_signal_between_two_waits_is_answered_by_the_next_one() {
        let mut interruption = Interruption::watch().unwrap();
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let none = timeout(Duration::ZERO, interruption.next()).await;
            none.unwrap_err();
            kill_process(getpid(), signal).unwrap();
            let seen = timeout(Duration::from_secs(20), interruption.next()).await;
            seen.unwrap();
        }
    }
}
