//! What must be true of the log that the lives of a program have left.

use std::collections::BTreeMap;

use keyward::OnKeyChangedCallbackErrorStrategy;

use crate::crash::life::{FAILS, PLAN};
use crate::support::killer::Kill;

/// What was found of a step: status, attempt, crashes.
type Found = BTreeMap<String, (String, u32, u32)>;

/// Checks the log of a program that was killed once and then lived to its end.
pub fn check(log: &str, strategy: OnKeyChangedCallbackErrorStrategy, kill: Kill, killed: bool) {
    let lives: Vec<Vec<&str>> = log
        .split("life\n")
        .skip(1)
        .map(|life| life.lines().collect())
        .collect();
    assert_eq!(lives.len(), if killed { 2 } else { 1 });
    let last = lives.last().expect("a life");
    let found = states(one(last, "found "));
    if killed {
        let interrupted = check_found(&lives[0], &found);
        check_second(last, &found, interrupted.as_deref());
        let in_call = matches!(kill, Kill::InCall(_));
        assert!(
            !in_call || interrupted.is_some(),
            "a call that was killed left no trace"
        );
    } else {
        assert!(found.is_none());
    }
    check_order(&lives, strategy, killed);
    for settled in log.lines().filter_map(|line| line.strip_prefix("settled ")) {
        check_settled(settled, strategy);
    }
    check_end(last, log, killed);
}

/// The rest of the one line that starts like this.
fn one<'a>(life: &[&'a str], start: &str) -> &'a str {
    let mut lines = life.iter().filter_map(|line| line.strip_prefix(start));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("no line `{start}` in {life:?}"));
    assert_eq!(lines.next(), None);
    line
}

fn states(told: &str) -> Option<Found> {
    if told == "nothing" {
        return None;
    }
    let steps = told.split(' ').skip(1).map(|step| {
        let parts: Vec<&str> = step.split(':').collect();
        let number = |text: &str| text.parse().expect("a number");
        let state = (parts[1].to_owned(), number(parts[2]), number(parts[3]));
        (parts[0].to_owned(), state)
    });
    Some(steps.collect())
}

fn begins<'a>(life: &[&'a str]) -> Vec<(&'a str, u32)> {
    let begins = life.iter().filter_map(|line| line.strip_prefix("begin "));
    let split = begins.map(|begin| begin.split_once(' ').expect("place and attempt"));
    split
        .map(|(place, attempt)| (place, attempt.parse().expect("a number")))
        .collect()
}

/// What the first life did must be in the journal. Answers the step that it was killed in.
fn check_found(first: &[&str], found: &Option<Found>) -> Option<String> {
    let calls = begins(first);
    let Some(found) = found else {
        assert!(!first.contains(&"accepted"), "an accepted rotation is lost");
        assert!(calls.is_empty(), "a callback of a lost rotation was called");
        return None;
    };
    for (no, (place, attempt)) in calls.iter().enumerate() {
        let (status, attempts, _) = &found[*place];
        assert!(
            attempts >= attempt,
            "{place} was called before that was durable"
        );
        let ended = first.contains(&format!("end {place} {attempt}").as_str());
        let is_last = no + 1 == calls.len();
        assert!(
            !ended || is_last || status == "Succeeded",
            "the success of {place} is lost"
        );
    }
    let crashed: Vec<&String> = found
        .iter()
        .filter(|(_, (_, _, crashes))| *crashes > 0)
        .map(|(place, _)| place)
        .collect();
    assert!(crashed.len() <= 1, "{crashed:?} were called at once");
    crashed.first().map(|place| (*place).clone())
}

/// The second life must call the interrupted step again, and no step that had succeeded.
fn check_second(second: &[&str], found: &Option<Found>, interrupted: Option<&str>) {
    let calls = begins(second);
    let Some(found) = found else {
        return;
    };
    for (place, attempt) in &calls {
        let (status, attempts, _) = &found[*place];
        assert_ne!(
            status, "Succeeded",
            "{place} had succeeded and was called again"
        );
        assert!(
            attempt > attempts,
            "attempt {attempt} of {place} after {attempts}"
        );
    }
    if let Some(interrupted) = interrupted {
        let (status, attempts, crashes) = &found[interrupted];
        assert_eq!((status.as_str(), *crashes), ("Pending", 1));
        assert_eq!(calls.first(), Some(&(interrupted, attempts + 1)));
    }
}

/// The calls of a program that is not killed.
fn undisturbed(strategy: OnKeyChangedCallbackErrorStrategy) -> Vec<&'static str> {
    let mut calls = PLAN.to_vec();
    let again = if strategy.stops() { 3 } else { PLAN.len() };
    calls.insert(again, FAILS);
    calls
}

fn check_order(lives: &[Vec<&str>], strategy: OnKeyChangedCallbackErrorStrategy, killed: bool) {
    let calls: Vec<(&str, u32)> = lives.iter().flat_map(|life| begins(life)).collect();
    let places: Vec<&str> = calls.iter().map(|(place, _)| *place).collect();
    let wanted = undisturbed(strategy);
    let again = |at: usize| {
        let mut with_one_again = wanted.clone();
        with_one_again.insert(at, wanted[at]);
        with_one_again
    };
    let in_order = places == wanted || killed && (0..wanted.len()).any(|at| places == again(at));
    assert!(in_order, "{places:?} instead of {wanted:?}");
    for place in PLAN {
        let attempts: Vec<u32> = calls
            .iter()
            .filter(|(p, _)| *p == place)
            .map(|(_, attempt)| *attempt)
            .collect();
        assert!(
            attempts.is_sorted_by(|a, b| a < b),
            "attempts {attempts:?} of {place}"
        );
    }
}

/// What the operator found before the resume.
fn check_settled(settled: &str, strategy: OnKeyChangedCallbackErrorStrategy) {
    let state = settled.split(' ').next();
    let (wanted, rest) = if strategy.stops() {
        ("stopped", "Pending")
    } else {
        ("completed_with_failures", "Succeeded")
    };
    assert_eq!(state, Some(wanted));
    let steps = states(settled).expect("steps");
    for (no, place) in PLAN.into_iter().enumerate() {
        let wanted = match no {
            0 | 1 => "Succeeded",
            2 => "Failed",
            _ => rest,
        };
        assert_eq!(steps[place].0, wanted, "{place} in {settled}");
    }
}

fn check_end(last: &[&str], log: &str, killed: bool) {
    let report = one(last, "report ");
    assert_eq!(report.split(' ').next(), Some("completed"));
    let steps = states(report).expect("steps");
    assert!(
        PLAN.iter().all(|place| steps[*place].0 == "Succeeded"),
        "{report}"
    );
    let attempts: u32 = steps.values().map(|(_, attempts, _)| attempts).sum();
    let again = attempts - 7;
    assert!(again <= u32::from(killed), "{attempts} attempts: {report}");
    assert_eq!(
        one(last, "finally "),
        report,
        "the history says something else"
    );
    assert_eq!(
        one(last, "back "),
        "new key",
        "the record of the stated key is wrong"
    );
    assert!(
        log.contains("settled "),
        "the failed step did not settle the rotation"
    );
}
