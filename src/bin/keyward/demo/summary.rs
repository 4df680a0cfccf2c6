//! What the demo saw, what it claims, and the summary.

use std::path::Path;
use std::time::Duration;

use keyward::{CallbackStatus, RotationId, RotationState};
use serde_json::{Value, json};

use crate::demo::calls::Call;
use crate::demo::journal_view::{SeenRotation, SeenStep};

/// How many of some documents open with which key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// With the new key.
    pub new: u32,
    /// With the old key.
    pub old: u32,
    /// With neither.
    pub lost: u32,
}

/// What became of the documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many were looked at.
    pub documents: u32,
    /// The names of those that are gone, do not open with the new key, or are not as they were.
    pub lost: Vec<String>,
    /// How many files there are that are no documents.
    pub leftovers: usize,
}

/// Everything that the demo saw.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The rotation, as `declare` answered it.
    pub rotation: RotationId,
    /// The workers, in the order in which they joined.
    pub workers: Vec<String>,
    /// How many documents each has.
    pub documents: u32,
    /// The worker whose callback was interrupted.
    pub interrupted: String,
    /// The journal as the killed server left it.
    pub found: Vec<SeenRotation>,
    /// The documents of the interrupted worker after the kill.
    pub middle: Tally,
    /// The rotation at the end.
    pub ended: SeenRotation,
    /// Every call of a callback, in the order of the calls.
    pub calls: Vec<Call>,
    /// The documents at the end.
    pub checked: Checked,
}

