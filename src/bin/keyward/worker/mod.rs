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

/// How long after an attempt that failed the keeper is asked again.
const ASKS_AGAIN: Duration = Duration::from_secs(1);

/// Says that the worker is ready, and answers when the keeper does not take it for a worker any more: it was
/// removed, say. A keeper that is away is waited for.
pub async fn refused(worker: &Worker) -> RotationError {
    loop {
        match worker.ready().await {
            Ok(()) => return worker.removed().await,
            Err(error) if error.is_retriable() => sleep(ASKS_AGAIN).await,
            Err(error) => return error,
        }
    }
}
