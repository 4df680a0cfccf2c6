//! What is wrong with a configuration, and where.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use crate::config::near::nearest;

/// One fault, with its place in the file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub line: usize,
    pub column: usize,
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

/// A setting as it was read: what the docs list, and what a reload compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its whole name in this file, such as `keys.documents.stateless`.
    pub path: String,
    /// The key that it is a setting of.
    pub key: Option<String>,
    /// Its name on the page of settings, such as `keys.NAME.stateless`.
    pub pattern: String,
    /// What it is, in the words of that page.
    pub kind: &'static str,
    /// Its default as it is written in a file; `None` for one that must be given.
    pub default: Option<String>,
    /// What it is in this file.
    pub value: String,
}

/// What one reading of a configuration finds. Reading goes on after a fault, so that all are told.
#[derive(Debug, Default)]
pub struct Findings {
    faults: RefCell<Vec<(usize, String)>>,
    missing: RefCell<Vec<(usize, String)>>,
    unknown: RefCell<Vec<Unknown>>,
    settings: RefCell<Vec<Setting>>,
}

/// A name that no setting has.
#[derive(Debug)]
struct Unknown {
    at: usize,
    name: String,
    /// The table in which it stands, as the page of settings calls it.
    table: String,
    /// What may stand in that table.
    known: Vec<String>,
}

impl Findings {
    /// Something is wrong there.
    pub fn fault(&self, at: &Range<usize>, text: impl Into<String>) {
        self.faults.borrow_mut().push((at.start, text.into()));
    }

    /// Something is missing there.
    pub fn missing(&self, at: &Range<usize>, text: impl Into<String>) {
        self.missing.borrow_mut().push((at.start, text.into()));
    }

    /// Forgets what cannot be said where parts of the file could not be read.
    pub fn forget(&mut self, is_unread: impl Fn(usize) -> bool) {
        self.missing.get_mut().clear();
        self.faults.get_mut().retain(|(at, _)| !is_unread(*at));
        self.unknown
            .get_mut()
            .retain(|unknown| !is_unread(unknown.at));
    }

    /// Takes in what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        self.faults.get_mut().extend(other.faults.into_inner());
    }

    /// This name stands for nothing in that table.
    pub fn unknown(&self, at: &Range<usize>, name: &str, table: &str, known: Vec<String>) {
        self.unknown.borrow_mut().push(Unknown {
            at: at.start,
            name: name.to_owned(),
            table: table.to_owned(),
            known,
        });
    }

    /// A setting was read.
    pub fn setting(&self, setting: Setting) {
        self.settings.borrow_mut().push(setting);
    }

    /// All faults of this text by their places, and all settings that were read.
    pub fn into_parts(self, text: &str) -> (Vec<Fault>, Vec<Setting>) {
        let settings = self.settings.into_inner();
        let mut faults = self.faults.into_inner();
        faults.extend(self.missing.into_inner());
        for unknown in self.unknown.into_inner() {
            faults.push((unknown.at, unknown.described(&settings)));
        }
        let placed = |(at, words): (usize, String)| {
            let (line, column) = place(text, at);
            let text = words;
            Fault { line, column, text }
        };
        let mut faults: Vec<Fault> = faults.into_iter().map(placed).collect();
        faults.sort();
        faults.dedup();
        (faults, settings)
    }
}

impl Unknown {
    fn described(&self, settings: &[Setting]) -> String {
        let said = format!("there is no setting `{}` here", self.name.escape_debug());
        if let Some(near) = nearest(&self.name, self.known.iter().map(String::as_str)) {
            return format!("{said}; did you mean `{near}`?");
        }
        let elsewhere = |setting: &&Setting| {
            let (table, name) = setting
                .pattern
                .rsplit_once('.')
                .unwrap_or(("", &setting.pattern));
            name == self.name && table != self.table
        };
        match settings.iter().find(elsewhere) {
            Some(setting) => format!("{said}; did you mean `{}`?", setting.pattern),
            None if self.known.is_empty() => said,
            None => format!("{said}; there are {}", self.known.join(", ")),
        }
    }
}

/// The line and the column of a byte of a text.
pub fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let lines = before.bytes().filter(|byte| *byte == b'\n').count();
    (lines + 1, line.chars().count() + 1)
}
