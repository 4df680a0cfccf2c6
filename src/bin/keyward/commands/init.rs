//! `keyward init`: a folder with all that a keeper needs to start.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{self, Path, PathBuf};

use clap::Args;
use rustix::process::geteuid;
use serde_json::json;

use crate::command_error::CommandError;
use crate::config::location::{FILE, LONGEST_SOCKET_PATH};
use crate::ended::Ended;
use crate::key_file;
use crate::printing::Printing;
use crate::shown::command::quoted;

const MASTER_KEY: &str = "master.key";
const EXAMPLE_KEY: &str = "example.key";
const SOCKET: &str = "keyward.sock";

/// What is written as the configuration.
const TEMPLATE: &str = r#"# The configuration of a keeper: of `keyward serve`. Paths count from the folder of this file. What can be
# set, and every default, is in the documentation under "The configuration"; `keyward check-config` checks it.

data_folder = "data"
socket = "keyward.sock"

# Without it nothing in the data folder opens. Keep a copy where the backups are not.
[master_key]
file = "master.key"

[keys.example.store]
file = "example.key"
"#;

/// Make a folder with a master key, a configuration and an example key, with which a keeper starts.
///
/// Nothing that is there is overwritten.
#[derive(Debug, Args)]
pub struct InitOptions {
    /// The folder; it is made if it is missing
    folder: PathBuf,
    #[command(flatten)]
    pub printing: Printing,
}

/// Makes it.
pub fn run(options: &InitOptions) -> Result<Ended, CommandError> {
    let folder = path::absolute(&options.folder).unwrap_or_else(|_| options.folder.clone());
    let folder: PathBuf = folder.components().collect();
    let made = make(&folder)?;
    let config = folder.join(FILE);
    let socket = folder.join(SOCKET);
    options.printing.object(&json!({
        "folder": folder.to_string_lossy(), "config": config.to_string_lossy(),
        "socket": socket.to_string_lossy(), "keys": ["example"],
    }))?;
    let made: Vec<String> = made
        .iter()
        .map(|(name, what)| format!("  {name:<14}{what}"))
        .collect();
    let (config, socket) = (
        quoted(&config.to_string_lossy()),
        quoted(&socket.to_string_lossy()),
    );
    options.printing.line(format_args!(
        "Made in {}:\n{}\n\nStart the keeper:\n  keyward serve --config {config}\n\nThen, in another \
         terminal:\n  export KEYWARD_SOCKET={socket}\n  keyward status\n  keyward get example --show",
        folder.display(),
        made.join("\n"),
    ))?;
    Ok(Ended::Done)
}

/// Makes all files, or none.
fn make(folder: &Path) -> Result<[(&'static str, &'static str); 3], CommandError> {
    let length = folder.join(SOCKET).as_os_str().len();
    if length > LONGEST_SOCKET_PATH {
        return Err(CommandError::Usage(format!(
            "the socket in {} would have a path of {length} bytes, and the system takes \
             {LONGEST_SOCKET_PATH}; choose a shorter folder",
            folder.display()
        )));
    }
    let is_new = private_folder(folder)?;
    let names = [MASTER_KEY, EXAMPLE_KEY, FILE];
    for name in names.iter().chain(&["data", SOCKET]) {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(exists(&path));
        }
    }
    let mut made: Vec<PathBuf> = Vec::new();
    for name in names {
        let path = folder.join(name);
        let written = match name {
            FILE => write_new(&path, TEMPLATE),
            _ => key_file::create(&path),
        };
        if written
            .as_ref()
            .err()
            .is_none_or(|error| error.kind() != ErrorKind::AlreadyExists)
        {
            made.push(path.clone());
        }
        if let Err(error) = written {
            undo(&made, folder, is_new);
            return Err(match error.kind() {
                ErrorKind::AlreadyExists => exists(&path),
                _ => CommandError::io("cannot write", &path)(error),
            });
        }
    }
    // The names are as durable as what is under them.
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(CommandError::io("cannot write", folder))?;
    Ok([
        (FILE, "the configuration"),
        (MASTER_KEY, "the master key; keep a copy of it elsewhere"),
        (EXAMPLE_KEY, "the key `example`"),
    ])
}

/// Makes the folder, with mode 0700, and says whether it did. One that is there must be that private.
fn private_folder(folder: &Path) -> Result<bool, CommandError> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(CommandError::io("cannot make", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(CommandError::io("cannot make", folder)(error)),
    }
    let facts = fs::metadata(folder).map_err(CommandError::io("cannot look at", folder))?;
    let why = match facts.mode() & 0o7777 {
        _ if !facts.is_dir() => "is there, and is no folder; choose another name".to_owned(),
        _ if facts.uid() != geteuid().as_raw() => {
            "is there, and is another user's; choose another name".to_owned()
        }
        mode if mode & 0o077 != 0 => {
            format!(
                "is there, and others may enter it (mode {mode:03o}); chmod 700 it, or choose another name"
            )
        }
        _ => return Ok(false),
    };
    Err(CommandError::Usage(format!("{} {why}", folder.display())))
}

fn exists(path: &Path) -> CommandError {
    CommandError::Usage(format!(
        "{} is there already, and nothing is overwritten; choose another folder",
        path.display()
    ))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Removes what this run made; what cannot be removed stays, and the error that is told is the first one.
fn undo(made: &[PathBuf], folder: &Path, is_new: bool) {
    for path in made {
        drop(fs::remove_file(path));
    }
    if is_new {
        drop(fs::remove_dir(folder));
    }
}
