//! The other processes: each is this program again, and a variable says which.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyward::{KeysManagement, SecretKeyDefinition, SecretKeyFlow, ServeOptions, block_on};
use rocksdb::{DB, Options};

use super::bare;
use super::gets::{HELD, value};
use crate::Outcome;
use crate::manager;

/// The variables that tell a child its kind and its folder.
pub const CHILD: &str = "KEYWARD_BENCH_SOCKET_CHILD";
const FOLDER: &str = "KEYWARD_BENCH_SOCKET_FOLDER";

/// Kinds: a keeper, a bare server, a bare client that asks once, and a bare database that is opened.
pub const KEEPER: &str = "keeper";
pub const BARE: &str = "bare";
pub const ASK: &str = "ask";
pub const OPEN: &str = "open";

/// What a child says once it is ready.
pub const READY: &str = "ready";

/// The families of columns that a keeper's database has.
const FAMILIES: [&str; 7] = [
    "meta",
    "states",
    "keys",
    "roster",
    "rotations",
    "history",
    "quarantine",
];

/// Starts a child of this kind with a folder.
pub fn command(kind: &str, folder: &Path) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(CHILD, kind).env(FOLDER, folder);
    Ok(command)
}

/// The socket of the child with this folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

/// The child.
pub fn run(kind: &str) -> Outcome<()> {
    let folder = PathBuf::from(std::env::var_os(FOLDER).ok_or("a folder is needed")?);
    match kind {
        KEEPER => keeper(&folder),
        BARE => bare_server(&folder),
        ASK => bare::ask_once(&socket(&folder)),
        OPEN => open(&folder),
        other => Err(format!("{other} is no kind of child").into()),
    }
}

/// Serves until this process's input ends.
fn keeper(folder: &Path) -> Outcome<()> {
    let keys = manager::start(&folder.join("data"))?;
    let _serving = block_on(async {
        for name in [HELD, "in turn", "memory", "idle-0", "idle-1", "idle-2"] {
            define(&keys, name).await?;
        }
        keys.get_key_on(HELD, SecretKeyFlow::ForwardPath).await?;
        Outcome::Ok(keys.serve(ServeOptions::at(socket(folder))).await?)
    })?;
    wait_for_the_end()?;
    Ok(block_on(keys.shutdown())?)
}

async fn define(keys: &KeysManagement, name: &str) -> Outcome<()> {
    let definition = SecretKeyDefinition::round_trip(name, value);
    Ok(keys.define_key(definition).await?)
}

fn bare_server(folder: &Path) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(bare::serve(&socket(folder)))?;
    wait_for_the_end()
}

fn wait_for_the_end() -> Outcome<()> {
    println!("{READY}");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Opens a new database with the families that a keeper's has.
fn open(folder: &Path) -> Outcome<()> {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    drop(DB::open_cf(&options, folder.join("data"), FAMILIES)?);
    Ok(())
}
