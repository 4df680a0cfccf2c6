//! What differs between the configuration that a keeper runs with and the one that it reads anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::config::fault::Setting;

/// What differs.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// Keys that are new. They can be defined while everything runs.
    pub new_keys: Vec<String>,
    /// Whether the grants are other ones. They can be changed while everything runs.
    pub grants: bool,
    /// What can be changed by a restart only, a sentence each.
    pub needs_restart: Vec<String>,
}

impl Difference {
    /// Between these two.
    pub fn between(running: &Config, read: &Config) -> Self {
        let new_keys = read
            .keys
            .keys()
            .filter(|name| !running.keys.contains_key(*name));
        Self {
            new_keys: new_keys.cloned().collect(),
            grants: running.grants != read.grants,
            needs_restart: needs_restart(running, read),
        }
    }
}

fn needs_restart(running: &Config, read: &Config) -> Vec<String> {
    let gone = running
        .keys
        .keys()
        .filter(|name| !read.keys.contains_key(*name));
    let mut said: Vec<String> = gone
        .map(|name| {
            format!(
                "the key `{}` is not in the file any more; it stays defined",
                name.escape_debug()
            )
        })
        .collect();
    // Of the keys that both have, and of everything else that both have by nature.
    let of_both = |setting: &Setting| match &setting.key {
        Some(name) => running.keys.contains_key(name) && read.keys.contains_key(name),
        None => !setting.path.starts_with("grants."),
    };
    let values = |config: &Config| -> BTreeMap<String, String> {
        let settings = config.settings.iter().filter(|setting| of_both(setting));
        settings
            .map(|setting| (setting.path.clone(), setting.value.clone()))
            .collect()
    };
    let (old, new) = (values(running), values(read));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differs = paths
        .into_iter()
        .filter(|path| old.get(*path) != new.get(*path));
    said.extend(differs.map(|path| format!("`{}` differs", path.escape_debug())));
    said
}
