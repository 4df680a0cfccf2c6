//! The keeper: what `keyward serve` runs, from its start to its end.
//!
//! Never in here: how a configuration is read, and what the command line prints.

use std::path::Path;

use keyward::KeysManagement;
use tokio::signal::unix::{SignalKind, signal};

use crate::command_error::CommandError;
use crate::config::Config;
use crate::config::source::MASTER_KEY_TIME_LIMIT;
use crate::ended::Ended;
use crate::hardening::complain;

mod difference;
mod ending;
mod reload;
mod systemd;

use ending::{EndSignals, end_by};
use reload::Reloading;

/// Runs a keeper until a signal ends it.
///
/// # Errors
/// It does not start, or its end fails.
pub async fn run(path: &Path, config: Config) -> Result<Ended, CommandError> {
    let mut ends = EndSignals::watch().map_err(CommandError::process("watching signals"))?;
    let mut hangups =
        signal(SignalKind::hangup()).map_err(CommandError::process("watching signals"))?;
    let manager = tokio::select! {
        biased;
        _ = ends.next() => return Ok(Ended::Done),
        started = start(&config) => started?,
    };
    let mut reloading = Reloading::new(path, config, manager.clone());
    complain(format_args!("ready: {}", reloading.status()));
    systemd::ready(&reloading.status());
    loop {
        tokio::select! {
            biased;
            _ = ends.next() => break,
            _ = hangups.recv() => {
                systemd::reloading();
                reload::tell(&reloading.reload().await);
                systemd::ready(&reloading.status());
            }
        }
    }
    systemd::stopping();
    complain(format_args!("stopping; a second signal ends this at once"));
    tokio::select! {
        biased;
        signal = ends.next() => end_by(signal),
        ended = manager.shutdown() => ended?,
    }
    Ok(Ended::Done)
}

/// A manager that has all keys of the configuration, or none.
async fn start(config: &Config) -> Result<KeysManagement, CommandError> {
    let master_key = config
        .master_key
        .store(MASTER_KEY_TIME_LIMIT)
        .map_err(CommandError::Usage)?;
    let definitions = config
        .definitions(config.keys.keys())
        .map_err(CommandError::Usage)?;
    let builder = KeysManagement::builder()
        .data_folder(&config.data_folder)
        .allow_shared_folder(config.allow_shared_folder)
        .master_key(master_key);
    let manager = config.manager.set(builder).start().await?;
    if let Err(error) = manager.define_keys(definitions).await {
        drop(manager.shutdown().await);
        return Err(error.into());
    }
    Ok(manager)
}
