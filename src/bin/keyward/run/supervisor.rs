//! The supervision of one program: signals and its end pass through, and at a change of a key it is told or
//! started again, and put back to what it had if that fails.
//!
//! It knows nothing of where changes come from.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use keyward::{CommandLine, Scrubber, SecretKeyValue, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::hardening::complain;
use crate::run::children;
use crate::run::error::RunError;
use crate::run::keys::{HeldKeys, write_files};
use crate::run::program::{Program, Running};
use crate::run::signals::{ReloadSignal, Signals, catches};

/// How long a program goes on after a change that has succeeded, where no command says so.
const SETTLED: Duration = Duration::from_secs(5);

/// How long a program that is to be started again gets to end at most, before it is killed.
const LONGEST_END: Duration = Duration::from_secs(10);

/// How long it is waited until the ready command is run again.
const PAUSE: Duration = Duration::from_millis(200);

/// A key's new value for the program.
pub struct NewKey {
    /// The key's name.
    pub key: String,
    /// Its new value.
    pub value: SecretKeyValue,
    /// How long the change may take, since then.
    pub limit: Duration,
    /// When it began.
    pub since: Instant,
    /// Told whether the program has taken it up, or why not.
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// How a program is told of changes.
#[derive(Debug, Clone)]
pub struct Telling {
    /// By which signal; it is started again without one.
    pub signal: Option<ReloadSignal>,
    /// What has to succeed for a change to have succeeded.
    pub ready: Option<CommandLine>,
}

/// A program under supervision.
pub struct Supervisor {
    program: Program,
    running: Running,
    held: HeldKeys,
    telling: Telling,
    signals: Signals,
}

/// Why a change did not succeed.
enum NotTaken {
    /// The program was given nothing of it.
    NotGiven(String),
    /// It may have the new key.
    Given(String),
    /// It has ended, as it was asked to, or without the change.
    Ended(ExitStatus),
}

/// How the time of one change is divided.
struct Times {
    end: Duration,
    ready: Duration,
}

impl Supervisor {
    /// Gives the program its keys, and starts it.
    ///
    /// # Errors
    /// A key cannot be put in its place, or the program cannot be started.
    pub fn start(
        program: Program,
        held: HeldKeys,
        telling: Telling,
        signals: Signals,
    ) -> Result<Self, RunError> {
        program.check(&held)?;
        children::adopt().map_err(RunError::system("adopting what the program leaves behind"))?;
        write_files(&program.places, &held, None)?;
        Ok(Self {
            running: program.start(&held)?,
            program,
            held,
            telling,
            signals,
        })
    }

    /// Supervises it to its end, and answers how it ended.
    ///
    /// # Errors
    /// It cannot be supervised any more; it has been ended.
    pub async fn run(
        mut self,
        changes: &mut mpsc::Receiver<NewKey>,
    ) -> Result<ExitStatus, RunError> {
        loop {
            let ended = tokio::select! {
                status = self.running.ended(&mut self.signals, true) => Some(status),
                Some(change) = changes.recv() => self.change(change).await?,
            };
            if let Some(status) = ended {
                return self.finish(status).await;
            }
        }
    }

    /// Ends what the program left behind. One that ends with success and leaves something behind that goes on
    /// is in the background.
    async fn finish(self, status: ExitStatus) -> Result<ExitStatus, RunError> {
        let asked = self.signals.asked_to_end(self.running.since);
        let daemon = status.success() && !asked && children::go_on().await;
        children::end_all().await;
        if daemon {
            let program = self.program.name();
            return Err(RunError::Daemon { program });
        }
        Ok(status)
    }

    /// Gives the program a new key; if that fails, it goes on with what it had. Answers how it ended if it did.
    async fn change(&mut self, change: NewKey) -> Result<Option<ExitStatus>, RunError> {
        let why = match self.give(&change).await {
            Ok(()) => {
                let NewKey {
                    key, value, answer, ..
                } = change;
                if answer.send(Ok(())).is_ok() {
                    self.held.insert(key, value);
                    return Ok(None);
                }
                // Its caller has taken it for failed.
                return self.put_back(PAUSE).await;
            }
            Err(NotTaken::NotGiven(why)) => why,
            Err(NotTaken::Ended(status)) => {
                let why = format!("{} has ended ({status})", self.program.name());
                drop(change.answer.send(Err(why)));
                return Ok(Some(status));
            }
            Err(NotTaken::Given(why)) => {
                let left = change.limit.saturating_sub(change.since.elapsed());
                let back = self.put_back((left / 2).min(LONGEST_END)).await;
                let why = match &back {
                    Ok(None) => format!("{why}; it was started again with what it had"),
                    Ok(Some(_)) => why,
                    Err(error) => format!("{why}; it could not be started again: {error}"),
                };
                complain(format_args!("{}: {why}", change.key));
                drop(change.answer.send(Err(why)));
                return back;
            }
        };
        complain(format_args!("{}: {why}", change.key));
        drop(change.answer.send(Err(why)));
        Ok(None)
    }

