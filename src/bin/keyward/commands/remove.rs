//! `keyward remove`: takes a worker, a callback or an instance away for good.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::limits::parse_reason;
use crate::printing::Printing;

/// Remove a worker, one of its callbacks or one of its instances for good.
///
/// The steps of a removed worker or callback are taken out of every plan: do it only if its data is gone.
#[derive(Debug, Args)]
pub struct RemoveOptions {
    #[command(subcommand)]
    what: What,
    /// Why, for the listing and the history
    #[arg(long, global = true, value_parser = parse_reason)]
    reason: Option<String>,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// What is removed.
#[derive(Debug, Subcommand)]
enum What {
    /// A worker, as if it had left
    Worker {
        /// The worker
        worker: String,
    },
    /// A callback of a worker
    Callback {
        /// The worker
        worker: String,
        /// The key
        key: String,
        /// The callback
        callback: String,
    },
    /// An instance, whose process may live: it is called no more
    Instance {
        /// The worker
        worker: String,
        /// The number of the instance, as `keyward workers` lists it
        instance: u64,
    },
}

/// Removes it.
pub async fn run(options: &RemoveOptions) -> Result<Ended, CommandError> {
    let client = options.keeper.connect().await?;
    let reason = options.reason.as_deref();
    let (object, text) = match &options.what {
        What::Worker { worker } => {
            client.remove_worker(worker, reason).await?;
            (json!({ "worker": worker }), format!("worker {worker:?}"))
        }
        What::Callback {
            worker,
            key,
            callback,
        } => {
            client
                .remove_callback(worker, key, callback, reason)
                .await?;
            let object = json!({ "worker": worker, "key": key, "callback": callback });
            (
                object,
                format!("callback {callback:?} of worker {worker:?} for key {key:?}"),
            )
        }
        What::Instance { worker, instance } => {
            client.remove_instance(worker, *instance, reason).await?;
            let object = json!({ "worker": worker, "instance": instance });
            (object, format!("instance {instance} of worker {worker:?}"))
        }
    };
    options.printing.object(&json!({ "removed": object }))?;
    options.printing.line(format_args!("Removed: {text}."))?;
    Ok(Ended::Done)
}
