//! `keyward worker`: callbacks that are commands.
//!
//! Never in here: how a command is run (the library's `CommandLine` does), a key in an argument or a text.

use std::time::Duration;

use keyward::{RotationError, Worker};
use tokio::time::sleep;

pub mod call;
pub mod calls;
pub mod on_change;
#[cfg(test)]
mod tests;

/// How long a process waits with its end, so that what it has said last is written to the keeper.
pub const LAST_WORDS: Duration = Duration::from_millis(200);

/// How often the keeper is asked whether the worker is still one, and how long after an attempt that failed.
const ASK_EVERY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1));

/// Says that the worker is ready, and answers when the keeper does not take it for a worker any more: it was
/// removed, say. A keeper that is away is waited for.
pub async fn refused(worker: &Worker) -> RotationError {
    loop {
        match worker.ready().await {
            Ok(()) => sleep(ASK_EVERY.0).await,
            Err(error) if error.is_retriable() => sleep(ASK_EVERY.1).await,
            Err(error) => return error,
        }
    }
}
