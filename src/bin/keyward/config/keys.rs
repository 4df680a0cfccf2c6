//! The keys of a configuration: `[keys.NAME]`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use keyward::{
    KeyName, OnKeyChangedCallbackErrorStrategy as Strategy, SecretKeyDefinition,
    SecretKeyUseCase as UseCase,
};

use crate::config::kinds::{AtLeastOne, Choice, Halves, Limit, Size, Time};
use crate::config::section::Section;
use crate::config::source::{Allowed, Source};

/// A key as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    pub source: Source,
    use_case: UseCase,
    stateless: bool,
    keep_in_cache: bool,
    error_strategy: Strategy,
    store_time_limit: Limit,
    request_time_limit: Limit,
    callback_time_limit: Limit,
    workers_at_once: AtLeastOne<usize>,
    max_requests: AtLeastOne<usize>,
    max_waiting_rotations: AtLeastOne<usize>,
    versions: Option<Versions>,
}

/// What is configured of a key's versions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Versions {
    drain: Time,
    /// None for ever.
    data_lives: Option<Limit>,
    max_readable: AtLeastOne<usize>,
    make_first: Option<Size>,
}

impl Choice for UseCase {
    const NAME: &'static str = "\"round_trip\" or \"one_way_trip\"";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("round_trip", Self::RoundTrip),
        ("one_way_trip", Self::OneWayTrip),
    ];
}

impl Choice for Strategy {
    const NAME: &'static str = "\"halt\", \"raise_immediately\", \"skip\" or \"skip_and_raise\"";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("halt", Self::Halt),
        ("raise_immediately", Self::RaiseImmediately),
        ("skip", Self::Skip),
        ("skip_and_raise", Self::SkipAndRaise),
    ];
}

impl KeySettings {
    /// The definition of this key.
    ///
    /// # Errors
    /// Its source cannot be had by this process.
    pub fn definition(&self, name: &str) -> Result<SecretKeyDefinition, String> {
        let store = self.source.store(self.store_time_limit.0)?;
        let definition = SecretKeyDefinition::new(name, self.use_case, store);
        let definition = match &self.versions {
            Some(versions) => versions.of(definition),
            None => definition,
        };
        Ok(definition
            .stateless(self.stateless)
            .keep_in_cache(self.keep_in_cache)
            .error_strategy(self.error_strategy)
            .store_time_limit(self.store_time_limit.0)
            .request_time_limit(self.request_time_limit.0)
            .callback_time_limit(self.callback_time_limit.0)
            .workers_at_once(self.workers_at_once.0)
            .max_requests(self.max_requests.0)
            .max_waiting_rotations(self.max_waiting_rotations.0))
    }
}

impl Versions {
    /// The definition of a key with such versions.
    fn of(&self, definition: SecretKeyDefinition) -> SecretKeyDefinition {
        let mut definition = definition
            .versions(true)
            .drain(self.drain.0)
            .max_readable_versions(self.max_readable.0);
        if let Some(lives) = self.data_lives {
            definition = definition.data_lives(lives.0);
        }
        if let Some(bytes) = self.make_first {
            definition = definition.make_first_value(bytes.0);
        }
        definition
    }

    /// Reads what is said of versions; none where the key is to have none.
    fn read(section: &Section<'_>) -> Option<Self> {
        let wanted = section.read("versions", false);
        let read = Self {
            drain: section.read("drain", Time(Duration::from_secs(30))),
            data_lives: section.optional("data_lives"),
            max_readable: section.read("max_readable_versions", AtLeastOne(16)),
            make_first: section.optional("make_first_value"),
        };
        let of_versions = [
            "drain",
            "data_lives",
            "max_readable_versions",
            "make_first_value",
        ];
        let given = of_versions.into_iter().find(|name| section.has(name));
        if let Some(name) = given.filter(|_| !wanted) {
            let text = format!("`{name}` is for a key with versions; add `versions = true`");
            section.findings().fault(&section.place_of(name), text);
        }
        if read.max_readable.0 < 2 {
            let text = "a rotation needs the old version and the new one; give 2 or more";
            let at = section.place_of("max_readable_versions");
            section.findings().fault(&at, text);
        }
        wanted.then_some(read)
    }
}

/// Reads all keys.
pub fn read(whole: &Section<'_>, folder: &Path) -> BTreeMap<String, KeySettings> {
    let mut keys = BTreeMap::new();
    for (name, section) in whole.of_keys("keys") {
        let read = key(name.get_ref(), section, folder);
        if let Err(invalid) = KeyName::new(name.get_ref()) {
            whole.findings().fault(&name.span(), invalid.to_string());
        } else if let Some(read) = read {
            keys.insert((*name.get_ref()).to_owned(), read);
        }
    }
    keys
}

fn key(name: &str, section: Section<'_>, folder: &Path) -> Option<KeySettings> {
    let use_case = section.read("use_case", UseCase::RoundTrip);
    let stateless = section.read("stateless", true);
    let keep_in_cache = section.read("keep_in_cache", true);
    let error_strategy = section.read("error_strategy", Strategy::Halt);
    let store_time_limit = section.read("store_time_limit", Limit::seconds(10));
    let request_time_limit = section.read("request_time_limit", Limit::seconds(15));
    let callback_time_limit = section.read("callback_time_limit", Limit::seconds(30));
    let workers_at_once = section.read("workers_at_once", AtLeastOne(1));
    let max_requests = section.read("max_requests", AtLeastOne(1_024));
    let max_waiting_rotations = section.read("max_waiting_rotations", AtLeastOne(64));
    let versions = Versions::read(&section);
    let store = section.table("store");
    let source = Source::read(&store, Allowed::OfKeys, source_of(name));
    if source.as_ref().is_some_and(Source::is_pair) && use_case == UseCase::OneWayTrip {
        let text = "a key with the use case one_way_trip takes one value, and no pair";
        section.findings().fault(store.at(), text);
    }
    store.end();
    section.end();
    Some(KeySettings {
        source: source?.below(folder),
        use_case,
        stateless,
        keep_in_cache,
        error_strategy,
        store_time_limit,
        request_time_limit,
        callback_time_limit,
        workers_at_once,
        max_requests,
        max_waiting_rotations,
        versions,
    })
}

/// The source of a key that names none: a file of its name in the folder `keys`. A name that is no
/// file's has none.
fn source_of(name: &str) -> Option<Source> {
    let is_file = Path::new(name).file_name().is_some_and(|file| file == name);
    is_file.then(|| Source::File {
        paths: Halves::One(format!("keys/{name}")),
        exact: false,
        allow_shared_file: false,
    })
}
