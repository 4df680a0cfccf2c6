//! What is known of the rotations of a program that is killed again and again, and what may be said
//! of them next.

use std::collections::BTreeMap;

/// What is known of one callback of one rotation.
#[derive(Debug, Default, Clone)]
pub struct Step {
    /// As it was found or reported last, or as what began after it proves.
    pub status: String,
    /// Of what was found or reported last.
    pub attempt: u32,
    /// How often it ran at a crash.
    pub crashes: u32,
    /// The last attempt that began.
    pub begun: u32,
    /// How that one ended as far as the callback told; none while it runs, and after a kill.
    pub ended: Option<End>,
}

/// How a callback says that it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its work was done.
    Success,
    /// It answered an error.
    Failure,
}

/// What is known of one rotation.
#[derive(Debug, Default)]
pub struct Rotation {
    /// Whether its caller was told so.
    pub accepted: bool,
    /// Whether it was found or reported so.
    pub completed: bool,
    /// Its number in the order of the declarations.
    pub sequence: u64,
    /// By their places, `worker/callback`.
    pub steps: BTreeMap<String, Step>,
    /// Whether this life has found it.
    pub found: bool,
}

impl Rotation {
    /// Takes in what the journal says of it: its state, its sequence number and its steps in the
    /// plan's order. After a life that was not killed no step ran at a crash.
    pub fn take(&mut self, plan: &[String], told: &[&str], clean: bool) {
        let [key, no, state, sequence, steps @ ..] = told else {
            panic!("{told:?}");
        };
        let sequence = sequence.parse().expect("a number");
        assert!(self.sequence == 0 || self.sequence == sequence, "{told:?}");
        self.sequence = sequence;
        assert_eq!(steps.len(), plan.len(), "the plan is another one");
        for (place, told) in plan.iter().zip(steps) {
            let parts: Vec<&str> = told.split(':').collect();
            let [at, status, attempt, crashes] = parts[..] else {
                panic!("{told}");
            };
            assert_eq!(at, place, "the plan's order is another one");
            let number = |text: &str| text.parse().expect("a number");
            let step = self.steps.entry(place.clone()).or_default();
            let what = format!("{key} {no} {place}");
            step.take(status, number(attempt), number(crashes), clean, &what);
        }
        let completed = *state == "completed";
        assert!(completed || !self.completed, "{told:?}: it had completed");
        self.completed = completed;
        let succeeded = |step: &Step| step.status == "Succeeded";
        assert_eq!(self.steps.values().all(succeeded), completed, "{told:?}");
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