impl Evidence {
    /// The steps that were called once.
    pub fn steps_run_once(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| self.calls_of(worker) == 1)
            .count()
    }

    /// The steps that were called more than once.
    pub fn steps_run_again(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| self.calls_of(worker) > 1)
            .count()
    }

    fn calls_of(&self, worker: &str) -> usize {
        self.calls
            .iter()
            .filter(|call| call.worker == *worker)
            .count()
    }

    /// What the demo claims and did not see; none if it holds.
    pub fn broken_claims(&self) -> Vec<&'static str> {
        let claims = [
            (
                self.killed_in_the_middle(),
                "the kill fell in the middle of a worker's documents",
            ),
            (
                self.found == [self.expected_as_found()],
                "the journal had the finished steps Succeeded, the interrupted one InProgress and \
                 the others Pending",
            ),
            (
                self.ended == self.expected_end(),
                "the rotation completed under its id, every step Succeeded, only the interrupted \
                 one at its second attempt",
            ),
            (
                self.calls == self.expected_calls(),
                "callbacks were called in the plan's order, and only the interrupted one again",
            ),
            (
                self.checked.lost.is_empty() && self.checked.documents == self.all_documents(),
                "every document opens with the new key and is as it was",
            ),
            (self.checked.leftovers == 0, "nothing half-written is left"),
        ];
        let broken = claims.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, claim)| claim).collect()
    }

    fn all_documents(&self) -> u32 {
        let workers = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
        workers.saturating_mul(self.documents)
    }

    fn killed_in_the_middle(&self) -> bool {
        let Tally { new, old, lost } = self.middle;
        // A single document has no middle but its own: written under the new key, not in place yet.
        lost == 0 && old > 0 && (new > 0 || self.documents == 1)
    }

    /// The steps of the plan with what is expected of each, told by its place: before, at or after
    /// the interrupted one.
    fn expected(
        &self,
        state: RotationState,
        step: impl Fn(std::cmp::Ordering) -> (CallbackStatus, u32),
    ) -> SeenRotation {
        let interrupted = self
            .workers
            .iter()
            .position(|worker| *worker == self.interrupted);
        let steps = self.workers.iter().enumerate().map(|(at, worker)| {
            let (status, attempt) = step(Some(at).cmp(&interrupted));
            SeenStep {
                worker: worker.clone(),
                callback: crate::demo::server::CALLBACK.to_owned(),
                status,
                attempt,
            }
        });
        SeenRotation {
            id: self.rotation,
            state,
            steps: steps.collect(),
        }
    }

    fn expected_as_found(&self) -> SeenRotation {
        self.expected(RotationState::Running, |place| match place {
            std::cmp::Ordering::Less => (CallbackStatus::Succeeded, 1),
            std::cmp::Ordering::Equal => (CallbackStatus::InProgress, 1),
            std::cmp::Ordering::Greater => (CallbackStatus::Pending, 0),
        })
    }

    fn expected_end(&self) -> SeenRotation {
        self.expected(RotationState::Completed, |place| {
            (CallbackStatus::Succeeded, if place.is_eq() { 2 } else { 1 })
        })
    }

    fn expected_calls(&self) -> Vec<Call> {
        let attempts = |worker: &String| {
            if *worker == self.interrupted {
                1..=2
            } else {
                1..=1
            }
        };
        let calls = self.workers.iter().flat_map(|worker| {
            attempts(worker).map(|attempt| Call {
                rotation: self.rotation,
                worker: worker.clone(),
                attempt,
            })
        });
        calls.collect()
    }

    /// For programs. The folder is named if it is left.
    pub fn object(&self, seed: u64, took: Duration, folder: Option<&Path>) -> Value {
        let broken = self.broken_claims();
        json!({
            "seed": seed,
            "rotation": self.rotation.to_string(),
            "steps_run_once": self.steps_run_once(),
            "steps_run_again": self.steps_run_again(),
            "documents_checked": self.checked.documents,
            "documents_lost": self.checked.lost,
            "holds": broken.is_empty(),
            "not_seen": broken,
            "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "folder": folder.map(Path::to_string_lossy),
        })
    }

    /// The summary's lines.
    pub fn lines(&self) -> [String; 4] {
        [
            format!("  steps run once     {}", self.steps_run_once()),
            format!("  steps run again    {}", self.steps_run_again()),
            format!("  documents checked  {}", self.checked.documents),
            format!("  documents lost     {}", self.checked.lost.len()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        let id = "018f3a5e-1111-7222-8333-123456789abc".parse().unwrap();
        let nothing = SeenRotation {
            id,
            state: RotationState::Waiting,
            steps: Vec::new(),
        };
        let mut evidence = Evidence {
            rotation: id,
            workers: crate::demo::layout::worker_names(3),
            documents: 10,
            interrupted: "worker-2".to_owned(),
            found: Vec::new(),
            middle: Tally {
                new: 4,
                old: 6,
                lost: 0,
            },
            ended: nothing,
            calls: Vec::new(),
            checked: Checked {
                documents: 30,
                ..Checked::default()
            },
        };
        evidence.found = vec![evidence.expected_as_found()];
        evidence.ended = evidence.expected_end();
        evidence.calls = evidence.expected_calls();
        evidence
    }

    #[test]
    fn what_should_be_seen_breaks_no_claim() {
        let evidence = evidence();
        assert_eq!(evidence.broken_claims(), Vec::<&str>::new());
        assert_eq!(
            (evidence.steps_run_once(), evidence.steps_run_again()),
            (2, 1)
        );
        let calls: Vec<_> = evidence
            .calls
            .iter()
            .map(|call| (call.worker.as_str(), call.attempt))
            .collect();
        assert_eq!(
            calls,
            [
                ("worker-1", 1),
                ("worker-2", 1),
                ("worker-2", 2),
                ("worker-3", 1)
            ]
        );
    }

    #[test]
    fn each_deviation_breaks_a_claim() {
        let deviations: [fn(&mut Evidence); 12] = [
            |e| e.middle.new = 0,
            |e| e.middle.old = 0,
            |e| e.middle.lost = 1,
            |e| e.found[0].steps[1].status = CallbackStatus::Pending,
            |e| e.found.clear(),
            |e| e.ended.steps[0].attempt = 2,
            |e| e.ended.state = RotationState::Stopped,
            |e| e.calls.swap(0, 1),
            |e| e.calls.push(e.calls[0].clone()),
            |e| e.checked.lost.push("worker-1/document-00001".to_owned()),
            |e| e.checked.documents = 29,
            |e| e.checked.leftovers = 1,
        ];
        for (no, deviate) in deviations.iter().enumerate() {
            let mut evidence = evidence();
            deviate(&mut evidence);
            assert_eq!(evidence.broken_claims().len(), 1, "deviation {no}");
        }
    }

    #[test]
    fn a_single_document_may_be_interrupted_before_it_is_in_place() {
        let mut evidence = evidence();
        evidence.documents = 1;
        evidence.checked.documents = 3;
        evidence.middle = Tally {
            new: 0,
            old: 1,
            lost: 0,
        };
        assert_eq!(evidence.broken_claims(), Vec::<&str>::new());
    }
}
