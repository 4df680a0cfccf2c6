//! The checker against stateright's tester: on histories of a register, which both can be asked
//! about, both have the same verdict.

use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use crate::linearizability::checker::{NEVER, Object, Timed, check};
use crate::linearizability::workload::Random;

type Op = RegisterOp<u64>;
type Ret = RegisterRet<u64>;

/// What one thread did with the register.
#[derive(Debug, Clone)]
struct Done {
    thread: usize,
    began: u64,
    /// When it was answered, and what.
    answered: Option<(u64, Ret)>,
    op: Op,
}

#[derive(Clone)]
struct Ours(Register<u64>);

impl Object for Ours {
    type Operation = (Op, Option<Ret>);
    type Fingerprint = u64;

    fn after(&self, (op, ret): &Self::Operation) -> Vec<Self> {
        let mut next = self.clone();
        let answered = next.0.invoke(op);
        match ret.as_ref().is_none_or(|ret| *ret == answered) {
            true => vec![next],
            false => Vec::new(),
        }
    }

    fn fingerprint(&self) -> u64 {
        self.0.0
    }
}

const THREADS: usize = 3;
const VALUES: u64 = 3;

/// A history in which some answers are right and some are drawn.
fn history(random: &mut Random) -> Vec<Done> {
    let mut history: Vec<Done> = Vec::new();
    let mut open: [Option<usize>; THREADS] = [None; THREADS];
    let mut register = Register(0);
    for moment in 0..4 + random.below(12) {
        let thread = random.below(THREADS as u64) as usize;
        let Some(at) = open[thread] else {
            open[thread] = Some(history.len());
            let value = random.below(VALUES);
            history.push(Done {
                thread,
                began: moment,
                answered: None,
                op: match random.chance(50) {
                    true => RegisterOp::Write(value),
                    false => RegisterOp::Read,
                },
            });
            continue;
        };
        let right = register.invoke(&history[at].op);
        let answer = match right {
            RegisterRet::ReadOk(_) if random.chance(30) => {
                RegisterRet::ReadOk(random.below(VALUES))
            }
            right => right,
        };
        history[at].answered = Some((moment, answer));
        open[thread] = None;
    }
    history
}

fn ours(history: &[Done]) -> bool {
    let operations = history.iter().map(|done| Timed {
        began: done.began,
        ended: done.answered.as_ref().map_or(NEVER, |(ended, _)| *ended),
        optional: done.answered.is_none(),
        after: Vec::new(),
        operation: (
            done.op.clone(),
            done.answered.as_ref().map(|(_, ret)| ret.clone()),
        ),
    });
    check(&Ours(Register(0)), &operations.collect::<Vec<_>>()).is_explained()
}

fn theirs(history: &[Done]) -> bool {
    let mut tester = LinearizabilityTester::new(Register(0));
    let mut moments: Vec<(u64, &Done, bool)> = Vec::new();
    for done in history {
        moments.push((done.began, done, true));
        if let Some((ended, _)) = done.answered {
            moments.push((ended, done, false));
        }
    }
    moments.sort_by_key(|(moment, ..)| *moment);
    for (_, done, begins) in moments {
        let told = match (begins, &done.answered) {
            (false, Some((_, ret))) => tester.on_return(done.thread, ret.clone()).map(drop),
            _ => tester.on_invoke(done.thread, done.op.clone()).map(drop),
        };
        told.expect("a thread does one thing at a time");
    }
    tester.is_consistent()
}

#[test]
fn the_checker_and_staterights_tester_have_the_same_verdicts() {
    let mut verdicts = [0, 0];
    for seed in 0..3_000 {
        let history = history(&mut Random::new(seed));
        let explained = ours(&history);
        assert_eq!(explained, theirs(&history), "seed {seed}: {history:?}");
        verdicts[usize::from(explained)] += 1;
    }
    assert!(verdicts.iter().all(|each| *each > 300), "{verdicts:?}");
}
