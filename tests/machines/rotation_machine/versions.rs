//! Rotations of a key with versions: the turn, the wait until all write, the steps and the end, fact by fact.

use std::time::Duration;

use keyward::key::definition::KeyBehaviour;
use keyward::key::state::Effect;
use keyward::key::time::Time;
use keyward::key::versions::id::VersionId;
use keyward::key::versions::rules::VersionRules;
use keyward::key::versions::table::{NewVersion, VersionTable};
use keyward::key::versions::version::{Cause, Prints};
use keyward::rotation::event::{DeclaredVersion, Event};
use uuid::Uuid;

use crate::rotation_machine::script::{
    Coordinator, Strategy, behaviour, declaration, done, key, rid, worker,
};

fn version(number: u128) -> VersionId {
    VersionId::new(Uuid::from_u128(number))
}

/// How a key with versions behaves whose data lives for so many seconds, or for ever.
fn versioned(strategy: Strategy, lives: Option<u64>) -> KeyBehaviour {
    let mut rules = VersionRules::default();
    rules.data_lives = lives.map(Duration::from_secs);
    KeyBehaviour {
        versions: Some(rules),
        ..behaviour(strategy)
    }
}

/// Key `data` has version 1, which owes `w0`; the drain is 30 s.
fn coordinator(strategy: Strategy, callbacks: &[&str]) -> Coordinator {
    with(versioned(strategy, None), callbacks)
}

fn with(behaviour: KeyBehaviour, callbacks: &[&str]) -> Coordinator {
    let first = NewVersion {
        id: version(1),
        prints: Prints::of([[1; 32], [1; 32]]),
    };
    let facts = VersionTable::begin((first, Cause::Adopted), None, [], 0);
    let table = VersionTable::of_facts(facts).expect("a first version");
    let mut c = Coordinator::new();
    c.journal.versions.insert(key("data"), table);
    c.journal.values.insert(version(1));
    c.journal.ids.insert(version(1));
    let mut c = c.crash();
    c.define("data", behaviour);
    c.join("w0");
    for callback in callbacks {
        c.register("w0", 1, "data", callback);
    }
    c.step(hand_out(1));
    c
}

fn hand_out(number: u128) -> Event {
    Event::HandOut {
        key: key("data"),
        version: version(number),
        worker: worker("w0"),
    }
}

fn declare(c: &mut Coordinator, rotation: u128, switch: bool) -> Vec<String> {
    let byte = u8::try_from(rotation + 1).expect("small");
    let mut declaration = declaration(rotation, "data");
    declaration.declared.new = Some([[byte; 32], [byte; 32]]);
    declaration.version = DeclaredVersion {
        id: version(rotation + 1),
        again: false,
        switch: Some(switch),
    };
    c.step(Event::Declare {
        ticket: 5,
        declaration,
    })
}

fn last_written(rotation: u128, asked: u64, seconds: Option<u64>) -> Event {
    Event::LastWritten {
        rotation: rid(rotation),
        asked,
        last: seconds.map(|seconds| Time::at(Duration::from_secs(seconds))),
    }
}

fn lines_with<'a>(lines: &'a [String], text: &str) -> Vec<&'a String> {
    lines.iter().filter(|line| line.contains(text)).collect()
}

#[test]
fn a_rotation_turns_waits_until_all_write_and_calls_then() {
    let mut c = coordinator(Strategy::Halt, &["a"]);
    let accepted = declare(&mut c, 1, false);
    let text = accepted.join("\n");
    for part in ["v2 pending", "value v2", "tell data"] {
        assert!(text.contains(part), "{text}");
    }
    let turned = c.snapped(1);
    let text = turned.join("\n");
    assert!(text.contains("current v2 | v2 active"), "{text}");
    assert!(text.contains("ask r1 last written 1"), "{text}");
    assert!(lines_with(&turned, "prepare").is_empty(), "{text}");

    // An answer to another question closes nothing.
    let nothing: [&str; 0] = [];
    assert_eq!(c.step(last_written(1, 2, None)), nothing);
    c.seconds = 10;
    assert_eq!(c.step(last_written(1, 1, Some(5))), nothing);
    assert_eq!(c.step(last_written(1, 1, None)), nothing, "it has answered");
    assert_eq!(
        c.machine.next_deadline(),
        Some(Time::at(Duration::from_secs(35)))
    );
    assert_eq!(c.tick(34), nothing);
    let all_write = c.tick(35).join("\n");
    assert!(all_write.contains("prepare r1/0 w0#1.a"), "{all_write}");

    let called = c.prepared(1, 0).join("\n");
    assert!(
        called.contains("v2 owes w0"),
        "before it is called: {called}"
    );
    let ended = c.ended(1, 0, done(Effect::Reencrypted)).join("\n");
    assert!(ended.contains("v1 owes w0 no more"), "{ended}");
    assert!(ended.contains("v1 deactivated"), "{ended}");
    assert!(!ended.contains("v2 owes w0 no more"), "{ended}");
    assert!(
        !ended.contains("propose") && !ended.contains("supersede"),
        "{ended}"
    );
}

#[test]
fn what_an_earlier_life_answered_counts_as_answered_at_the_definition() {
    let mut c = coordinator(Strategy::Halt, &["a"]);
    declare(&mut c, 1, false);
    c.snapped(1);
    let mut c = c.crash();
    c.seconds = 7;
    let asks = c.define("data", versioned(Strategy::Halt, None)).join("\n");
    assert!(asks.contains("ask r1 last written 1"), "{asks}");
    c.step(last_written(1, 1, None));
    assert_eq!(
        c.machine.next_deadline(),
        Some(Time::at(Duration::from_secs(37)))
    );
}

