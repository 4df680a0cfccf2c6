//! The rights of users and groups: `[[grants]]`.

use std::fs;
use std::ops::Range;

use keyward::{Grant, InvalidGrant, KeyName, Right, WorkerName};

use crate::config::fault::Findings;
use crate::config::kinds::{Choice, Kind, Value};
use crate::config::near::did_you_mean;
use crate::config::section::Section;

/// The number of each user or group that is not known in this user namespace.
const OVERFLOW: &str = "65534";

/// What stands for any part of a name.
const ANY: char = '*';

impl Choice for Right {
    const NAME: &'static str = "right";
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
enum Account {
    Name(String),
    Number(u32),
}

impl Account {
    fn name(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
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
    let may = section.read("may", Vec::<Right>::new());
    check_whole(&section, &may);
    let mut grant = Grant::of(may);
    for user in &users {
        grant = with(grant, &user.at, findings, |grant| {
            match_one(grant, user, "/etc/passwd", Grant::user)
        });
    }
    for group in &groups {
        grant = with(grant, &group.at, findings, |grant| {
            match_one(grant, group, "/etc/group", Grant::group)
        });
    }
    for key in &keys {
        if is_key(key, known, findings) {
            grant = with(grant, &key.at, findings, |grant| {
                said(grant.key(&key.value))
            });
        }
    }
    for worker in &workers {
        if is_name(&worker.at, WorkerName::new(&worker.value), findings) {
            grant = with(grant, &worker.at, findings, |grant| {
                said(grant.worker(&worker.value))
            });
        }
    }
    section.end();
    grant
}

/// The grant with more, or as it was and a fault.
fn with(
    grant: Grant,
    at: &Range<usize>,
    findings: &Findings,
    add: impl FnOnce(Grant) -> Result<Grant, String>,
) -> Grant {
    add(grant.clone()).unwrap_or_else(|why| {
        findings.fault(at, why);
        grant
    })
}

/// Tells of a grant that would give nothing, for that is a slip.
fn check_whole(section: &Section<'_>, may: &[Right]) {
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
    if may.contains(&Right::Work) && !section.has("workers") {
        fault("who may `work` joins under a name: say which in `workers`, or any by [\"*\"]");
    }
}

/// The grant for one more user or group. The system's own users and groups are in that file.
fn match_one(
    grant: Grant,
    account: &Placed<Account>,
    known: &str,
    add: impl Fn(Grant, &str) -> Result<Grant, InvalidGrant>,
) -> Result<Grant, String> {
    let name = account.value.name();
    let alone = |name: &str| add(Grant::of([]), name);
    if alone(&name) == alone(OVERFLOW) {
        return Err(format!(
            "{OVERFLOW} stands for everyone whom the system does not know, and matches no grant"
        ));
    }
    add(grant, &name).map_err(|error| match error.code() {
        "unknown_user" | "unknown_group" => format!("{error}{}", near_account(&name, known)),
        _ => error.to_string(),
    })
}

/// The account that was most likely meant, of those in that file: further ones may come from elsewhere.
fn near_account(name: &str, known: &str) -> String {
    let known = fs::read_to_string(known).unwrap_or_default();
    let names = known.lines().filter_map(|line| line.split(':').next());
    did_you_mean(name, names)
}

fn said(added: Result<Grant, InvalidGrant>) -> Result<Grant, String> {
    added.map_err(|error| error.to_string())
}

fn is_key(key: &Placed<String>, known: &[&str], findings: &Findings) -> bool {
    let is_known = key.value.contains(ANY) || known.contains(&key.value.as_str());
    if !is_known {
        let near = did_you_mean(&key.value, known.iter().copied());
        let text = format!("there is no key of this name in this file{near}");
        findings.fault(&key.at, text);
    }
    is_name(&key.at, KeyName::new(&key.value), findings) && is_known
}

fn is_name<N, E: ToString>(at: &Range<usize>, name: Result<N, E>, findings: &Findings) -> bool {
    let why = name.err().map(|why| why.to_string());
    if let Some(why) = &why {
        findings.fault(at, why.as_str());
    }
    why.is_none()
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
