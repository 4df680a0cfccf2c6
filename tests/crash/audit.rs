//! What must be true of the lives of a program that is killed again and again: it follows what they
//! told, line by line, and stops at the first lie.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::{Rotating, plan};

/// What is known of one callback of one rotation.
#[derive(Debug, Default, Clone)]
struct Step {
    /// As it was found or reported last, or as what began after it proves.
    status: String,
    attempt: u32,
    crashes: u32,
    /// The last attempt that began, and how it ended as far as the callback told.
    begun: u32,
    ended: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    Failure,
}

/// What is known of one rotation.
#[derive(Debug, Default)]
struct Rotation {
    accepted: bool,
    completed: bool,
    sequence: u64,
    steps: BTreeMap<String, Step>,
    found: bool,
}

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
                ["found", key, no, state, sequence, ref steps @ ..] => {
                    self.told(key, no, state, sequence, steps);
                    self.rotation(key, no).found = true;
                }
                ["report", key, no, state, sequence, ref steps @ ..] => {
                    self.told(key, no, state, sequence, steps);
                }
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
        // What was declared just before a kill may have left no trace, if nobody was told.
        self.rotations
            .retain(|_, rotation| rotation.accepted || rotation.found);
        for ((key, no), rotation) in &self.rotations {
            let told = rotation.completed && rotation.found;
            assert!(told, "rotation {no} of {key} is lost");
        }
        for key in self.keys {
            let of_key = self.rotations.range((key.name, 0)..=(key.name, u32::MAX));
            let sequences: Vec<u64> = of_key.map(|(_, rotation)| rotation.sequence).collect();
            assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
        }
    }

    /// Which versions of a key a document may be sealed under.
    pub fn versions(&self, key: &str, place: &str) -> (u32, u32) {
        let of_key = self.rotations.iter().filter(|((name, _), _)| *name == key);
        let step =
            |(no, rotation): (u32, &Rotation)| Some((no, rotation.steps.get(place)?.clone()));
        let steps = of_key.filter_map(|((_, no), rotation)| step((*no, rotation)));
        let newest = steps.filter(|(_, step)| step.begun > 0).last();
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
    fn told(&mut self, key: &str, no: &str, state: &str, sequence: &str, steps: &[&str]) {
        let (clean, plan) = (self.clean, self.plan.clone());
        let known = &mut self.counts.completed;
        let key_name = self
            .keys
            .iter()
            .find(|k| k.name == key)
            .expect("a key")
            .name;
        let number = no.parse().expect("a number");
        let rotation = self.rotations.get_mut(&(key_name, number));
        let rotation = rotation.unwrap_or_else(|| panic!("{key} {no} was never declared"));
        let sequence = sequence.parse().expect("a number");
        assert!(rotation.sequence == 0 || rotation.sequence == sequence);
        rotation.sequence = sequence;
        assert_eq!(steps.len(), plan.len(), "the plan is another one");
        for (place, told) in plan.iter().zip(steps) {
            let parts: Vec<&str> = told.split(':').collect();
            let [at, status, attempt, crashes] = parts[..] else {
                panic!("{told}");
            };
            assert_eq!(at, place, "the plan's order is another one");
            let (attempt, crashes) = (attempt.parse().unwrap(), crashes.parse().unwrap());
            let step = rotation.steps.entry(place.clone()).or_default();
            step.take(
                status,
                attempt,
                crashes,
                clean,
                &format!("{key} {no} {place}"),
            );
        }
        assert!(
            !rotation.completed || state == "completed",
            "it had completed"
        );
        if state == "completed" && !rotation.completed {
            rotation.completed = true;
            *known += 1;
        }
        let done = rotation
            .steps
            .values()
            .all(|step| step.status == "Succeeded");
        assert_eq!(done, state == "completed", "{key} {no} is {state}");
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
        let of_key = self.rotations.iter().filter(|((name, _), _)| *name == key);
        let succeeded = |rotation: &Rotation| {
            let mut steps = rotation.steps.values();
            steps.any(|step| step.status == "Succeeded")
        };
        let with_effect = of_key.filter(|(_, rotation)| succeeded(rotation));
        with_effect.map(|((_, no), _)| *no).max().unwrap_or(0)
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
        let earlier = self.rotations.range((key.name, 0)..(key.name, this));
        for ((_, no), rotation) in earlier {
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

impl Step {
    /// Takes in what the journal says of it.
    fn take(&mut self, status: &str, attempt: u32, crashes: u32, clean: bool, what: &str) {
        let known = self.clone();
        assert!(
            attempt >= known.begun,
            "{what} was called before that was durable"
        );
        assert!(attempt >= known.attempt, "{what}: attempts only rise");
        if known.status == "Succeeded" {
            assert_eq!(status, "Succeeded", "{what}: its success is lost");
            assert_eq!(attempt, known.attempt.max(known.begun), "{what} ran again");
        }
        if status == "Succeeded" {
            assert_eq!(known.ended, Some(End::Success), "{what} had no success");
            assert_eq!(attempt, known.begun, "{what} had no success");
        }
        if crashes > known.crashes {
            assert_eq!(crashes, known.crashes + 1, "{what}: {known:?}");
            assert!(!clean, "{what}: nothing was killed");
        }
        status.clone_into(&mut self.status);
        (self.attempt, self.crashes) = (attempt, crashes);
    }
}
