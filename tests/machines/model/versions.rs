//! A key with versions in the model: what its actor knows of them, what workers hold that they write with, and the
//! store that only the last step writes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyward::key::name::WorkerName;
use keyward::key::time::Time;
use keyward::key::versions::fact::VersionFact;
use keyward::key::versions::id::VersionId;
use keyward::key::versions::table::{NewVersion, VersionTable};
use keyward::key::versions::version::{Cause, Prints};
use keyward::rotation::effect::Fact;
use keyward::rotation::event::{DeclaredVersion, Event, StepRef};
use keyward::rotation::id::RotationId;
use keyward::rotation::plan::{Header, Step, VersionPhase};
use keyward::rotation::status::CallbackStatus;
use uuid::Uuid;

use crate::durable::Journal;
use crate::model::names::{KEYS, WORKERS, rid};
use crate::model::shape::Shape;
use crate::model::state::{Durable, Rule, State};

/// How long a copy may be written with after another version has become current.
pub const DRAIN: Duration = Duration::from_secs(30);

/// The id of the version that the rotation of this number brings; 0 is the first one.
pub fn vid(number: usize) -> VersionId {
    let number = u128::try_from(number).expect("small");
    VersionId::new(Uuid::from_u128(0xf0 + number))
}

/// The fingerprints of a version's value.
pub fn prints(number: usize) -> [[u8; 32]; 2] {
    [[u8::try_from(number).expect("small"); 32]; 2]
}

/// What the world has of versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Versions {
    /// What the key knows, if it is defined.
    pub known: Option<VersionTable>,
    /// When gets were last answered with each version in this life.
    written: BTreeMap<VersionId, Time>,
    /// What each worker has for writing, and since when.
    copies: BTreeMap<usize, (VersionId, Time)>,
    /// The workers that wait for a version to owe them.
    pub wants: BTreeSet<usize>,
    /// The questions when another version was last answered.
    pub asks: Vec<(RotationId, u64)>,
    /// What workers wrote with and have not left since.
    written_by: BTreeSet<(VersionId, WorkerName)>,
    /// How often the store was written.
    switches: BTreeSet<StepRef>,
}

/// The journal of a key that has one version.
pub fn with_one_version() -> Durable {
    let first = NewVersion {
        id: vid(0),
        prints: Prints::of(prints(0)),
    };
    let facts = VersionTable::begin((first, Cause::Adopted), None, [], 0);
    let table = VersionTable::of_facts(facts).expect("a first version");
    let journal = Journal {
        versions: BTreeMap::from([(KEYS[0].clone(), table)]),
        values: BTreeSet::from([vid(0)]),
        ids: BTreeSet::from([vid(0)]),
        ..Journal::default()
    };
    Durable {
        journal,
        ..Durable::default()
    }
}

impl Shape {
    /// What the new keys of a rotation are to be.
    pub fn declared_version(&self, rotation: usize) -> DeclaredVersion {
        DeclaredVersion {
            id: vid(rotation + 1),
            again: false,
            switch: Some(true),
        }
    }
}

impl State {
    /// A worker gets the current version.
    pub fn get(&mut self, shape: &Shape, worker: usize) {
        self.used.gets += 1;
        self.versions.wants.insert(worker);
        self.serve(shape, worker);
    }

    fn serve(&mut self, shape: &Shape, worker: usize) {
        let Some(known) = &self.versions.known else {
            return;
        };
        let (current, name) = (known.current(), WORKERS[worker].clone());
        if !known.owes(current, &name) {
            let event = Event::HandOut {
                key: KEYS[0].clone(),
                version: current,
                worker: name,
            };
            self.happen(shape, event);
            return;
        }
        let time = self.time;
        self.versions.wants.remove(&worker);
        self.versions.written.insert(current, time);
        self.versions.copies.insert(worker, (current, time));
        self.versions.written_by.insert((current, name));
        self.expect(self.debts_are_durable(), Rule::Debt);
        self.expect(self.is_read_by_all(current), Rule::NotDurable);
    }

    /// The key hears of its versions; those who wait are served, or ask anew.
    pub fn hears(&mut self, shape: &Shape, change: impl FnOnce(&mut Option<VersionTable>)) {
        change(&mut self.versions.known);
        for worker in self.versions.wants.clone() {
            self.serve(shape, worker);
        }
    }

    /// The key answers when it last answered another version than the current one.
    pub fn last_written(&mut self, shape: &Shape, at: usize) {
        let (rotation, asked) = self.versions.asks.remove(at);
        let current = self.versions.known.as_ref().map(VersionTable::current);
        let others = self.versions.written.iter();
        let others = others.filter(|(id, _)| Some(**id) != current);
        let last = others.map(|(_, at)| *at).max();
        let event = Event::LastWritten {
            rotation,
            asked,
            last,
        };
        self.happen(shape, event);
    }

