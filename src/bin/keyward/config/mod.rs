//! `keyward.toml`: the configuration of `keyward serve`.
//!
//! `section` reads a table setting by setting, `kinds` are the kinds of values, and `fault` gathers what is
//! wrong, so that one reading tells all of it. The other files are one table each. A default is stated where its
//! setting is read; the page of settings in the docs lists the same, and a test compares them.
//!
//! Never in here: a key's value. A configuration names where keys are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use keyward::{Grant, Grants, SecretKeyDefinition, ServeBounds};
use toml::de::DeTable;

mod bounds;
pub mod fault;
mod grants;
mod keys;
mod kinds;
pub mod location;
mod manager;
mod near;
mod section;
pub mod source;
mod syntax;

use fault::{Fault, Findings, Setting};
use keys::KeySettings;
use manager::ManagerSettings;
use near::did_you_mean;
use section::Section;
use source::{Allowed, Source};

use crate::ended::Ended;
use crate::log;

/// No configuration is longer.
const LONGEST: u64 = 1024 * 1024;

/// The longest path of a Unix socket: 108 bytes with a final zero.
pub const LONGEST_SOCKET_PATH: usize = 107;

/// The levels that a log can have.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A configuration that has no fault. All paths are whole.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_folder: PathBuf,
    pub allow_shared_folder: bool,
    pub master_key: Source,
    pub socket: PathBuf,
    pub backups: PathBuf,
    pub log: String,
    pub manager: ManagerSettings,
    pub bounds: ServeBounds,
    pub keys: BTreeMap<String, KeySettings>,
    /// `None` without a table of grants: the keeper's own user alone is let in.
    pub grants: Option<Vec<Grant>>,
    /// Every setting as it is in this file.
    pub settings: Vec<Setting>,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum NoConfig {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// It has these faults.
    Faults(Vec<Fault>),
}

impl NoConfig {
    /// What the system says, where the file cannot be read.
    pub fn unreadable(&self) -> Option<String> {
        match self {
            Self::Unreadable(cause) => Some(cause.to_string()),
            Self::Faults(_) => None,
        }
    }

    /// All of it in lines, as compilers write them, so that editors find the place.
    pub fn lines(&self, path: &Path) -> Vec<String> {
        let path = path.display();
        match self {
            Self::Unreadable(cause) => vec![format!(
                "the configuration {path} cannot be read: {cause}; name one with --config, or make one with \
                 `keyward init`"
            )],
            Self::Faults(faults) => faults
                .iter()
                .map(|fault| format!("{path}:{fault}"))
                .collect(),
        }
    }

    /// Says all of it on standard error.
    pub fn told(&self, path: &Path) -> Ended {
        for line in self.lines(path) {
            drop(writeln!(io::stderr(), "{line}"));
        }
        Ended::Usage
    }
}

impl Config {
    /// Reads a file. Its path must be whole.
    ///
    /// # Errors
    /// The file cannot be read, or has faults: then all of them.
    pub fn read(path: &Path) -> Result<Self, NoConfig> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
            .map_err(NoConfig::Unreadable)?;
        if bytes.len() as u64 > LONGEST {
            let text = format!("the file is longer than {LONGEST} bytes; that is no configuration");
            return Err(NoConfig::Faults(vec![Fault {
                line: 1,
                column: 1,
                text,
            }]));
        }
        let text = text(&bytes).map_err(|fault| NoConfig::Faults(vec![fault]))?;
        Self::of(text, path).map_err(NoConfig::Faults)
    }

    /// The definitions of some of its keys.
    ///
    /// # Errors
    /// What a key comes from cannot be had by this process.
    pub fn definitions<'a>(
        &self,
        names: impl Iterator<Item = &'a String>,
    ) -> Result<Vec<SecretKeyDefinition>, String> {
        let named = names.filter_map(|name| Some((name, self.keys.get(name)?)));
        named.map(|(name, key)| key.definition(name)).collect()
    }

    /// Who may what.
    pub fn grants(&self) -> Grants {
        let grants = self.grants.clone();
        grants.map_or_else(Grants::own_user, Grants::table)
    }

    /// What is no fault of the file, and will be one when it is served as things are now.
    pub fn warnings(&self) -> Vec<String> {
        let files = self.keys.iter().flat_map(|(name, key)| {
            let files = key.source.files().into_iter();
            files.map(move |file| (format!("the key `{}`", name.escape_debug()), file))
        });
        let master = self.master_key.files().into_iter();
        let files = files.chain(master.map(|file| ("the master key".to_owned(), file)));
        files
            .filter(|(_, file)| !file.exists())
            .map(|(what, file)| format!("the file of {what} is missing now: {}", file.display()))
            .collect()
    }

    fn of(text: &str, path: &Path) -> Result<Self, Vec<Fault>> {
        let folder = path.parent().unwrap_or(path);
        let (syntax, mut findings) = (Findings::default(), Findings::default());
        let readable = syntax::readable(text, &syntax);
        let (table, _) = DeTable::parse_recoverable(&readable.text);
        let draft = Draft::read(Section::whole(&table, &findings), folder, path);
        if !readable.unread.is_empty() {
            findings.forget(|at| readable.is_unread(at));
            findings.add(syntax);
        }
        let (faults, settings) = findings.into_parts(text);
        match draft.finished(settings) {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(faults),
        }
    }
}

