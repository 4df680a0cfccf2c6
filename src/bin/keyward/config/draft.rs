//! The whole of a configuration as it is read: every table, and what must fit across tables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use keyward::{Grant, ServeBounds};

use crate::config::keys::{self, KeySettings};
use crate::config::location::LONGEST_SOCKET_PATH;
use crate::config::manager::ManagerSettings;
use crate::config::near::did_you_mean;
use crate::config::section::Section;
use crate::config::source::{Allowed, Source};
use crate::config::{bounds, grants};
use crate::log;

/// The levels that a log can have.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What could be read of a configuration.
pub struct Draft {
    pub data_folder: Option<PathBuf>,
    pub allow_shared_folder: bool,
    pub master_key: Option<Source>,
    pub socket: PathBuf,
    pub backups: PathBuf,
    pub log: String,
    pub manager: ManagerSettings,
    pub bounds: ServeBounds,
    pub keys: BTreeMap<String, KeySettings>,
    pub grants: Option<Vec<Grant>>,
}

impl Draft {
    /// Reads all of it.
    pub fn read(whole: Section<'_>, folder: &Path, path: &Path) -> Self {
        let why = "the folder of the database; it is made if it is missing";
        let data_folder = whole.required::<String>("data_folder", why);
        let data_folder = data_folder.map(|data| folder.join(data));
        let allow_shared_folder = whole.read("allow_shared_folder", false);
        let socket = whole.read("socket", "/run/keyward/keyward.sock".to_owned());
        let backups = whole.read("backups", "backups".to_owned());
        let log = whole.read("log", log::DEFAULT.to_owned());
        let section = whole.table("master_key");
        let master_key = match whole.has("master_key") {
            true => Source::read(&section, Allowed::OfTheMasterKey, None),
            false => {
                let text = "`master_key` is missing: say where it is, as in master_key.file = \"master.key\"";
                whole.findings().missing(&(0..0), text);
                None
            }
        };
        if master_key.as_ref().is_some_and(Source::is_pair) {
            whole
                .findings()
                .fault(section.at(), "a master key is one value, and no pair");
        }
        section.end();
        let manager = ManagerSettings::read(&whole);
        let bounds = bounds::read(&whole);
        let keys = keys::read(&whole, folder);
        let grants = grants::read(&whole);
        let draft = Self {
            data_folder,
            allow_shared_folder,
            master_key: master_key.map(|source| source.below(folder)),
            socket: folder.join(socket),
            backups: folder.join(backups),
            log,
            manager,
            bounds,
            keys,
            grants,
        };
        draft.check_paths(&whole, path);
        draft.check_log(&whole);
        whole.end();
        draft
    }

    /// Tells of a socket whose path is too long, and of what must not lie in the data folder.
    fn check_paths(&self, whole: &Section<'_>, path: &Path) {
        let findings = whole.findings();
        let length = self.socket.as_os_str().len();
        if length > LONGEST_SOCKET_PATH {
            let text = format!(
                "the socket's path has {length} bytes, and the system takes {LONGEST_SOCKET_PATH}; name one \
                 in a shorter folder"
            );
            findings.fault(&whole.place_of("socket"), text);
        }
        let Some(data) = &self.data_folder else {
            return;
        };
        let inside = |path: &Path| path.starts_with(data);
        let mut places = vec![
            ("data_folder", "the configuration", path),
            ("socket", "the socket", self.socket.as_path()),
            ("backups", "the folder of backups", self.backups.as_path()),
        ];
        let files = self.master_key.iter().flat_map(Source::files);
        places.extend(files.map(|file| ("master_key", "the master key", file)));
        let files = self.keys.values().flat_map(|key| key.source.files());
        places.extend(files.map(|file| ("data_folder", "a key", file)));
        let mut told = BTreeSet::new();
        for (setting, what, path) in places {
            if inside(path) && told.insert(what) {
                let text = format!("{what} lies in the data folder; name a data folder of its own");
                let named = whole.has(setting);
                let setting = if named { setting } else { "data_folder" };
                findings.fault(&whole.place_of(setting), text);
            }
        }
    }

    fn check_log(&self, whole: &Section<'_>) {
        let fault = |why: String| whole.findings().fault(&whole.place_of("log"), why);
        match log::filter(&self.log) {
            Err(error) => fault(format!("this is no filter of a log: {error}; try \"info\"")),
            Ok(_) if is_no_level(&self.log) => {
                let near = did_you_mean(&self.log, LEVELS.into_iter());
                fault(format!("this must be one of {}{near}", LEVELS.join(", ")));
            }
            Ok(_) => {}
        }
    }
}

/// Whether a filter is a word that is no level, which the log would take for the name of a module.
fn is_no_level(text: &str) -> bool {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word && !LEVELS.contains(&text.to_ascii_lowercase().as_str())
}