    /// A step of a rotation between versions may be called now.
    pub fn may_be_called(&mut self, header: &Header, due: &Step, steps: &BTreeMap<u32, Step>) {
        let Some(between) = header.versions else {
            return;
        };
        self.expect(between.phase == VersionPhase::AllWrite, Rule::Early);
        let time = self.time;
        let is_left = |(version, since): &(VersionId, Time)| {
            *version == between.new || since.after(DRAIN) <= time
        };
        let all_write = self.versions.copies.values().all(is_left);
        self.expect(all_write, Rule::Early);
        if due.is_own() {
            let others = steps.values().filter(|step| step.no != due.no);
            let is_last = others.into_iter().all(Step::is_settled);
            self.expect(is_last, Rule::Order);
            self.versions.switches.insert(StepRef {
                rotation: header.id,
                step: due.no,
            });
        } else {
            let owes = self.durable.journal.versions[&KEYS[0]].owes(between.new, &due.worker);
            self.expect(owes, Rule::Debt);
            self.versions
                .written_by
                .insert((between.new, due.worker.clone()));
        }
    }

    /// A debt ends: the worker's callbacks of data have all Succeeded in a rotation away from that version.
    pub fn is_paid(
        &mut self,
        durable: &Durable,
        facts: &[Fact],
        (version, worker): (VersionId, &WorkerName),
    ) {
        let living = durable.journal.rotations.values();
        let living = living.map(|(header, steps)| (header, steps.values().collect::<Vec<_>>()));
        let in_batch = facts.iter().filter_map(|fact| match fact {
            Fact::Ended(header, steps) => Some((header, steps.iter().collect())),
            _ => None,
        });
        let away = |(header, steps): (&Header, Vec<&Step>)| {
            let of_worker = |step: &&&Step| step.is_of_data() && step.worker == *worker;
            let mut own = steps.iter().filter(of_worker).filter(|step| !step.removed);
            let turned = header
                .versions
                .is_some_and(|of| of.old.is_some() && of.new != version);
            turned && own.all(|step| step.status == CallbackStatus::Succeeded)
        };
        let paid = living.chain(in_batch).any(away);
        self.expect(paid, Rule::Debt);
        self.versions.written_by.remove(&(version, worker.clone()));
    }

    /// Whether all that workers write with, or wrote with and have not re-encrypted, is owed.
    pub fn debts_are_durable(&self) -> bool {
        let table = self.durable.journal.versions.get(&KEYS[0]);
        let owed = |(version, worker): &(VersionId, WorkerName)| {
            table.is_some_and(|table| table.owes(*version, worker))
        };
        self.versions.written_by.iter().all(owed)
    }

    fn is_read_by_all(&self, version: VersionId) -> bool {
        let table = self.durable.journal.versions.get(&KEYS[0]);
        let found = table.and_then(|table| table.get(version));
        found.is_some_and(|version| version.state.is_readable())
    }

    /// Whether the key knows what is durable.
    pub fn knows_its_versions(&self) -> bool {
        let durable = self.durable.journal.versions.get(&KEYS[0]);
        !self.defined[0] || self.versions.known.as_ref() == durable
    }

    /// After an undo before it turned nobody ever had the new version, and nothing is left of it.
    pub fn leaves_no_trace(&self, shape: &Shape) -> bool {
        (0..shape.rotations.len()).all(|rotation| {
            let ended = self.durable.journal.ended.get(&rid(rotation));
            let undone = ended.and_then(|(header, _)| header.versions);
            let undone = undone.is_some_and(|of| of.phase == VersionPhase::Accepted);
            let (id, table) = (vid(rotation + 1), &self.durable.journal.versions[&KEYS[0]]);
            let had = self.versions.copies.values().any(|(of, _)| *of == id);
            let ended_without = ended.is_none_or(|(header, _)| header.declared.new.is_none());
            !undone || (table.get(id).is_none() && !had && ended_without)
        })
    }

    /// The process has ended, with all copies in it.
    pub fn versions_crash(&mut self) {
        let written_by = std::mem::take(&mut self.versions.written_by);
        self.versions = Versions {
            written_by,
            ..Versions::default()
        };
    }
}

/// The key applies what has changed.
pub fn apply(known: &mut Option<VersionTable>, facts: &[VersionFact]) {
    if let Some(known) = known {
        facts.iter().for_each(|fact| known.apply(fact));
    }
}
