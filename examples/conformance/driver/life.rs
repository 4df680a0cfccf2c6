//! One life of the program in a scenario: a manager, its workers, and their callbacks.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use keyward::{Effect, KeyChange, KeysManagement, RotationId, SecretKeyDefinition, Worker};
use tokio::sync::mpsc;

use super::namespace::Namespace;
use super::outside::Outside;
use super::scenario::{Callback, Does, Key};

/// The name of every scenario's key.
pub const KEY: &str = "key";
/// What seals the records of a temporary database.
pub const MASTER_KEY: &str = "the master key of a database that lives for one run";
/// What a panicking callback says. A program that replays scenarios may keep it off the screen.
pub const PANIC: &str = "the scenario's callback panics";

const MAIN: &str = "main";

/// How something that was waited for ended.
pub enum End<T> {
    /// With its answer.
    Answered(T),
    /// A callback killed the life; the rotation goes on in the next one.
    Killed(RotationId),
}

/// One life of the program.
pub struct Life {
    manager: KeysManagement,
    workers: Vec<Worker>,
    kills: mpsc::UnboundedReceiver<RotationId>,
    killer: Killer,
}

/// How a callback ends the life that it is in.
#[derive(Clone)]
struct Killer {
    repo: Namespace,
    told: mpsc::UnboundedSender<RotationId>,
}

impl Life {
    /// Starts a manager on the scenario's part of the database. Nothing is defined yet.
    pub async fn start(repo: Namespace) -> Result<Self, String> {
        let manager = KeysManagement::builder()
            .state_repo(repo.clone())
            .master_key(|| MASTER_KEY)
            .start()
            .await
            .map_err(|error| format!("the start failed: {error}"))?;
        let (told, kills) = mpsc::unbounded_channel();
        Ok(Self {
            manager,
            workers: Vec::new(),
            kills,
            killer: Killer { repo, told },
        })
    }

    /// The manager.
    pub fn manager(&self) -> &KeysManagement {
        &self.manager
    }

    /// Defines the key, and lets the workers join and register their callbacks. An unfinished
    /// rotation may go on, and kill this life, while it does.
    pub async fn set_up(&mut self, key: &Key, outside: &Arc<Outside>) -> Result<End<()>, String> {
        let Self {
            manager,
            workers,
            kills,
            killer,
        } = self;
        unless_killed(kills, set_up(manager, workers, killer, key, outside)).await
    }

    /// Waits for a call, or for the end of this life.
    pub async fn unless_killed<T>(
        &mut self,
        call: impl AsyncFnOnce(&KeysManagement) -> T,
    ) -> Result<End<T>, String> {
        let call = call(&self.manager);
        unless_killed(&mut self.kills, async { Ok(call.await) }).await
    }

    /// How often the key's record was loaded in this life.
    pub async fn state_reads(&self) -> Result<u64, String> {
        let status = self.manager.status().await;
        let status = status.map_err(|error| format!("no status: {error}"))?;
        let key = status.keys.iter().find(|key| key.name.as_str() == KEY);
        key.map(|key| key.facts.state_reads)
            .ok_or_else(|| "the key is not in the status".to_owned())
    }

    /// Ends this life: in order, or with no time for anything if it was killed.
    pub async fn end(&self, killed: bool) -> Result<(), String> {
        let ended = if killed {
            self.manager.shutdown_within(Duration::ZERO).await
        } else {
            self.manager.shutdown().await
        };
        ended.map_err(|error| format!("the shutdown failed: {error}"))
    }
}

async fn unless_killed<T>(
    kills: &mut mpsc::UnboundedReceiver<RotationId>,
    call: impl Future<Output = Result<T, String>>,
) -> Result<End<T>, String> {
    tokio::select! {
        biased;
        Some(rotation) = kills.recv() => Ok(End::Killed(rotation)),
        answer = call => answer.map(End::Answered),
    }
}

async fn set_up(
    manager: &KeysManagement,
    workers: &mut Vec<Worker>,
    killer: &Killer,
    key: &Key,
    outside: &Arc<Outside>,
) -> Result<(), String> {
    let define = manager.define_key(definition(key, outside)).await;
    define.map_err(|error| format!("define_key: {}: {error}", error.code()))?;
    for callback in &key.callbacks {
        let joined = workers
            .iter()
            .any(|worker| worker.name() == callback.worker);
        if !joined && callback.worker != MAIN {
            let worker = manager.join(&callback.worker).await;
            workers.push(worker.map_err(|error| format!("join: {}: {error}", error.code()))?);
        }
    }
    for callback in &key.callbacks {
        register(manager, workers, killer, callback, outside).await?;
    }
    Ok(())
}

fn definition(key: &Key, outside: &Arc<Outside>) -> SecretKeyDefinition {
    let outside = Arc::clone(outside);
    let store = move || outside.ask_store();
    let mut definition = SecretKeyDefinition::new(KEY, key.use_case, store);
    if let Some(stateless) = key.stateless {
        definition = definition.stateless(stateless);
    }
    if let Some(keep) = key.keep_in_cache {
        definition = definition.keep_in_cache(keep);
    }
    if let Some(strategy) = key.error_strategy {
        definition = definition.error_strategy(strategy);
    }
    definition
}

async fn register(
    manager: &KeysManagement,
    workers: &[Worker],
    killer: &Killer,
    callback: &Callback,
    outside: &Arc<Outside>,
) -> Result<(), String> {
    let Callback { name, worker, does } = callback.clone();
    let (killer, outside, does_name) = (killer.clone(), Arc::clone(outside), name.clone());
    let call = move |change: KeyChange| {
        outside.note(&does_name);
        act(does, change, killer.clone())
    };
    let registered = match workers.iter().find(|joined| joined.name() == worker) {
        Some(worker) => worker.register_on_change(KEY, &name, call).await,
        None => manager.register_on_change(KEY, &name, call).await,
    };
    registered.map_err(|error| format!("register_on_change: {}: {error}", error.code()))
}

/// What the scenario's callbacks do.
async fn act(does: Does, change: KeyChange, killer: Killer) -> Result<Effect, &'static str> {
    match does {
        Does::Succeed => Ok(Effect::Nothing),
        Does::Fail => Err("the scenario's callback fails"),
        #[expect(clippy::panic, reason = "it is what the scenario wants")]
        Does::Panic => std::panic::panic_any(PANIC),
        Does::Decrypted => Ok(Effect::Decrypted),
        Does::Reencrypted => Ok(Effect::Reencrypted),
        Does::Crash if change.key.attempt() == 1 => {
            killer.repo.kill();
            match killer.told.send(change.key.rotation_id()) {
                Ok(()) => std::future::pending().await,
                Err(_) => Err("nobody is told of the end of this life"),
            }
        }
        Does::Crash => Ok(Effect::Nothing),
    }
}
