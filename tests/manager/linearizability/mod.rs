//! What all workers together see of a key is what some one-at-a-time order of their requests, in
//! real-time order, would give. Histories of get, `key_changed` and `save_state` are recorded from
//! the real actors, and explained by the pure machine of the key, or not.
//!
//! `KEYWARD_HISTORIES=N` plays so many histories at each place, in memory and on RocksDB, in place
//! of those that fit into some seconds; `KEYWARD_SEED=S` begins with the workload of that seed: a
//! failure names its own. What is drawn from a seed is what workers, store and callbacks do; what
//! happens at the same time is real, so a failure may take some repetitions: `KEYWARD_REPEAT=R`
//! plays each workload so often.

mod callback;
mod checker;
mod client;
mod history;
mod operation;
mod operations;
mod peer;
mod place;
mod play;
mod refused;
mod spec;
mod store;
mod workload;

use std::env;
use std::time::{Duration, Instant};

use keyward::key::definition::KeyBehaviour;
use keyward::key::event::Request;
use keyward::{MemoryRepo, SecretKeyFlow, SecretKeyUseCase};

use crate::linearizability::checker::{Timed, Verdict, check};
use crate::linearizability::history::{Asked, Changed, History};
use crate::linearizability::operation::{Operation, Told};
use crate::linearizability::operations::operations;
use crate::linearizability::place::Place;
use crate::linearizability::spec::{Fault, Key};
use crate::linearizability::workload::{Action, Source, Workload};

/// How many keys one manager has at once.
const SIDE_BY_SIDE: u64 = 32;

/// So many histories are played however long it takes, unless the environment says how many.
const AT_LEAST: u64 = 64;