/// What could be read of a configuration.
struct Draft {
    data_folder: Option<PathBuf>,
    allow_shared_folder: bool,
    master_key: Option<Source>,
    socket: PathBuf,
    backups: PathBuf,
    log: String,
    manager: ManagerSettings,
    bounds: ServeBounds,
    keys: BTreeMap<String, KeySettings>,
    grants: Option<Vec<Grant>>,
}

impl Draft {
    fn read(whole: Section<'_>, folder: &Path, path: &Path) -> Self {
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

    fn finished(self, settings: Vec<Setting>) -> Option<Config> {
        Some(Config {
            data_folder: self.data_folder?,
            allow_shared_folder: self.allow_shared_folder,
            master_key: self.master_key?,
            socket: self.socket,
            backups: self.backups,
            log: self.log,
            manager: self.manager,
            bounds: self.bounds,
            keys: self.keys,
            grants: self.grants,
            settings,
        })
    }
}

/// The text of a file, without a byte order mark.
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let (line, column) = fault::place(&String::from_utf8_lossy(good), good.len());
        let text = "this byte is not UTF-8, which a configuration is written in".to_owned();
        Fault { line, column, text }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Whether a filter is a word that is no level, which the log would take for the name of a module.
fn is_no_level(text: &str) -> bool {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word && !LEVELS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use keyward::KeysManagement;

    use super::*;

    /// A configuration in which every table stands.
    const ALL: &str = "data_folder = \"data\"\nmaster_key.file = \"master.key\"\n[keys.documents]\n\
         [[grants]]\nusers = [0]\nkeys = [\"*\"]\nmay = [\"back\"]\n";

    fn read(text: &str) -> Config {
        Config::of(text, Path::new("/etc/keyward/keyward.toml")).unwrap()
    }

    /// What the page of settings has: each setting with its kind and its default.
    fn page() -> Vec<(String, String, String)> {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs/configuration.md");
        let page = std::fs::read_to_string(page).unwrap();
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        let cells = |row: &str| {
            row.split('|')
                .map(|cell| cell.trim().replace('`', ""))
                .collect()
        };
        let rows = rows
            .map(cells)
            .filter(|cells: &Vec<String>| cells.len() == 6);
        rows.map(|cells| (cells[1].clone(), cells[2].clone(), cells[3].clone()))
            .collect()
    }

    #[test]
    fn the_page_of_settings_has_every_setting_with_its_kind_and_default() {
        let default = |setting: &Setting| match setting.default.as_deref() {
            None => "needed".to_owned(),
            Some("") => "none".to_owned(),
            Some(default) => default.to_owned(),
        };
        let known = read(ALL).settings;
        let known = known.iter().map(|setting| {
            (
                setting.pattern.clone(),
                setting.kind.to_owned(),
                default(setting),
            )
        });
        let (known, page): (BTreeSet<_>, BTreeSet<_>) =
            (known.collect(), page().into_iter().collect());
        let (not_there, not_known) = (known.difference(&page), page.difference(&known));
        assert_eq!(
            not_there.collect::<Vec<_>>(),
            [] as [&(_, _, _); 0],
            "the page lacks these"
        );
        assert_eq!(
            not_known.collect::<Vec<_>>(),
            [] as [&(_, _, _); 0],
            "there are none of these"
        );
    }

    #[test]
    fn a_default_is_that_of_the_library() {
        let config = read(ALL);
        let set = config.manager.set(KeysManagement::builder());
        assert_eq!(
            format!("{set:?}"),
            format!("{:?}", KeysManagement::builder())
        );
        let key = config.keys["documents"].definition("documents").unwrap();
        let plain = SecretKeyDefinition::round_trip("documents", || "value");
        assert_eq!(format!("{key:?}"), format!("{plain:?}"));
        assert_eq!(config.bounds, ServeBounds::default());
    }

    #[test]
    fn any_text_is_a_configuration_or_has_a_fault_at_a_place_of_it() {
        let mut seed = 7_u64;
        let mut next = |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let whole = std::fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/processes/configuration/golden/good.toml"),
        );
        let whole: Vec<char> = whole.unwrap().chars().collect();
        let odd: Vec<char> = "[]{}=.,\"'#\n\u{7}\u{feff}é0-_*".chars().collect();
        for _ in 0..2_000 {
            let mut text = whole.clone();
            for _ in 0..=next(3) {
                let at = next(text.len().max(1));
                match next(3) {
                    0 if at < text.len() => drop(text.remove(at)),
                    1 => text.insert(at, odd[next(odd.len())]),
                    _ => text.truncate(at + 1),
                }
            }
            let text: String = text.into_iter().collect();
            if let Err(faults) = Config::of(&text, Path::new("/etc/keyward/keyward.toml")) {
                let lines = text.split('\n').count();
                assert!(!faults.is_empty(), "{text}");
                for fault in faults {
                    assert!(
                        (1..=lines).contains(&fault.line) && fault.column > 0,
                        "{fault}\n{text}"
                    );
                }
            }
        }
    }
}
