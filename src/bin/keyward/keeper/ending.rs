//! The signals of a keeper: two that end it, one by which it reads its configuration anew.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for the end: SIGTERM, and SIGINT from a terminal.
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// Watches them from now on.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}

/// Ends this process as the signal would have without a handler: at once, and its parent sees by which.
pub fn end_by(kind: SignalKind) -> ! {
    let number = kind.as_raw_value();
    // SAFETY: the default action runs no code of this process, and neither call has another effect.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
    // A signal that is blocked does not end it.
    std::process::exit(128 + number)
}
