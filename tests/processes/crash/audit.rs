//! What must be true of the lives of a program that is killed again and again: it follows what they
//! told, line by line, and stops at the first lie.

use std::collections::{BTreeMap, BTreeSet};

use crate::crash::known::{End, Rotation};
use crate::crash::program::{Rotating, plan};

/// What was counted.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Callbacks that began.
    pub begun: u64,
    /// Callbacks that were killed.
    pub interrupted: u64,
    /// Callbacks that failed.
    pub failed: u64,
    /// Rotations that were completed.
    pub completed: u64,
}

/// How far a life came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Nothing, or the opening of the database.
    Start,
    /// It read, and workers joined.
    Load,
    /// It rotated.
    Rotations,
    /// It shut down, or had.
    Shutdown,
}

/// A callback of a rotation: key, number, place in the plan.
type Place = (&'static str, u32, String);

/// Follows the lives of one program.
pub struct Audit {
    keys: [Rotating; 3],
    rotations: BTreeMap<(&'static str, u32), Rotation>,
    plan: Vec<String>,
    saved: bool,
    clean: bool,
    /// What began in this life and has not ended.
    running: BTreeSet<Place>,
    /// What was counted.
    pub counts: Counts,
}

impl Audit {
    /// Of a program that has not lived yet.
    pub fn new(keys: [Rotating; 3]) -> Self {
        Self {
            keys,
            rotations: BTreeMap::new(),
            plan: plan(),
            saved: false,
            clean: true,
            running: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    /// Takes in what a life told; answers how far it came.
    pub fn life(&mut self, lines: &[&str], killed: bool) -> Reached {
        let mut reached = Reached::Start;
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["found", "all"] => {
                    self.found_all();
                    reached = Reached::Load;
                }
                ["found", ref told @ ..] => self.told(told).found = true,
                ["report", ref told @ ..] => drop(self.told(told)),
                ["missing", key, no] => {
                    let known = self.known(key, no);
                    assert!(known.is_none_or(|r| !r.accepted), "{line}: it was accepted");
                }
                ["saved"] => self.saved = true,
                ["record" | "holds", key, version] => {
                    let wanted = self.version(key).to_string();
                    assert_eq!(version, wanted, "{line}: effect and success are not one");
                }
                ["ready"] => reached = Reached::Rotations,
                ["declare", key, no] => drop(self.rotation(key, no)),
                ["accepted", key, no] => self.rotation(key, no).accepted = true,
                ["begin", key, no, place, attempt] => self.begin(key, no, place, attempt),
                ["end", key, no, place, attempt] => {
                    self.end(key, no, place, attempt, End::Success);
                }
                ["fail", key, no, place, attempt] => {
                    self.counts.failed += 1;
                    self.end(key, no, place, attempt, End::Failure);
                }
                ["history", key, no, "completed", sequence, ..] => {
                    let rotation = self.rotation(key, no);
                    assert!(rotation.completed && !rotation.found, "{line}");
                    assert_eq!(rotation.sequence.to_string(), sequence);
                    rotation.found = true;
                }
                ["closing"] => reached = Reached::Shutdown,
                ["closed"] => {}
                _ => panic!("{line}"),
            }
        }
        assert!(
            killed || self.running.is_empty(),
            "{:?} run on",
            self.running
        );
        self.counts.interrupted += std::mem::take(&mut self.running).len() as u64;
        self.clean = !killed;
        reached
    }

    /// After the last life: everything that was accepted was found in the history, in its order.
    pub fn finish(&mut self) {
        // What was declared just before a kill may have left no trace, if its caller was not answered.
        self.rotations
            .retain(|_, rotation| rotation.accepted || rotation.found);
        for ((key, no), rotation) in &self.rotations {
            let told = rotation.completed && rotation.found;
            assert!(told, "rotation {no} of {key} is lost");
        }
        for key in self.keys {
            let of_key = self.of_key(key.name);
            let sequences: Vec<u64> = of_key.map(|(_, rotation)| rotation.sequence).collect();
            assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
        }
    }

    /// Which versions of a key a document may be sealed under.
    pub fn versions(&self, key: &str, place: &str) -> (u32, u32) {
        let mut newest_first = self.of_key(self.key(key).name).rev();
        let newest = newest_first.find_map(|(no, rotation)| {
            let step = rotation.steps.get(place)?;
            (step.begun > 0).then_some((no, step))
        });
        match newest {
            Some((no, step)) if step.ended == Some(End::Success) => (no, no),
            Some((no, _)) => (no - 1, no),
            None => (0, 0),
        }
    }

    /// Whether the documents have been written.
    pub fn saved(&self) -> bool {
        self.saved
    }

    fn key(&self, name: &str) -> Rotating {
        let found = self.keys.into_iter().find(|key| key.name == name);
        found.unwrap_or_else(|| panic!("no key {name}"))
    }

    /// The rotations of a key, in their order.
    fn of_key(
        &self,
        key: &'static str,
    ) -> impl DoubleEndedIterator<Item = (u32, &Rotation)> + use<'_> {
        let all = self.rotations.range((key, 0)..=(key, u32::MAX));
        all.map(|((_, no), rotation)| (*no, rotation))
    }

    fn known(&self, key: &str, no: &str) -> Option<&Rotation> {
        let no = no.parse().expect("a number");
        self.rotations.get(&(self.key(key).name, no))
    }

    fn rotation(&mut self, key: &str, no: &str) -> &mut Rotation {
        let key = self.key(key).name;
        let no = no.parse().expect("a number");
        self.rotations.entry((key, no)).or_default()
    }

    /// What the journal says of a rotation, against what was seen of it.
    fn told(&mut self, words: &[&str]) -> &mut Rotation {
        let (key, no) = (self.key(words[0]).name, words[1].parse().expect("a number"));
        let rotation = self.rotations.get_mut(&(key, no));
        let rotation = rotation.unwrap_or_else(|| panic!("{words:?} was never declared"));
        let before = rotation.completed;
        rotation.take(&self.plan, words, self.clean);
        self.counts.completed += u64::from(rotation.completed && !before);
        rotation
    }

    fn found_all(&mut self) {
        for ((key, no), rotation) in &mut self.rotations {
            let needed = rotation.accepted && !rotation.completed;
            assert!(
                rotation.found || !needed,
                "{key} {no} was accepted and is lost"
            );
            rotation.found = false;
        }
    }

    /// The version that a key must hold: that of its last step that is known to have succeeded.
    fn version(&self, key: &str) -> u32 {
        let succeeded = |rotation: &Rotation| {
            let mut steps = rotation.steps.values();
            steps.any(|step| step.status == "Succeeded")
        };
        let mut newest_first = self.of_key(self.key(key).name).rev();
        let newest = newest_first.find(|(_, rotation)| succeeded(rotation));
        newest.map_or(0, |(no, _)| no)
    }

    fn begin(&mut self, name: &str, no: &str, place: &str, attempt: &str) {
        self.counts.begun += 1;
        let key = self.key(name);
        let this: u32 = no.parse().expect("a number");
        let attempt: u32 = attempt.parse().expect("a number");
        let what = format!("{name} {no} {place} attempt {attempt}");
        self.check_turn(key, this, place, &what);
        self.check_beside(key, this, place, &what);
        let rotation = self.rotation(name, no);
        let step = rotation.steps.entry(place.to_owned()).or_default();
        assert_ne!(step.status, "Succeeded", "{what}: it had succeeded");
        assert!(attempt > step.begun.max(step.attempt), "{what}: {step:?}");
        step.begun = attempt;
        step.ended = None;
        "InProgress".clone_into(&mut step.status);
        self.running.insert((key.name, this, place.to_owned()));
    }

    /// Everything before it in its order has ended, and that is durable.
    fn check_turn(&mut self, key: Rotating, this: u32, place: &str, what: &str) {
        let plan = self.plan.clone();
        let earlier = self.of_key(key.name).take_while(|(no, _)| *no < this);
        for (no, rotation) in earlier {
            let done = |place: &String| {
                let step = rotation.steps.get(place);
                step.is_some_and(|s| s.status == "Succeeded" || s.ended == Some(End::Success))
            };
            assert!(plan.iter().all(done), "{what}: {no} has not ended");
        }
        let rotation = self.rotations.get_mut(&(key.name, this));
        let rotation = rotation.unwrap_or_else(|| panic!("{what}: it was never declared"));
        let worker = |place: &str| place.split('/').next().map(str::to_owned);
        let before = plan.iter().take_while(|other| *other != place);
        for other in before {
            let same_worker = worker(other) == worker(place);
            if !same_worker && key.at_once > 1 {
                continue;
            }
            let step = rotation.steps.get_mut(other);
            let step = step.unwrap_or_else(|| panic!("{what}: {other} was never called"));
            match step.ended {
                Some(End::Success) => "Succeeded".clone_into(&mut step.status),
                Some(End::Failure) if !key.strategy.stops() => {}
                _ => assert_eq!(step.status, "Succeeded", "{what}: {other} has not ended"),
            }
        }
    }

    /// No more runs beside it than may.
    fn check_beside(&self, key: Rotating, this: u32, place: &str, what: &str) {
        let mut workers = BTreeSet::new();
        let mut suspects = 0;
        for (name, no, other) in &self.running {
            suspects += u32::from(self.is_suspect(name, *no, other));
            if *name == key.name {
                assert_eq!(*no, this, "{what}: {no} runs beside it");
                workers.insert(other.split('/').next());
            }
        }
        let mine = place.split('/').next();
        assert!(!workers.contains(&mine), "{what}: {:?}", self.running);
        assert!(workers.len() < key.at_once, "{what}: {:?}", self.running);
        let suspect = self.is_suspect(key.name, this, place);
        assert!(!suspect || suspects == 0, "{what}: {:?}", self.running);
    }

    /// Whether it ran at two crashes or more.
    fn is_suspect(&self, key: &'static str, no: u32, place: &str) -> bool {
        let rotation = self.rotations.get(&(key, no));
        let step = rotation.and_then(|rotation| rotation.steps.get(place));
        step.is_some_and(|step| step.crashes >= 2)
    }

    fn end(&mut self, key: &str, no: &str, place: &str, attempt: &str, end: End) {
        let step = self.rotation(key, no).steps.get_mut(place);
        let step = step.expect("it began");
        assert_eq!(step.begun.to_string(), attempt);
        step.ended = Some(end);
        let key = self.key(key).name;
        let no = no.parse().expect("a number");
        assert!(self.running.remove(&(key, no, place.to_owned())));
    }
}
