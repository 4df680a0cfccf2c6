//! `keyward.toml`: the configuration of `keyward serve`.
//!
//! `section` reads a table setting by setting, `kinds` are the kinds of values, and `fault` gathers what is
//! wrong, so that one reading tells all of it. `draft` is the whole file; the other files are one table each. A
//! default is stated where its setting is read; the page of settings in the docs lists the same, and a test
//! compares them.
//!
//! Never in here: a key's value. A configuration names where keys are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use keyward::{Grant, Grants, SecretKeyDefinition, ServeBounds};
use toml::de::DeTable;

mod bounds;
mod draft;
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
#[cfg(test)]
mod tests;

use draft::Draft;
use fault::{Fault, Findings, Setting};
use keys::KeySettings;
use manager::ManagerSettings;
use section::Section;
use source::Source;

/// No configuration is longer.
const LONGEST: u64 = 1024 * 1024;

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
    pub fn tell(&self, path: &Path) {
        for line in self.lines(path) {
            drop(writeln!(io::stderr(), "{line}"));
        }
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
        Self::from_bytes(&bytes, path).map_err(NoConfig::Faults)
    }

    /// Reads what a file has. Its path must be whole.
    ///
    /// # Errors
    /// All of its faults.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Vec<Fault>> {
        let text = text(bytes).map_err(|fault| vec![fault])?;
        Self::of(text, path)
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

    /// The rights of users and groups.
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
        match Self::finished(draft, settings) {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(faults),
        }
    }

    /// All of it, where what must be given is.
    fn finished(draft: Draft, settings: Vec<Setting>) -> Option<Self> {
        Some(Self {
            data_folder: draft.data_folder?,
            allow_shared_folder: draft.allow_shared_folder,
            master_key: draft.master_key?,
            socket: draft.socket,
            backups: draft.backups,
            log: draft.log,
            manager: draft.manager,
            bounds: draft.bounds,
            keys: draft.keys,
            grants: draft.grants,
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
