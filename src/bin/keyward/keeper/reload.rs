//! Reading the configuration anew while the keeper runs: keys are added and grants changed, all or nothing.

use std::path::{Path, PathBuf};

use keyward::{KeysManagement, Reloaded, block_on};

use crate::config::Config;
use crate::hardening::complain;
use crate::keeper::difference::Difference;

/// What the keeper runs with, and how that changes.
pub struct Reloading {
    path: PathBuf,
    running: Config,
    manager: KeysManagement,
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
        let keys = self.running.keys.len();
        format!("keys: {keys}, socket: {}", self.running.socket.display())
    }

    /// Reads the file and does what can be done while everything runs. It blocks.
    ///
    /// # Errors
    /// The file has faults, or a key cannot be defined; then nothing was changed.
    pub fn reload(&mut self) -> Result<Reloaded, String> {
        let read = Config::read(&self.path).map_err(|none| none.lines(&self.path).join("\n"))?;
        let difference = Difference::between(&self.running, &read);
        let new = read.definitions(difference.new_keys.iter())?;
        block_on(self.manager.define_keys(new)).map_err(|error| error.to_string())?;
        Ok(self.take_over(read, difference))
    }

    /// From here on nothing can be refused.
    fn take_over(&mut self, mut read: Config, difference: Difference) -> Reloaded {
        let mut reloaded = Reloaded::default();
        for name in difference.new_keys {
            let told = format!("the key `{}` was added", name.escape_debug());
            reloaded.changed.push(told);
            let settings = read.settings.iter();
            let settings = settings.filter(|setting| setting.key.as_ref() == Some(&name));
            self.running.settings.extend(settings.cloned());
            self.running.keys.extend(read.keys.remove_entry(&name));
        }
        if difference.grants {
            reloaded.changed.push("the grants were changed".to_owned());
            self.running.grants = read.grants;
            reloaded.grants = Some(self.running.grants());
        }
        reloaded.needs_restart = difference.needs_restart;
        reloaded
    }
}

/// Says on standard error what came of it.
pub fn tell(reloaded: &Result<Reloaded, String>) {
    match reloaded {
        Ok(reloaded) => {
            for what in &reloaded.changed {
                complain(format_args!("reload: {what}"));
            }
            for what in &reloaded.needs_restart {
                complain(format_args!("reload: {what}; restart the keeper for it"));
            }
            if reloaded.changed.is_empty() && reloaded.needs_restart.is_empty() {
                complain(format_args!("reload: nothing differs"));
            }
        }
        Err(why) => complain(format_args!("reload: nothing was changed: {why}")),
    }
}
