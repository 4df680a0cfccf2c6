//! All versions of one key: which is current, what each owes, and what each change comes to. A change is decided
//! here as a list of facts, and `apply` takes facts in, the same when they are new and when the journal is read.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::key::name::WorkerName;
use crate::key::versions::debt::Debt;
use crate::key::versions::fact::VersionFact;
use crate::key::versions::id::VersionId;
use crate::key::versions::state::{VersionEvent, VersionState};
use crate::key::versions::version::{Arrow, Cause, Prints, Version};

/// How many versions of a key are readable at once, unless its definition says otherwise.
pub const MAX_READABLE: usize = 16;

/// A value that is to become a version: its id, and the fingerprints of its halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NewVersion {
    /// The id, which nobody has heard of.
    pub id: VersionId,
    /// The fingerprints of the value.
    pub prints: Prints,
}

/// What a key that gets versions begins with. The values stay with the shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FirstVersion {
    /// What becomes version 1.
    pub first: NewVersion,
    /// Where its value comes from.
    pub cause: Cause,
    /// What the key's state record has, if that is another value.
    pub earlier: Option<NewVersion>,
}

/// Why a value cannot become a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NoNewVersion {
    /// An earlier version has the value, and it is not given again on purpose.
    Known {
        /// The number of the newest version that has it.
        number: u64,
        /// Its id.
        id: VersionId,
    },
    /// As many versions as may be are readable.
    TooMany {
        /// How many may be.
        bound: usize,
        /// What keeps each of them, in words.
        kept: Vec<String>,
    },
}

/// The versions of one key. From the first one on exactly one is current.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionTable {
    current: VersionId,
    next: u64,
    versions: BTreeMap<VersionId, Version>,
    debts: BTreeMap<VersionId, BTreeMap<WorkerName, Debt>>,
}

