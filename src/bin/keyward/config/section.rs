//! A table of the configuration, read setting by setting. What is not asked for is no setting.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable};

use crate::config::fault::{Findings, Setting};
use crate::config::kinds::{Kind, Value};

/// A table of the configuration, or where one could stand.
pub struct Section<'t> {
    table: Option<&'t DeTable<'t>>,
    /// Where it begins.
    at: Range<usize>,
    /// Its name in this file, such as `keys.documents`.
    path: String,
    /// Its name on the page of settings, such as `keys.NAME`.
    pattern: String,
    /// Whether something else than a table stands here.
    broken: bool,
    /// The key that it belongs to.
    key: Option<String>,
    asked: RefCell<Vec<String>>,
    findings: &'t Findings,
}

impl<'t> Section<'t> {
    /// The whole file.
    pub fn whole(table: &'t Spanned<DeTable<'t>>, findings: &'t Findings) -> Self {
        Self {
            table: Some(table.get_ref()),
            broken: false,
            at: 0..0,
            path: String::new(),
            pattern: String::new(),
            key: None,
            asked: RefCell::default(),
            findings,
        }
    }

    /// A table in it, or where that could stand.
    fn inner(&self, value: Option<&'t Value<'t>>, path: String, pattern: String) -> Self {
        let table = value.and_then(|value| self.as_table(value));
        Self {
            broken: value.is_some() && table.is_none(),
            table,
            at: value.map_or(self.at.clone(), Spanned::span),
            path,
            pattern,
            key: self.key.clone(),
            asked: RefCell::default(),
            findings: self.findings,
        }
    }

    /// Where the table begins.
    pub fn at(&self) -> &Range<usize> {
        &self.at
    }

    /// What is found here.
    pub fn findings(&self) -> &'t Findings {
        self.findings
    }

    /// Where a setting of it stands, else where the table begins.
    pub fn place_of(&self, name: &str) -> Range<usize> {
        self.find(name)
            .map_or(self.at.clone(), |value| value.span())
    }

    /// Whether something stands here that is no table; that was told.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether a setting is given.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&'t Value<'t>> {
        self.table?.get(name)
    }

    /// A setting that has a default.
    pub fn read<K: Kind>(&self, name: &'static str, default: K) -> K {
        let shown = default.shown();
        let found = self.value(name);
        let read = found.and_then(|value| K::read(value, self.findings));
        let read = read.unwrap_or(default);
        self.record(name, K::NAME, Some(shown), read.shown());
        read
    }

    /// A setting that may be missing and then has no value.
    pub fn optional<K: Kind>(&self, name: &'static str) -> Option<K> {
        let read = self
            .value(name)
            .and_then(|value| K::read(value, self.findings));
        let shown = read.as_ref().map_or_else(String::new, Kind::shown);
        self.record(name, K::NAME, Some(String::new()), shown);
        read
    }

    /// A setting that must be given.
    pub fn required<K: Kind>(&self, name: &'static str, what: &str) -> Option<K> {
        let found = self.value(name);
        if found.is_none() {
            let text = format!("`{}` is missing: {what}", self.path_of(name));
            self.findings.missing(&self.at, text);
        }
        let read = found.and_then(|value| K::read(value, self.findings));
        let shown = read.as_ref().map_or_else(String::new, Kind::shown);
        self.record(name, K::NAME, None, shown);
        read
    }

    /// A table in it.
    pub fn table(&self, name: &'static str) -> Section<'t> {
        self.inner(self.value(name), self.path_of(name), self.pattern_of(name))
    }

    /// The tables of keys, by the keys' names.
    pub fn of_keys(&self, name: &'static str) -> Vec<(Spanned<&'t str>, Section<'t>)> {
        let value = self.value(name);
        let Some(table) = value.and_then(|value| self.as_table(value)) else {
            return Vec::new();
        };
        let pattern = format!("{}.NAME", self.pattern_of(name));
        let of_key = |(key, value): (&'t Spanned<DeString<'t>>, &'t Value<'t>)| {
            let path = format!("{}.{}", self.path_of(name), key.get_ref());
            let section = Self {
                key: Some(key.get_ref().to_string()),
                ..self.inner(Some(value), path, pattern.clone())
            };
            (Spanned::new(key.span(), key.get_ref().as_ref()), section)
        };
        table.iter().map(of_key).collect()
    }

    /// The names in a table of it, whatever is wrong with what they stand for.
    pub fn names(&self, name: &str) -> Vec<&'t str> {
        let table = self.find(name).and_then(|value| value.get_ref().as_table());
        let names = table.into_iter().flat_map(|table| table.keys());
        names.map(|name| name.get_ref().as_ref()).collect()
    }

    /// An array of tables.
    pub fn array(&self, name: &'static str) -> Vec<Section<'t>> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            let text = format!("this must be an array of tables: write [[{name}]]");
            self.findings.fault(&value.span(), text);
            return Vec::new();
        };
        let pattern = self.pattern_of(name);
        let numbered = array.iter().enumerate();
        let inner =
            |(at, value)| self.inner(Some(value), format!("{pattern}.{at}"), pattern.clone());
        numbered.map(inner).collect()
    }

    /// Tells of every name in the table that nothing has asked for.
    pub fn end(self) {
        let asked = self.asked.into_inner();
        for (name, _) in self.table.into_iter().flatten() {
            if !asked.iter().any(|asked| asked == name.get_ref()) {
                let known = asked.clone();
                self.findings
                    .unknown(&name.span(), name.get_ref(), &self.pattern, known);
            }
        }
    }

    fn as_table(&self, value: &'t Value<'t>) -> Option<&'t DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let found = value.get_ref().type_str();
            let text = format!("this must be a table of settings, and is: {found}");
            self.findings.fault(&value.span(), text);
        }
        table
    }

    fn value(&self, name: &str) -> Option<&'t Value<'t>> {
        self.asked.borrow_mut().push(name.to_owned());
        self.find(name)
    }

    fn path_of(&self, name: &str) -> String {
        below(&self.path, name)
    }

    fn pattern_of(&self, name: &str) -> String {
        below(&self.pattern, name)
    }

    fn record(&self, name: &str, kind: &'static str, default: Option<String>, value: String) {
        self.findings.setting(Setting {
            path: self.path_of(name),
            key: self.key.clone(),
            pattern: self.pattern_of(name),
            kind,
            default,
            value,
        });
    }
}

fn below(table: &str, name: &str) -> String {
    match table {
        "" => name.to_owned(),
        table => format!("{table}.{name}"),
    }
}
