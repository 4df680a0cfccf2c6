//! Which file is the configuration.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{self, Path, PathBuf};

use clap::Args;

/// The name of the file in its folder.
pub const FILE: &str = "keyward.toml";

/// The longest path of a Unix socket: 108 bytes with a final zero.
pub const LONGEST_SOCKET_PATH: usize = 107;

/// The variable that names it.
const VARIABLE: &str = "KEYWARD_CONFIG";

/// Where it is where nothing else is said.
const SYSTEM: &str = "/etc/keyward/keyward.toml";

/// Which configuration.
#[derive(Debug, Args)]
pub struct Location {
    /// The configuration, or the folder in which it is keyward.toml [default: the variable
    /// KEYWARD_CONFIG, else keyward.toml in this folder, else /etc/keyward/keyward.toml]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Location {
    /// The whole path of the file.
    ///
    /// # Errors
    /// The file in this folder is one that another user could have put there.
    pub fn path(&self) -> Result<PathBuf, String> {
        let variable = || env::var_os(VARIABLE).filter(|path| !path.is_empty());
        if let Some(path) = self
            .config
            .clone()
            .or_else(|| variable().map(PathBuf::from))
        {
            let path = path::absolute(&path).unwrap_or(path);
            return Ok(match path.is_dir() {
                true => path.join(FILE),
                false => path,
            });
        }
        let here = path::absolute(FILE).unwrap_or_else(|_| FILE.into());
        match here.exists() {
            true => own(here),
            false => Ok(SYSTEM.into()),
        }
    }
}

/// A configuration says which commands are run. So one that merely lies in this folder is taken only where
/// no other user could have put it there.
fn own(path: PathBuf) -> Result<PathBuf, String> {
    match is_own(&path) {
        true => Ok(path),
        false => Err(format!(
            "{} belongs to another user, or others may change it; to use it all the same, name it with --config",
            path.display()
        )),
    }
}

fn is_own(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::metadata(path).is_ok_and(|facts| {
        let is_ours = facts.uid() == user || facts.uid() == 0;
        is_ours && facts.mode() & 0o002 == 0
    })
}
