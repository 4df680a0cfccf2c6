//! The keeper: what `keyward serve` runs, from its start to its end.
//!
//! Never in here: how a configuration is read, and what the command line prints.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use keyward::{KeysManagement, SecretKeyDefinition, ServeOptions, Serving};
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
    let (manager, serving) = tokio::select! {
        biased;
        _ = ends.next() => return Ok(Ended::Done),
        started = start(path, config) => started?,
    };
    let reloads = async {
        while hangups.recv().await.is_some() {
            // What came of it is told where it is done.
            drop(serving.reload().await);
        }
    };
    let is_asked = tokio::select! {
        biased;
        _ = ends.next() => true,
        () = serving.ended() => false,
        () = reloads => true,
    };
    systemd::stopping();
    complain(format_args!("stopping; a second signal ends this at once"));
    tokio::select! {
        biased;
        signal = ends.next() => end_by(signal),
        ended = manager.shutdown() => ended?,
    }
    if !is_asked {
        complain(format_args!("the socket could not be served any more"));
    }
    Ok(if is_asked { Ended::Done } else { Ended::Failed })
}

/// A manager that has all keys of the configuration and is served, or nothing.
async fn start(path: &Path, config: Config) -> Result<(KeysManagement, Serving), CommandError> {
    let master_key = config.master_key.store(MASTER_KEY_TIME_LIMIT);
    let builder = KeysManagement::builder()
        .data_folder(&config.data_folder)
        .allow_shared_folder(config.allow_shared_folder)
        .master_key(master_key.map_err(CommandError::Usage)?);
    let definitions = config
        .definitions(config.keys.keys())
        .map_err(CommandError::Usage)?;
    let manager = config.manager.set(builder).start().await?;
    match serve(path, config, definitions, &manager).await {
        Ok(serving) => Ok((manager, serving)),
        Err(error) => {
            drop(manager.shutdown().await);
            Err(error)
        }
    }
}

async fn serve(
    path: &Path,
    config: Config,
    definitions: Vec<SecretKeyDefinition>,
    manager: &KeysManagement,
) -> Result<Serving, CommandError> {
    manager.define_keys(definitions).await?;
    let options = ServeOptions::at(&config.socket)
        .grants(config.grants())
        .bounds(config.bounds.clone())
        .backups(&config.backups)
        .or_passed_by_systemd();
    let reloading = Reloading::new(path, config, manager.clone());
    let status = reloading.status();
    let reloading = Arc::new(Mutex::new(reloading));
    let options = options.on_reload(move || {
        let mut reloading = reloading.lock().unwrap_or_else(PoisonError::into_inner);
        systemd::reloading();
        let reloaded = reloading.reload();
        reload::tell(&reloaded);
        systemd::ready(&reloading.status());
        reloaded
    });
    let serving = manager.serve(options).await?;
    complain(format_args!("ready; {status}"));
    systemd::ready(&status);
    Ok(serving)
}
