//! One scenario, step by step.

use std::sync::Arc;

use keyward::{
    CallbackStatus, Change, KeyError, RotationError, RotationId, RotationReport, SecretKeyFlow,
};
use serde::Serialize;

use super::life::{End, KEY, Life};
use super::namespace::Namespace;
use super::outside::Outside;
use super::plant::plant;
use super::scenario::{Scenario, Step};

/// What was seen of a scenario.
#[derive(Debug, PartialEq, Serialize)]
pub struct Seen {
    /// The scenario's name.
    pub name: String,
    /// One entry a step.
    pub seen: Vec<Sight>,
    /// How often the store was called.
    pub store_calls: u64,
    /// How often a state record was loaded, found or not.
    pub state_reads: u64,
}

/// What was seen of one step.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Sight {
    /// A value was answered.
    Value {
        /// Its text.
        value: String,
    },
    /// An error was answered.
    Error {
        /// Its code.
        error: &'static str,
    },
    /// A rotation came to its end.
    Rotation {
        /// The callbacks that were called, once for each attempt.
        ran: Vec<String>,
        /// The statuses of all, in the plan's order.
        statuses: Vec<&'static str>,
        /// `error` where the strategy raises, else `ok`.
        result: &'static str,
    },
    /// Nothing is to be said.
    Done {},
}

/// Replays a scenario on its part of the database.
///
/// # Errors
/// What kept it from being replayed. What keyward answers to a step is none.
pub async fn replay(scenario: Scenario, repo: Namespace) -> Result<Seen, String> {
    if let Some(state) = &scenario.state {
        plant(&repo, state)?;
    }
    let store = scenario.store.clone().map(Into::into);
    let mut replay = Replay {
        life: Life::start(repo.clone()).await?,
        outside: Arc::new(Outside::new(store)),
        state_reads: 0,
        repo,
        scenario,
    };
    replay.set_up().await?;
    let mut seen = Vec::new();
    for (index, step) in replay.scenario.steps.clone().into_iter().enumerate() {
        let sight = replay.step(step).await;
        seen.push(sight.map_err(|why| format!("step {}: {why}", index + 1))?);
    }
    replay.end(seen).await
}

struct Replay {
    scenario: Scenario,
    repo: Namespace,
    outside: Arc<Outside>,
    life: Life,
    state_reads: u64,
}

impl Replay {
    async fn step(&mut self, step: Step) -> Result<Sight, String> {
        match step {
            Step::Get { flow } => self.get(flow).await,
            Step::SetStore { keys } => {
                self.outside.set_store(keys.map(Into::into));
                Ok(Sight::Done {})
            }
            Step::KeyChanged { old, new } => {
                let mut change = Change::of(KEY);
                if let Some(old) = old {
                    change = change.old(old);
                }
                if let Some(new) = new {
                    change = change.new_keys(new);
                }
                self.key_changed(change).await
            }
            Step::SaveState {} => Ok(match self.life.manager().save_state(KEY).await {
                Ok(()) => Sight::Done {},
                Err(error) => key_error(&error),
            }),
            Step::Restart {} => {
                self.next_life(false).await?;
                self.set_up().await?;
                Ok(Sight::Done {})
            }
        }
    }

    async fn get(&self, flow: Option<SecretKeyFlow>) -> Result<Sight, String> {
        let manager = self.life.manager();
        let answer = match flow {
            None => manager.get_key(KEY).await,
            Some(SecretKeyFlow::ForwardPath) => manager.get_forward_path_key(KEY).await,
            Some(SecretKeyFlow::BackPath) => manager.get_back_path_key(KEY).await,
            Some(other) => manager.get_key_on(KEY, other).await,
        };
        Ok(match answer {
            Ok(answer) => {
                let value = answer
                    .expose_str()
                    .ok_or("a value that is no text was answered")?;
                let value = value.to_owned();
                Sight::Value { value }
            }
            Err(error) => key_error(&error),
        })
    }

    /// Declares a change and waits for the end of its rotation, through as many lives as it takes.
    async fn key_changed(&mut self, change: Change) -> Result<Sight, String> {
        let call = async |manager: &keyward::KeysManagement| manager.key_changed(change).await;
        let rotation = match self.life.unless_killed(call).await? {
            End::Killed(rotation) => rotation,
            End::Answered(Ok(report)) => return self.rotated(&report, "ok"),
            End::Answered(Err(RotationError::Raised { report })) => {
                return self.rotated(&report, "error");
            }
            End::Answered(Err(error)) => {
                let ran = self.outside.take_ran();
                if ran.is_empty() {
                    let error = error.code();
                    return Ok(Sight::Error { error });
                }
                return Err(format!("{ran:?} ran, and then: {error}"));
            }
        };
        let report = self.resumed(rotation).await?;
        let result = if report.raises() { "error" } else { "ok" };
        self.rotated(&report, result)
    }

    /// Waits in the next lives for a rotation that the last one left.
    async fn resumed(&mut self, rotation: RotationId) -> Result<RotationReport, String> {
        loop {
            self.next_life(true).await?;
            if let End::Killed(_) = self.life.set_up(&self.scenario.key, &self.outside).await? {
                continue;
            }
            let call = async |manager: &keyward::KeysManagement| manager.wait(rotation).await;
            if let End::Answered(report) = self.life.unless_killed(call).await? {
                return report.map_err(|error| format!("wait: {}: {error}", error.code()));
            }
        }
    }

    fn rotated(&self, report: &RotationReport, result: &'static str) -> Result<Sight, String> {
        let statuses = report.steps.iter().map(|step| match step.status {
            CallbackStatus::Pending => Ok("pending"),
            CallbackStatus::InProgress => Ok("in_progress"),
            CallbackStatus::Failed => Ok("failed"),
            CallbackStatus::Succeeded => Ok("succeeded"),
            other => Err(format!("a status that the driver does not know: {other}")),
        });
        Ok(Sight::Rotation {
            statuses: statuses.collect::<Result<_, _>>()?,
            ran: self.outside.take_ran(),
            result,
        })
    }

    async fn set_up(&mut self) -> Result<(), String> {
        match self.life.set_up(&self.scenario.key, &self.outside).await? {
            End::Answered(()) => Ok(()),
            End::Killed(rotation) => Err(format!("rotation {rotation} runs, which had ended")),
        }
    }

    async fn next_life(&mut self, killed: bool) -> Result<(), String> {
        self.state_reads += self.life.state_reads().await?;
        // The next manager starts when the last one has let go of the database.
        self.life.end(killed).await?;
        self.life = Life::start(self.repo.next_life()).await?;
        Ok(())
    }

    async fn end(mut self, seen: Vec<Sight>) -> Result<Seen, String> {
        self.state_reads += self.life.state_reads().await?;
        self.life.end(false).await?;
        Ok(Seen {
            name: self.scenario.name,
            seen,
            store_calls: self.outside.store_calls(),
            state_reads: self.state_reads,
        })
    }
}

fn key_error(error: &KeyError) -> Sight {
    let error = error.code();
    Sight::Error { error }
}
