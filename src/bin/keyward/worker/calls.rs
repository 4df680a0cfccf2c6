//! The calls of callbacks that are commands. The commands are started on the main thread, to whose life the
//! kernel ties theirs: none outlives this process, whose end tells the keeper that its calls have ended.

use std::time::{Duration, Instant};

use keyward::{CommandLine, Effect, KeyChange, RotationError, Worker};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::worker::call::call;
use crate::worker::on_change::OnChange;

/// So many calls wait for the main thread at most; it starts each at once.
const WAITING: usize = 16;

/// What callbacks ask of the main thread.
struct Asked {
    command: CommandLine,
    change: KeyChange,
    since: Instant,
    answer: oneshot::Sender<Result<Effect, String>>,
}

/// The callbacks of one worker, and their calls.
pub struct Calls {
    ask: mpsc::Sender<Asked>,
    asked: mpsc::Receiver<Asked>,
    running: JoinSet<()>,
}

impl Calls {
    /// None yet.
    pub fn new() -> Self {
        let (ask, asked) = mpsc::channel(WAITING);
        Self {
            ask,
            asked,
            running: JoinSet::new(),
        }
    }

    /// Registers a callback that is this command.
    ///
    /// # Errors
    /// As [`Worker::register_on_change`].
    pub async fn register(
        &mut self,
        worker: &Worker,
        on_change: &OnChange,
        callback: &str,
        variables: &[String],
        memory: bool,
    ) -> Result<(), RotationError> {
        let words = &on_change.command;
        let mut command = CommandLine::new(&words.program).bound_to_its_starter();
        command = command.args(&words.arguments);
        for name in variables {
            command = command.pass_env(name);
        }
        let ask = self.ask.clone();
        let calls = move |change: KeyChange| {
            let (ask, command) = (ask.clone(), command.clone());
            async move {
                let (answer, answered) = oneshot::channel();
                let asked = Asked {
                    command,
                    change,
                    since: Instant::now(),
                    answer,
                };
                let ends = || "the worker ends".to_owned();
                ask.send(asked).await.map_err(|_| ends())?;
                answered.await.map_err(|_| ends())?
            }
        };
        let key = &on_change.key;
        let registered = async {
            if !memory {
                return worker.register_on_change(key, callback, calls).await;
            }
            let caught_up = worker.register_in_memory(key, callback, calls).await?;
            for (rotation, error) in caught_up.failed {
                tracing::error!(
                    key, callback, %rotation, error,
                    "the command failed when it was caught up with a change that had begun"
                );
            }
            Ok(())
        };
        // One that is caught up is called before its registration is answered.
        tokio::select! {
            registered = registered => registered,
            () = Self::run(&mut self.asked, &mut self.running) => Ok(()),
        }
    }

    /// Runs what is asked for. It does not end; what runs goes on where it is dropped.
    pub async fn serve(&mut self) {
        Self::run(&mut self.asked, &mut self.running).await;
    }

    /// Runs what is still asked for, until there was nothing for so long.
    pub async fn finish(&mut self, quiet: Duration) {
        loop {
            drop(timeout(quiet, self.serve()).await);
            if self.running.is_empty() {
                // What the last one has answered has its time, too.
                return sleep(quiet).await;
            }
        }
    }

    async fn run(asked: &mut mpsc::Receiver<Asked>, running: &mut JoinSet<()>) {
        loop {
            tokio::select! {
                Some(asked) = asked.recv() => {
                    running.spawn(answer(asked));
                }
                Some(_) = running.join_next() => {}
                else => std::future::pending().await,
            }
        }
    }
}

async fn answer(mut asked: Asked) {
    let ended = tokio::select! {
        ended = call(&asked.command, &asked.change, asked.since) => ended,
        // The limit has passed: the command is killed.
        () = asked.answer.closed() => return,
    };
    drop(asked.answer.send(ended));
}