impl VersionTable {
    /// The facts by which a key gets versions: the first one, which is current, and before it what the key's
    /// state record had, if that is another value. Who wrote data under that one is not known: it owes all these
    /// workers.
    pub fn begin<'a>(
        first: (NewVersion, Cause),
        earlier: Option<NewVersion>,
        workers: impl IntoIterator<Item = &'a WorkerName>,
        at_ms: u64,
    ) -> Vec<VersionFact> {
        let (NewVersion { id, prints }, cause) = first;
        let version = |id, number, prints, to, cause| {
            Version::begin(id, number, prints, Arrow::new(to, at_ms, cause))
        };
        let next = if earlier.is_some() { 3 } else { 2 };
        let mut facts = vec![
            VersionFact::Current { current: id, next },
            VersionFact::Version(version(id, 1, prints, VersionState::Active, cause)),
            VersionFact::Value(id),
        ];
        if let Some(NewVersion { id, prints }) = earlier {
            let (to, cause) = (VersionState::Deactivated, Cause::StateRecord);
            let mut earlier = version(id, 2, prints, to, cause);
            earlier.unwritten_ms = Some(0);
            facts.push(VersionFact::Version(earlier));
            facts.push(VersionFact::Value(id));
            facts.extend(workers.into_iter().map(|worker| VersionFact::Debt {
                version: id,
                worker: worker.clone(),
                debt: Debt::since(at_ms),
            }));
        }
        facts.push(VersionFact::NoStateRecord);
        facts
    }

    /// The table that these facts leave; none where they name no current version that is among them.
    pub fn of_facts(facts: impl IntoIterator<Item = VersionFact>) -> Option<Self> {
        let mut current = None;
        let mut rest = Vec::new();
        for fact in facts {
            match fact {
                VersionFact::Current { current: id, next } => current = Some((id, next)),
                fact => rest.push(fact),
            }
        }
        let (current, next) = current?;
        let mut table = Self {
            current,
            next,
            versions: BTreeMap::new(),
            debts: BTreeMap::new(),
        };
        for fact in &rest {
            table.apply(fact);
        }
        table.versions.contains_key(&current).then_some(table)
    }

    /// Takes a fact in.
    pub fn apply(&mut self, fact: &VersionFact) {
        match fact {
            VersionFact::Current { current, next } => (self.current, self.next) = (*current, *next),
            VersionFact::Version(version) => {
                self.versions.insert(version.id, version.clone());
            }
            VersionFact::Gone(id) => {
                self.versions.remove(id);
                self.debts.remove(id);
            }
            VersionFact::Debt {
                version,
                worker,
                debt,
            } => {
                let debts = self.debts.entry(*version).or_default();
                debts.insert(worker.clone(), *debt);
            }
            VersionFact::DebtGone { version, worker } => {
                if let Some(debts) = self.debts.get_mut(version) {
                    debts.remove(worker);
                    if debts.is_empty() {
                        self.debts.remove(version);
                    }
                }
            }
            VersionFact::Value(_) | VersionFact::NoStateRecord | VersionFact::NoVersions => {}
        }
    }

    /// The current version.
    pub fn current(&self) -> VersionId {
        self.current
    }

    /// A version.
    pub fn get(&self, id: VersionId) -> Option<&Version> {
        self.versions.get(&id)
    }

    /// All versions, the newest first.
    pub fn newest_first(&self) -> Vec<&Version> {
        let mut all: Vec<&Version> = self.versions.values().collect();
        all.sort_by_key(|version| std::cmp::Reverse(version.number));
        all
    }

    /// The versions that are read, the current one first, then the newest.
    pub fn readable(&self) -> Vec<&Version> {
        let mut all = self.newest_first();
        all.retain(|version| version.state.is_readable());
        all.sort_by_key(|version| version.id != self.current);
        all
    }

    /// What a version owes, by worker.
    pub fn debts(&self, id: VersionId) -> impl Iterator<Item = (&WorkerName, &Debt)> {
        self.debts.get(&id).into_iter().flatten()
    }

    /// Whether a version owes a worker.
    pub fn owes(&self, id: VersionId, worker: &WorkerName) -> bool {
        let debts = self.debts.get(&id);
        debts.is_some_and(|debts| debts.contains_key(worker))
    }

    /// The newest version that has this value, whatever its state.
    pub fn with_value(&self, prints: &Prints) -> Option<&Version> {
        let mut all = self.newest_first().into_iter();
        all.find(|version| version.prints.is_same(prints))
    }

    /// A value becomes a pending version for a rotation. `again` says that an earlier version may have it; `named`
    /// are the versions that rotations name which have not ended.
    ///
    /// # Errors
    /// [`NoNewVersion`].
    pub fn accept(
        &self,
        new: NewVersion,
        (rotation, again): (Uuid, bool),
        (bound, named): (usize, &BTreeSet<VersionId>),
        at_ms: u64,
    ) -> Result<Vec<VersionFact>, NoNewVersion> {
        let known = self.with_value(&new.prints).filter(|_| !again);
        if let Some(&Version { number, id, .. }) = known {
            return Err(NoNewVersion::Known { number, id });
        }
        let readable = self.readable();
        if readable.len() >= bound {
            let kept = readable
                .into_iter()
                .map(|version| self.keeps(version, named));
            let kept = kept.collect();
            return Err(NoNewVersion::TooMany { bound, kept });
        }
        let first = Arrow::new(VersionState::Pending, at_ms, Cause::Rotation(rotation));
        let version = Version::begin(new.id, self.next, new.prints, first);
        let (current, next) = (self.current, self.next.saturating_add(1));
        Ok(vec![
            VersionFact::Current { current, next },
            VersionFact::Version(version),
            VersionFact::Value(new.id),
        ])
    }

    /// A version becomes current: a pending one, or an earlier active one where a rotation is undone. Nothing
    /// where it cannot.
    pub fn turn(&self, id: VersionId, rotation: Uuid, at_ms: u64) -> Option<Vec<VersionFact>> {
        let version = self.get(id)?;
        let (current, next) = (id, self.next);
        let turned = VersionFact::Current { current, next };
        let mut version = match version.state {
            VersionState::Pending => {
                version.after(VersionEvent::Turn, at_ms, Cause::Rotation(rotation))?
            }
            VersionState::Active => version.clone(),
            VersionState::Deactivated | VersionState::Withdrawn | VersionState::Destroyed => {
                return None;
            }
        };
        version.unwritten_ms = None;
        Some(vec![turned, VersionFact::Version(version)])
    }

    /// All write with the current version: of the others it is counted from now on for how long nothing has been
    /// written with them.
    pub fn all_write(&self) -> Vec<VersionFact> {
        let others = self.versions.values().filter(|version| {
            version.id != self.current
                && version.unwritten_ms.is_none()
                && matches!(
                    version.state,
                    VersionState::Active | VersionState::Deactivated
                )
        });
        others
            .map(|version| {
                let mut version = version.clone();
                version.unwritten_ms = Some(0);
                VersionFact::Version(version)
            })
            .collect()
    }

    /// A pending version is gone, as is all that was known of it; nothing for any other one.
    pub fn undo(&self, id: VersionId) -> Vec<VersionFact> {
        let version = self.get(id);
        let pending = version.filter(|version| version.state == VersionState::Pending);
        let gone = pending.map(|version| VersionFact::Gone(version.id));
        gone.into_iter().collect()
    }

    /// A rotation has ended: every active version that is not current, and that no rotation names which has not
    /// ended, is deactivated.
    pub fn deactivate(
        &self,
        named: &BTreeSet<VersionId>,
        rotation: Uuid,
        at_ms: u64,
    ) -> Vec<VersionFact> {
        let others = self.versions.values();
        let others = others.filter(|one| one.id != self.current && !named.contains(&one.id));
        let after = |version: &Version| {
            version.after(VersionEvent::Deactivate, at_ms, Cause::Rotation(rotation))
        };
        others.filter_map(after).map(VersionFact::Version).collect()
    }

    /// A version is handed to a worker for writing; nothing where it owes it already.
    pub fn owe(&self, id: VersionId, worker: &WorkerName, at_ms: u64) -> Option<VersionFact> {
        let new = self.versions.contains_key(&id) && !self.owes(id, worker);
        new.then(|| VersionFact::Debt {
            version: id,
            worker: worker.clone(),
            debt: Debt::since(at_ms),
        })
    }

    /// All callbacks of data of a worker have Succeeded in one rotation away from a version: the debts to it of that
    /// version and of older ones end, never that of the current one.
    pub fn pay(&self, old: VersionId, worker: &WorkerName) -> Vec<VersionFact> {
        let Some(up_to) = self.get(old).map(|version| version.number) else {
            return Vec::new();
        };
        // What came from a state record is older than the first version, whatever its number.
        let is_older = |version: &Version| version.number <= up_to || version.is_of_state_record();
        let owing = self.versions.values().filter(|version| {
            version.id != self.current && is_older(version) && self.owes(version.id, worker)
        });
        owing.map(|version| ended(version.id, worker)).collect()
    }

    /// The stated lifetime of data has been counted since all write with another version: all debts of such
    /// versions end.
    pub fn outlive(&self, data_lives_ms: u64) -> Vec<VersionFact> {
        let is_over = |id: &VersionId| {
            let version = self.get(*id).filter(|_| *id != self.current);
            let unwritten = version.and_then(|version| version.unwritten_ms);
            unwritten.is_some_and(|unwritten| unwritten >= data_lives_ms)
        };
        let over = self.debts.iter().filter(|(id, _)| is_over(id));
        over.flat_map(|(id, debts)| debts.keys().map(|worker| ended(*id, worker)))
            .collect()
    }

    /// The keeper has run for a while: that is counted for each version with which nothing is written and that
    /// owes.
    pub fn count(&self, ran_ms: u64) -> Vec<VersionFact> {
        let owing = self.debts.keys().filter_map(|id| self.get(*id));
        owing
            .filter_map(|version| {
                let counted = version.unwritten_ms?.saturating_add(ran_ms);
                let mut version = version.clone();
                version.unwritten_ms = Some(counted);
                Some(VersionFact::Version(version))
            })
            .collect()
    }

    /// How many milliseconds are left until the next lifetime of data is over; none where none is counted.
    pub fn shortest_left(&self, data_lives_ms: u64) -> Option<u64> {
        let owing = self.debts.keys().filter_map(|id| self.get(*id));
        let left =
            owing.filter_map(|version| Some(data_lives_ms.saturating_sub(version.unwritten_ms?)));
        left.min()
    }

    /// Why a version does not go: in words, for an operator.
    fn keeps(&self, version: &Version, named: &BTreeSet<VersionId>) -> String {
        let mut why = Vec::new();
        if version.id == self.current {
            why.push("it is current".to_owned());
        }
        if named.contains(&version.id) {
            why.push("a rotation names it that has not ended".to_owned());
        }
        let debts: Vec<String> = self
            .debts(version.id)
            .map(|(of, _)| of.to_string())
            .collect();
        if !debts.is_empty() {
            why.push(format!("it owes {}", debts.join(", ")));
        }
        if why.is_empty() {
            why.push("nothing needs it".to_owned());
        }
        let Version { number, id, .. } = version;
        format!("version {number} ({id}): {}", why.join("; "))
    }
}

fn ended(version: VersionId, worker: &WorkerName) -> VersionFact {
    let worker = worker.clone();
    VersionFact::DebtGone { version, worker }
}
