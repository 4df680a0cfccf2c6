//! What the logs of all processes say together, and what must never stand there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How a call ended, as the process itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The process says nothing: it was killed before.
    Unknown,
    Failed(u128),
    Done(u128),
}

/// A call of a callback, in one process.
#[derive(Debug, Clone)]
pub struct Call {
    pub process: u32,
    pub attempt: u32,
    pub begun: u128,
    pub end: End,
}

/// The rotation, the worker, and whether it is a callback of memory.
pub type Of = (String, String, bool);

/// What all processes said.
#[derive(Debug, Default)]
pub struct Logs {
    pub calls: BTreeMap<Of, Vec<Call>>,
    /// When each process was ready, with its worker.
    pub ready: BTreeMap<u32, (String, u128)>,
}

impl Logs {
    pub fn read(folder: &Path) -> Self {
        let mut logs = Self::default();
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let (worker, process) = name.split_once('.').unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            // A process that is killed may leave half a line.
            for line in text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'))
            {
                logs.take(worker, process.parse().unwrap(), line.trim_end());
            }
        }
        for calls in logs.calls.values_mut() {
            calls.sort_by_key(|call| call.begun);
        }
        logs
    }

    fn take(&mut self, worker: &str, process: u32, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let at: u128 = words[0].parse().unwrap();
        if words[1] == "ready" {
            self.ready.insert(process, (worker.to_owned(), at));
            return;
        }
        let attempt = words[5].parse().unwrap();
        let of = (words[4].to_owned(), worker.to_owned(), words[3] == "memory");
        let calls = self.calls.entry(of).or_default();
        let end = match words[1] {
            "begin" => {
                calls.push(Call {
                    process,
                    attempt,
                    begun: at,
                    end: End::Unknown,
                });
                return;
            }
            "end" => End::Done(at),
            "fail" => End::Failed(at),
            other => panic!("{other}"),
        };
        let mut calls = calls.iter_mut().rev();
        let call = calls.find(|call| call.process == process && call.attempt == attempt);
        call.expect("it has begun").end = end;
    }

    /// Everything that is wrong with the calls of data; `killed` has when a process was killed, at the earliest.
    pub fn wrong_with_data(&self, killed: &BTreeMap<u32, u128>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (of, calls) in self.calls.iter().filter(|((.., memory), _)| !memory) {
            for pair in calls.windows(2) {
                let (earlier, later) = (&pair[0], &pair[1]);
                if later.attempt <= earlier.attempt {
                    wrong.push(format!("{of:?}: no later attempt: {pair:?}"));
                }
                let over = match earlier.end {
                    End::Failed(at) => Some(at),
                    // It has said that it succeeded: only if it was killed the answer may be lost.
                    End::Unknown | End::Done(_) => killed.get(&earlier.process).copied(),
                };
                if over.is_none_or(|over| over > later.begun) {
                    wrong.push(format!(
                        "{of:?}: called again while it lived: {pair:?}, over {over:?}"
                    ));
                }
            }
        }
        wrong
    }

    /// What ran in another order than it was declared: of each key, the first calls of data of its rotations.
    pub fn out_of_order(&self, declared: &[String]) -> Vec<String> {
        let first = |rotation: &String| {
            let mine = self
                .calls
                .iter()
                .filter(|((of, _, memory), _)| of == rotation && !memory);
            mine.filter_map(|(_, calls)| Some(calls.first()?.begun))
                .min()
        };
        let begun: Vec<u128> = declared.iter().filter_map(first).collect();
        match begun.is_sorted() {
            true => Vec::new(),
            false => vec![format!("{declared:?} began at {begun:?}")],
        }
    }

    /// Attempts that one process was given twice. What an instance is caught up with is no attempt.
    pub fn given_twice(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (of, calls) in &self.calls {
            let attempts = calls.iter().filter(|call| call.attempt > 0);
            let mut seen: Vec<(u32, u32)> =
                attempts.map(|call| (call.process, call.attempt)).collect();
            let all = seen.len();
            seen.sort_unstable();
            seen.dedup();
            if seen.len() < all {
                wrong.push(format!("{of:?}: an attempt was given twice: {calls:?}"));
            }
        }
        wrong
    }

    /// Calls that began though their step had Succeeded durably: in these rotations one worker's callback runs at a
    /// time, so that another worker's has begun only once it had.
    pub fn after_success(&self, rotations: &[String], killed: &BTreeMap<u32, u128>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (of, calls) in self.calls.iter().filter(|((.., memory), _)| !memory) {
            let (rotation, worker, _) = of;
            if !rotations.contains(rotation) {
                continue;
            }
            let others = self.calls.iter();
            let others =
                others.filter(|((r, w, memory), _)| r == rotation && w != worker && !memory);
            let begun: Vec<u128> = others
                .flat_map(|(_, calls)| calls)
                .map(|call| call.begun)
                .collect();
            for call in calls {
                let End::Done(ended) = call.end else { continue };
                let lived = |at: &u128| killed.get(&call.process).is_none_or(|killed| killed > at);
                let next = begun.iter().filter(|at| **at > ended && lived(at)).min();
                let again = |at| calls.iter().any(|later| later.begun > at);
                if next.is_some_and(|at| again(*at)) {
                    wrong.push(format!("{of:?} had succeeded before {next:?}: {calls:?}"));
                }
            }
        }
        wrong
    }

    /// Whether a process has done a callback of memory of this rotation.
    pub fn has_loaded(&self, process: u32, rotation: &str, worker: &str) -> bool {
        let of = (rotation.to_owned(), worker.to_owned(), true);
        let mut calls = self.calls.get(&of).into_iter().flatten();
        calls.any(|call| call.process == process && matches!(call.end, End::Done(_)))
    }
}
