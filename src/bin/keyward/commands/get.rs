//! `keyward get`: looks at a key, and changes nothing.

use clap::Args;
use keyward::{SecretKeyValue, VersionId};
use serde_json::Map;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::Printing;
use crate::values::{Destination, Half};

/// Look at a key. Nothing changes by it: no flow, nothing that is held.
///
/// The value goes as it is, without a line end, to a pipe or to a file. With --back there may be more than
/// one; they stand on a line each, the likeliest first.
#[derive(Debug, Args)]
pub struct GetOptions {
    /// The key
    key: String,
    /// Every key that data may be under, in place of what the store answers
    #[arg(long)]
    back: bool,
    /// Which half of a pair
    #[arg(long, value_enum, default_value_t = Half::Forward, conflicts_with = "back")]
    half: Half,
    /// Only the candidate of this number, from 1
    #[arg(long, value_name = "N", requires = "back", value_parser = clap::value_parser!(u16).range(1..))]
    nth: Option<u16>,
    /// The version of this id, as what is read carries it; for a key with versions
    #[arg(long, value_name = "ID", conflicts_with_all = ["back", "half"])]
    version: Option<VersionId>,
    #[command(flatten)]
    to: Destination,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Looks, and writes what it saw.
pub async fn run(options: &GetOptions) -> Result<Ended, CommandError> {
    options.to.check()?;
    let values = ask(options).await?;
    let about = Map::from_iter([("key".to_owned(), options.key.as_str().into())]);
    options.to.write(&options.printing, about, &values)?;
    Ok(Ended::Done)
}

async fn ask(options: &GetOptions) -> Result<Vec<SecretKeyValue>, CommandError> {
    let client = options.keeper.connect().await?;
    if let Some(id) = options.version {
        return Ok(vec![client.get_version(&options.key, id).await?.value]);
    }
    if !options.back {
        let pair = client.look(&options.key).await?.to_pair();
        return Ok(vec![options.half.of(&pair)]);
    }
    let mut values = client.back_path_candidates(&options.key).await?;
    if let Some(nth) = options.nth {
        let all = values.len();
        values = values
            .into_iter()
            .skip(usize::from(nth) - 1)
            .take(1)
            .collect();
        if values.is_empty() {
            let text = format!(
                "key {} has {all} candidates, and none of number {nth}",
                options.key
            );
            return Err(CommandError::Usage(text));
        }
    }
    Ok(values)
}