    async fn give(&mut self, change: &NewKey) -> Result<(), NotTaken> {
        if self.held.get(&change.key) == Some(&change.value) {
            return Ok(());
        }
        let (begun, name) = (Instant::now(), self.program.name());
        if self.signals.asked_to_end(begun) {
            return Err(NotTaken::NotGiven(format!("{name} was told to end")));
        }
        let times = self.times(change).map_err(NotTaken::NotGiven)?;
        let mut next = self.held.clone();
        next.insert(change.key.clone(), change.value.clone());
        let not_given = |error: RunError| NotTaken::NotGiven(error.to_string());
        self.program.check(&next).map_err(not_given)?;
        let restarts = self.program.has_in_variable(&change.key);
        let signal = self.telling.signal.filter(|_| !restarts);
        if let Some(signal) = signal {
            self.until_caught(signal).await?;
        }
        let given = |error: RunError| NotTaken::Given(error.to_string());
        write_files(&self.program.places, &next, Some(&change.key)).map_err(given)?;
        match signal {
            Some(signal) => self.running.send(signal.0),
            None => {
                let status = self.stop(times.end).await;
                if self.signals.asked_to_end(begun) {
                    return Err(NotTaken::Ended(status));
                }
                self.running = self.program.start(&next).map_err(given)?;
            }
        }
        self.settled(begun, &times, &next).await
    }

    fn times(&self, change: &NewKey) -> Result<Times, String> {
        let left = change.limit.saturating_sub(change.since.elapsed());
        let ready = (change.limit / 2).min(left * 2 / 3);
        let taken = match self.telling.ready {
            Some(_) => ready,
            None => SETTLED,
        };
        // It may have to end twice: for the change, and after one that failed.
        let end = left.saturating_sub(taken) / 3;
        if end < PAUSE {
            return Err(format!(
                "{left:?} are left for the change, which are too few to see whether {} goes on for \
                 {SETTLED:?}; raise the time limit of the key's callbacks",
                self.program.name()
            ));
        }
        Ok(Times {
            end: end.min(LONGEST_END),
            ready,
        })
    }

    /// Waits until the program catches the signal, which one that has just been started may not do yet.
    async fn until_caught(&mut self, signal: ReloadSignal) -> Result<(), NotTaken> {
        let name = self.program.name();
        loop {
            if catches(self.running.process, signal) {
                return Ok(());
            }
            if self.running.since.elapsed() > SETTLED {
                return Err(NotTaken::NotGiven(format!(
                    "{name} does not catch {signal}, by which it is to be told of new keys; name a signal that \
                     it catches, or none, and it is started again at each change"
                )));
            }
            let ended = self.running.ended(&mut self.signals, true);
            if let Ok(status) = timeout(PAUSE, ended).await {
                return Err(NotTaken::Ended(status));
            }
        }
    }

    /// Waits until the change has succeeded.
    async fn settled(
        &mut self,
        begun: Instant,
        times: &Times,
        next: &HeldKeys,
    ) -> Result<(), NotTaken> {
        let (name, given) = (self.program.name(), Instant::now());
        let ready = self.telling.ready.clone();
        let is_ready = async {
            match &ready {
                Some(ready) => {
                    let keys = self.held.values().chain(next.values()).cloned();
                    succeeds(ready, times.ready, &Scrubber::new(keys)).await
                }
                None => {
                    sleep(SETTLED).await;
                    Ok(())
                }
            }
        };
        let status = tokio::select! {
            ready = is_ready => {
                return ready.map_err(|why| NotTaken::Given(format!("{name} is not ready: {why}")));
            }
            status = self.running.ended(&mut self.signals, ready.is_none()) => status,
        };
        if self.signals.asked_to_end(begun) {
            return Err(NotTaken::Ended(status));
        }
        let after = given.elapsed().as_secs_f64();
        let daemon = status.success() && children::go_on().await;
        Err(NotTaken::Given(if daemon {
            RunError::Daemon { program: name }.to_string()
        } else {
            format!("{name} ended ({status}) {after:.1} s after it was given the new key")
        }))
    }

    /// Ends the program and what it leaves behind; killed if it takes too long.
    async fn stop(&mut self, limit: Duration) -> ExitStatus {
        self.running.send(libc::SIGTERM);
        let ended = timeout(limit, self.running.ended(&mut self.signals, true)).await;
        let status = match ended {
            Ok(status) => status,
            Err(_) => {
                self.running.send(libc::SIGKILL);
                self.running.ended(&mut self.signals, true).await
            }
        };
        children::end_all().await;
        status
    }

    /// Starts the program again with what it had, unless it was asked to end meanwhile.
    async fn put_back(&mut self, limit: Duration) -> Result<Option<ExitStatus>, RunError> {
        let begun = Instant::now();
        let status = self.stop(limit).await;
        if self.signals.asked_to_end(begun) {
            return Ok(Some(status));
        }
        write_files(&self.program.places, &self.held, None)?;
        self.running = self.program.start(&self.held)?;
        Ok(None)
    }
}

/// Runs the command until it succeeds, each time with what is left of the limit.
async fn succeeds(
    command: &CommandLine,
    limit: Duration,
    scrubber: &Scrubber,
) -> Result<(), String> {
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let nothing = SecretKeyValue::new(Vec::new());
        let error = match command.run(nothing, left).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let again = matches!(error, StoreError::Command { .. });
        if !again || Instant::now() + PAUSE > end {
            return Err(format!(
                "the ready command has not succeeded within {limit:?}: {}",
                error.described(scrubber)
            ));
        }
        sleep(PAUSE).await;
    }
}