/// A number of the environment.
fn told(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.trim().parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// What was played and explained so far.
#[derive(Default)]
struct Tally {
    histories: u64,
    operations: u64,
}

/// Plays and checks histories at places that are made anew for each few of them.
async fn play_and_check(time: Duration, mut place: impl FnMut(u64) -> Place) -> Tally {
    let wanted = told("KEYWARD_HISTORIES");
    let repeat = told("KEYWARD_REPEAT").unwrap_or(1).max(1);
    let first = told("KEYWARD_SEED").unwrap_or(1);
    let begun = Instant::now();
    let mut tally = Tally::default();
    let mut batch = 0;
    let goes_on = |tally: &Tally| match wanted {
        Some(wanted) => tally.histories < wanted * repeat,
        None => tally.histories < AT_LEAST || begun.elapsed() < time,
    };
    while goes_on(&tally) {
        let left = wanted.map_or(u64::MAX, |wanted| wanted - batch / repeat * SIDE_BY_SIDE);
        let from = first + batch / repeat * SIDE_BY_SIDE;
        let seeds = from..from + SIDE_BY_SIDE.min(left);
        let workloads = seeds.map(Workload::new).collect();
        for (workload, history) in play::play(&place(batch), workloads).await {
            tally.histories += 1;
            tally.operations += explain(&workload, &history);
        }
        batch += 1;
    }
    tally
}

/// Checks a history; answers how many operations it has.
fn explain(workload: &Workload, history: &History) -> u64 {
    let operations = operations(history, &workload.behaviour);
    let key = Key::new(workload.behaviour.clone(), Fault::None);
    if let Verdict::Refused(longest) = check(&key, &operations) {
        panic!("{}", told_in_full(workload, history, &operations, &longest));
    }
    operations.len() as u64
}

fn told_in_full(
    workload: &Workload,
    history: &History,
    operations: &[Timed<Operation>],
    longest: &[usize],
) -> String {
    let seed = workload.seed;
    let mut lines = vec![format!(
        "no order explains this history; play it again with KEYWARD_SEED={seed} \
         KEYWARD_HISTORIES=1 KEYWARD_REPEAT=1000\n{:?}\n{:?} callbacks of {:?}",
        workload.behaviour, workload.source, workload.callbacks
    )];
    let line = |at: &usize| {
        let this = &operations[*at];
        let (began, ended) = (this.began, this.ended);
        format!("  {at}: {began}..{ended} {:?}", this.operation)
    };
    lines.push("the longest order that explains a part of it:".to_owned());
    lines.extend(longest.iter().map(line));
    lines.push("the rest, by their beginnings:".to_owned());
    let mut rest: Vec<usize> = (0..operations.len()).collect();
    rest.retain(|at| !longest.contains(at));
    rest.sort_by_key(|at| operations[*at].began);
    lines.extend(rest.iter().map(line));
    lines.push("the store:".to_owned());
    lines.extend(history.fetches.iter().map(|fetch| format!("  {fetch:?}")));
    lines.join("\n")
}

fn print(tally: &Tally) {
    println!(
        "histories: {}, operations: {}",
        tally.histories, tally.operations
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_workers_see_is_what_some_order_of_their_requests_would_give() {
    let place = |batch| match batch % 2 {
        0 => Place::Memory(MemoryRepo::new()),
        _ => Place::Slow(MemoryRepo::new(), batch),
    };
    print(&play_and_check(Duration::from_secs(12), place).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_workers_see_on_rocksdb_is_what_some_order_of_their_requests_would_give() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |batch| Place::Folder(folder.path().join(format!("{batch}")));
    print(&play_and_check(Duration::from_secs(5), place).await);
}

/// A wrong key must not explain what a right one did. The right one is the machine itself, so what is
/// wrong is put in between the machine and the checker.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_histories_refuse_a_key_that_is_wrong() {
    let mut wrong = vec![
        Fault::SupersedesNothing,
        Fault::AnswersOldKeysAgain,
        Fault::LosesEffects,
        Fault::LosesSaves,
        Fault::OutlivesItself,
        Fault::ForgetsForwardGets,
        Fault::ForgetsTheOrder,
    ];
    for batch in 0..40 {
        let from = 1_000_000 + batch * SIDE_BY_SIDE;
        let workloads = (from..from + SIDE_BY_SIDE).map(Workload::new).collect();
        let place = Place::Memory(MemoryRepo::new());
        for (workload, history) in play::play(&place, workloads).await {
            let operations = operations(&history, &workload.behaviour);
            wrong.retain(|fault| {
                let key = Key::new(workload.behaviour.clone(), *fault);
                check(&key, &operations).is_explained()
            });
        }
        if wrong.is_empty() {
            let histories = (batch + 1) * SIDE_BY_SIDE;
            println!("every wrong key is refused within {histories} histories");
            return;
        }
    }
    panic!("no history refuses a key that has one of these faults: {wrong:?}");
}

/// Many ask for the old key at the moment of its change, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_old_key_is_answered_once_however_many_ask_for_it_at_once() {
    for seed in 1..=4 {
        let place = Place::Memory(MemoryRepo::new());
        for (workload, history) in play::play(&place, vec![rounds(seed)]).await {
            explain(&workload, &history);
            assert_answered_once(&workload, &history);
        }
    }
}

/// Twelve rounds: the key of the round is held, then it changes to the next one while six clients
/// ask for it.
fn rounds(seed: u64) -> Workload {
    let get = |flow| Action::Ask(Request::Get { flow: Some(flow) });
    let (mut changing, mut asking) = (Vec::new(), Vec::new());
    for number in 0..12 {
        changing.push(Action::SetStore(number));
        changing.push(get(SecretKeyFlow::ForwardPath));
        changing.push(Action::Meet);
        changing.push(Action::SetStore(number + 1));
        changing.push(Action::Change {
            old: None,
            new: Some(number + 1),
            waits: true,
        });
        changing.push(Action::Meet);
        asking.push(Action::Meet);
        asking.extend(vec![get(SecretKeyFlow::BackPath); 6]);
        asking.push(Action::Meet);
    }
    let like = Workload::new(seed);
    Workload {
        behaviour: KeyBehaviour {
            use_case: SecretKeyUseCase::RoundTrip,
            stateless: true,
            keep_in_cache: true,
            ..like.behaviour
        },
        source: Source {
            is_fresh: false,
            blocks: false,
            fails: 0,
        },
        callbacks: Vec::new(),
        lives: vec![[vec![changing], vec![asking; 6]].concat()],
        ..like
    }
}

/// The same without any checker: when the change to the next key has ended, the key of a round is
/// answered at most once more.
fn assert_answered_once(workload: &Workload, history: &History) {
    let mut changes: Vec<&Changed> = history.changes.iter().collect();
    changes.sort_by_key(|changed| changed.sequence);
    for (number, changed) in (0..).zip(changes) {
        let old = Told::Key(workload.key(number).1, SecretKeyFlow::BackPath);
        let gets_old = |asked: &&Asked| {
            let told = asked.told.as_ref().map(|(_, told)| told);
            asked.began > changed.span.ended && told == Some(&old)
        };
        let answered = history.asked.iter().filter(gets_old).count();
        assert!(answered <= 1, "{old:?} was answered {answered} times");
    }
}
