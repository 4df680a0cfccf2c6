//! Reading the configuration anew while the keeper runs: keys are added and grants changed, all or nothing.

use std::path::{Path, PathBuf};

use keyward::KeysManagement;

use crate::command_error::CommandError;
use crate::config::{Config, NoConfig};
use crate::hardening::complain;
use crate::keeper::difference::Difference;

/// What the keeper runs with, and how that changes.
pub struct Reloading {
    path: PathBuf,
    running: Config,
    manager: KeysManagement,
}

/// What a reload did.
#[derive(Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// What was changed, a sentence each.
    pub changed: Vec<String>,
    /// What differs and needs a restart of the keeper, a sentence each.
    pub needs_restart: Vec<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotReloaded {
    /// The file cannot be read, or has faults.
    #[error("{}", .0.lines(.1).join("\n"))]
    Config(NoConfig, PathBuf),
    /// The manager refused.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Reloading {
    /// For a keeper that runs with what that file said.
    pub fn new(path: &Path, running: Config, manager: KeysManagement) -> Self {
        let path = path.to_owned();
        Self {
            path,
            running,
            manager,
        }
    }

    /// One line about what is served.
    pub fn status(&self) -> String {
        format!(
            "keys: {}, socket: {}",
            self.running.keys.len(),
            self.running.socket.display()
        )
    }

    /// Reads the file and does what can be done while everything runs.
    ///
    /// # Errors
    /// The file has faults, or a key cannot be defined; then nothing was changed.
    pub async fn reload(&mut self) -> Result<Reloaded, NotReloaded> {
        let read = Config::read(&self.path);
        let read = read.map_err(|none| NotReloaded::Config(none, self.path.clone()))?;
        let difference = Difference::between(&self.running, &read);
        let new = read
            .definitions(difference.new_keys.iter())
            .map_err(CommandError::Usage)?;
        self.manager
            .define_keys(new)
            .await
            .map_err(CommandError::from)?;
        Ok(self.take_over(read, difference))
    }

    /// From here on nothing can be refused.
    fn take_over(&mut self, mut read: Config, difference: Difference) -> Reloaded {
        let mut changed = Vec::new();
        for name in difference.new_keys {
            changed.push(format!("the key `{}` was added", name.escape_debug()));
            let settings = read
                .settings
                .iter()
                .filter(|setting| setting.key.as_ref() == Some(&name));
            self.running.settings.extend(settings.cloned());
            self.running.keys.extend(read.keys.remove_entry(&name));
        }
        if difference.grants {
            changed.push("the grants were changed".to_owned());
            self.running.grants = read.grants;
        }
        let needs_restart = difference.needs_restart;
        Reloaded {
            changed,
            needs_restart,
        }
    }
}

/// Says on standard error what came of it.
pub fn tell(reloaded: &Result<Reloaded, NotReloaded>) {
    match reloaded {
        Ok(Reloaded {
            changed,
            needs_restart,
        }) => {
            for what in changed {
                complain(format_args!("reload: {what}"));
            }
            for what in needs_restart {
                complain(format_args!("reload: {what}; restart the keeper for it"));
            }
            if changed.is_empty() && needs_restart.is_empty() {
                complain(format_args!("reload: nothing differs"));
            }
        }
        Err(why) => complain(format_args!("reload: nothing was changed: {why}")),
    }
}