#[test]
fn the_store_is_written_when_all_else_has_succeeded_and_never_where_it_has_not() {
    let mut c = coordinator(Strategy::Halt, &["a", "b"]);
    declare(&mut c, 1, true);
    c.snapped(1);
    c.step(last_written(1, 1, None));
    c.tick(30);
    c.succeed(1, 0);
    let after = c.succeed(1, 1).join("\n");
    assert!(after.contains("prepare r1/2 keyward#0.switch"), "{after}");
    // A worker that is called keyward has nothing to do with it.
    c.join("keyward");
    c.leave("keyward", 2);
    let ended = c.succeed(1, 2).join("\n");
    assert!(ended.contains("r1 completed"), "{ended}");

    declare(&mut c, 2, true);
    c.snapped(2);
    c.step(last_written(2, 2, None));
    c.tick(60);
    let failed = c.fail(2, 0).join("\n");
    assert!(!failed.contains("switch"), "{failed}");
    assert!(c.report(2).starts_with("r2 stopped"), "{}", c.report(2));
}

#[test]
fn an_abort_waits_until_all_write() {
    let mut c = coordinator(Strategy::Halt, &["a"]);
    declare(&mut c, 1, false);
    c.snapped(1);
    let refused = c.abort(1, &["w0"]).join("\n");
    assert!(refused.contains("error mixed_writers"), "{refused}");
    c.step(last_written(1, 1, None));
    c.tick(30);
    let aborted = c.abort(1, &["w0"]).join("\n");
    assert!(aborted.contains("v1 deactivated"), "{aborted}");
    assert!(
        !aborted.contains("owes"),
        "an abort ends no debt: {aborted}"
    );
}

#[test]
fn an_abort_before_the_turn_takes_the_version_back() {
    let mut c = coordinator(Strategy::Halt, &["a"]);
    declare(&mut c, 1, false);
    let aborted = c.abort(1, &["w0"]).join("\n");
    assert!(aborted.contains("gone v2"), "{aborted}");
    assert_eq!(c.journal.ended[&rid(1)].0.declared.new, None);
    assert!(c.journal.versions[&key("data")].get(version(2)).is_none());
}

#[test]
fn a_version_that_is_not_current_any_more_is_handed_to_nobody() {
    let mut c = coordinator(Strategy::Halt, &["a"]);
    declare(&mut c, 1, false);
    c.snapped(1);
    let nothing: [&str; 0] = [];
    c.join("w1");
    let late = Event::HandOut {
        key: key("data"),
        version: version(1),
        worker: worker("w1"),
    };
    assert_eq!(c.step(late), nothing);
    let owes = c.step(hand_out(2)).join("\n");
    assert!(
        owes.contains("v2 owes w0") && owes.contains("tell data"),
        "{owes}"
    );
    assert_eq!(c.step(hand_out(2)), nothing, "once");
}

fn deadline(c: &Coordinator) -> Option<Duration> {
    let due = c.machine.next_deadline();
    due.map(|due| Time::default().until(due))
}

/// Data lives for 100 s, and since second 30 all write with version 2.
fn outliving() -> Coordinator {
    let mut c = with(versioned(Strategy::Halt, Some(100)), &[]);
    assert_eq!(deadline(&c), None, "the current version is written with");
    declare(&mut c, 1, false);
    c.snapped(1);
    c.step(last_written(1, 1, None));
    c.tick(30);
    assert_eq!(c.report(1), "");
    c
}

#[test]
fn what_outlives_the_stated_lifetime_of_data_is_owed_no_more() {
    let mut c = outliving();
    assert_eq!(deadline(&c), Some(Duration::from_secs(90)), "once a minute");
    let counted = c.tick(90).join("\n");
    assert!(!counted.contains("no more"), "{counted}");
    assert_eq!(deadline(&c), Some(Duration::from_secs(130)));
    let over = c.tick(130).join("\n");
    assert!(over.contains("v1 owes w0 no more"), "{over}");
    assert_eq!(deadline(&c), None, "nothing is left to be counted");
}

#[test]
fn the_lifetime_of_data_is_counted_while_the_keeper_runs_and_an_end_keeps_what_was_counted() {
    for (ends, left) in [(false, 40), (true, 30)] {
        let mut c = outliving();
        c.tick(90);
        c.seconds = 100;
        if ends {
            c.step(Event::Close);
            c.step(Event::Interrupt);
        }
        let mut c = c.crash();
        c.define("data", versioned(Strategy::Halt, Some(100)));
        assert_eq!(deadline(&c), Some(Duration::from_secs(left)), "{ends}");
        let over = c.tick(left).join("\n");
        assert!(over.contains("v1 owes w0 no more"), "{over}");
    }
}

#[test]
fn a_version_that_goes_out_of_use_later_is_counted_from_then_on() {
    let mut c = outliving();
    c.step(hand_out(2));
    c.seconds = 60;
    declare(&mut c, 2, false);
    c.snapped(2);
    c.step(last_written(2, 2, None));
    assert_eq!(deadline(&c), Some(Duration::from_secs(120)));
    let all = c.tick(129).join("\n");
    assert!(!all.contains("no more"), "{all}");
    let over = c.tick(130).join("\n");
    assert!(over.contains("v1 owes w0 no more"), "{over}");
    assert!(!over.contains("v2 owes w0 no more"), "{over}");
    let over = c.tick(160).join("\n");
    assert!(over.contains("v2 owes w0 no more"), "{over}");
}
