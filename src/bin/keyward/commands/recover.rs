//! `keyward recover`: takes a key out of a rotation that still holds it.

use clap::{Args, ValueEnum};
use keyward::RotationId;
use serde_json::Map;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::Printing;
use crate::values::{Destination, Half};

/// Take a key out of a rotation that has not ended, which may have the last copy of an old one.
///
/// The rotation goes on as it is. The keeper tells of it in its events, and permits it to those with the
/// grant `recover`. The value goes as it is, without a line end, to a pipe or to a file.
#[derive(Debug, Args)]
pub struct RecoverOptions {
    /// The rotation
    id: RotationId,
    /// Which of its keys
    #[arg(long, value_enum, default_value_t = Which::Old)]
    keys: Which,
    /// Which half of a pair
    #[arg(long, value_enum, default_value_t = Half::Back)]
    half: Half,
    #[command(flatten)]
    to: Destination,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// The keys of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Those that are changed
    Old,
    /// Those that they are changed to
    New,
}

/// Asks, and writes the key.
pub async fn run(options: &RecoverOptions) -> Result<Ended, CommandError> {
    options.to.check()?;
    let held = options.keeper.connect().await?;
    let held = held.recover_keys(options.id).await?;
    let (which, pair) = match options.keys {
        Which::Old => ("old", held.old),
        Which::New => ("new", held.new),
    };
    let pair = pair.ok_or_else(|| CommandError::NoKey {
        source_name: format!("rotation {}", options.id),
        why: format!("its {which} keys were not declared"),
    })?;
    let about = [
        ("rotation", options.id.to_string()),
        ("keys", which.to_owned()),
        ("half", options.half.name().to_owned()),
    ];
    let about = about.map(|(name, text)| (name.to_owned(), text.into()));
    let (about, value) = (Map::from_iter(about), options.half.of(&pair));
    options.to.write(&options.printing, about, &[value])?;
    Ok(Ended::Done)
}
