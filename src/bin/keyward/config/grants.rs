//! Who may what: `[[grants]]`.

use std::ops::Range;

use keyward::{KeyName, WorkerName};

use crate::config::fault::Findings;
use crate::config::kinds::{Choice, Kind, Value};
use crate::config::near::did_you_mean;
use crate::config::section::Section;

/// The number that a user or a group has who is not known in this user namespace.
const OVERFLOW: u32 = 65_534;

/// What stands for any part of a name.
const ANY: char = '*';

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    Forward,
    Back,
    Work,
    Declare,
    Operate,
    Recover,
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub users: Vec<Account>,
    pub groups: Vec<Account>,
    pub keys: Vec<String>,
    pub workers: Vec<String>,
    pub may: Vec<May>,
}

impl Choice for May {
    const NAME: &'static str = "what may be done";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("forward", Self::Forward),
        ("back", Self::Back),
        ("work", Self::Work),
        ("declare", Self::Declare),
        ("operate", Self::Operate),
        ("recover", Self::Recover),
    ];
}

/// A user or a group: by name, or by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    Name(String),
    Number(u32),
}

impl Kind for Account {
    const NAME: &'static str = "name or number";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        match value.get_ref().is_integer() {
            true => u32::read(value, findings).map(Self::Number),
            false => String::read(value, findings).map(Self::Name),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Name(name) => name.shown(),
            Self::Number(number) => number.shown(),
        }
    }
}

/// Reads all grants; `None` where the file has no table of them.
pub fn read(whole: &Section<'_>) -> Option<Vec<Grant>> {
    let grants = whole.array("grants");
    let keys = whole.names("keys");
    let read = grants.into_iter().map(|section| grant(section, &keys));
    let read: Vec<Grant> = read.collect();
    whole.has("grants").then_some(read)
}

fn grant(section: Section<'_>, known: &[&str]) -> Grant {
    let findings = section.findings();
    let users = section.read("users", Vec::<Placed<Account>>::new());
    let groups = section.read("groups", Vec::<Placed<Account>>::new());
    let keys = section.read("keys", Vec::<Placed<String>>::new());
    let workers = section.read("workers", Vec::<Placed<String>>::new());
    let may = section.read("may", Vec::<May>::new());
    for key in &keys {
        check_key(key, known, findings);
    }
    for worker in &workers {
        let is_name = WorkerName::new(&worker.value).map(drop);
        check_name(
            &worker.at,
            is_name.map_err(|error| error.to_string()),
            findings,
        );
    }
    for account in users.iter().chain(&groups) {
        check_account(account, findings);
    }
    check_whole(&section, &may);
    let grant = Grant {
        users: users.into_iter().map(|user| user.value).collect(),
        groups: groups.into_iter().map(|group| group.value).collect(),
        keys: keys.into_iter().map(|key| key.value).collect(),
        workers: workers.into_iter().map(|worker| worker.value).collect(),
        may,
    };
    section.end();
    grant
}

/// Tells of a grant that would give nothing, for that is a slip.
fn check_whole(section: &Section<'_>, may: &[May]) {
    let fault = |text: &str| section.findings().fault(section.at(), text);
    if !section.has("users") && !section.has("groups") {
        fault("this grant is for no user and no group: give `users` or `groups`");
    }
    if !section.has("may") {
        fault("this grant permits nothing: say what in `may`");
    }
    if !section.has("keys") {
        fault("this grant is for no key: name some in `keys`, or all by [\"*\"]");
    }
    if may.contains(&May::Work) && !section.has("workers") {
        fault("who may `work` joins under a name: say which in `workers`, or any by [\"*\"]");
    }
}

fn check_key(key: &Placed<String>, known: &[&str], findings: &Findings) {
    let is_name = KeyName::new(&key.value).map(drop);
    check_name(
        &key.at,
        is_name.map_err(|error| error.to_string()),
        findings,
    );
    if !key.value.contains(ANY) && !known.contains(&key.value.as_str()) {
        let near = did_you_mean(&key.value, known.iter().copied());
        let text = format!("there is no key of this name in this file{near}");
        findings.fault(&key.at, text);
    }
}

fn check_name(at: &Range<usize>, is_name: Result<(), String>, findings: &Findings) {
    if let Err(why) = is_name {
        findings.fault(at, why);
    }
}

/// Tells of a user or group that no grant ever matches.
fn check_account(account: &Placed<Account>, findings: &Findings) {
    if account.value == Account::Number(OVERFLOW) {
        let text = format!(
            "{OVERFLOW} stands for everyone whom the system does not know, and matches no grant"
        );
        findings.fault(&account.at, text);
    }
}

/// A value that is judged later, where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Placed<K> {
    at: Range<usize>,
    value: K,
}

impl<K: Kind> Kind for Placed<K> {
    const NAME: &'static str = K::NAME;

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let read = K::read(value, findings)?;
        Some(Self {
            at: value.span(),
            value: read,
        })
    }

    fn shown(&self) -> String {
        self.value.shown()
    }
}
