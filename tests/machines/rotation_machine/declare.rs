//! Declaring: accepted only when durable, one id for one declaration, bounds.

use keyward::key::definition::KeyBehaviour;
use keyward::rotation::event::{Declaration, EndedRotation, Event};

use crate::rotation_machine::script::{Coordinator, Strategy, behaviour, declaration, key, rid};

fn chosen(rotation: u128) -> Declaration {
    Declaration {
        chosen: true,
        ..declaration(rotation, "data")
    }
}

fn declare(c: &mut Coordinator, ticket: u64, declaration: Declaration) -> Vec<String> {
    c.step(Event::Declare {
        ticket,
        declaration,
    })
}

fn searched(
    c: &mut Coordinator,
    ticket: u64,
    declaration: Declaration,
    found: Result<Option<EndedRotation>, String>,
) -> Vec<String> {
    c.step(Event::Searched {
        ticket,
        declaration,
        found: found.map_err(Into::into),
    })
}

#[test]
fn a_rotation_is_durable_with_its_keys_and_its_plan_before_it_is_accepted() {
    let mut c = Coordinator::with(Strategy::Halt, &[("w0", &["a"])]);
    let expected = [
        "write next 4 | r1 waiting #3 | keys r1 | r1/0 w0.a Pending",
        "accepted 5 r1 data",
        "reply 5 accepted r1, when written",
        "snapshot r1 data",
        "prepare r1/0 w0#1.a ahead",
    ];
    assert_eq!(c.declare(1), expected);
}

#[test]
fn the_plan_is_worker_by_worker_as_they_joined_and_callback_by_callback_as_registered() {
    let mut c = Coordinator::with(Strategy::Halt, &[("w1", &["b"]), ("w0", &["z"])]);
    c.register("w1", 1, "data", "a");
    c.define("other", behaviour(Strategy::Halt));
    c.register("w0", 2, "other", "o");
    c.declare(1);
    let plan = "r1 waiting [0 w1.b Pending, 1 w1.a Pending, 2 w0.z Pending]";
    assert_eq!(c.report(1), plan);
}

#[test]
fn workers_that_are_dead_or_not_back_are_in_the_plan() {
    let mut c = Coordinator::with(Strategy::Halt, &[("w0", &["a"]), ("w1", &["b"])]);
    c.died("w0", 1);
    c.declare(1);
    let plan = "[0 w0.a Pending, 1 w1.b Pending]";
    assert_eq!(c.report(1), format!("r1 waiting {plan}"));
    let mut next_life = c.crash();
    next_life.define("data", behaviour(Strategy::Halt));
    next_life.declare(2);
    assert_eq!(next_life.report(2), format!("r2 waiting {plan}"));
}

#[test]
fn a_key_that_is_not_defined_does_not_change() {
    let mut c = Coordinator::new();
    assert_eq!(c.declare(1), ["reply 5 error key_not_defined"]);
}

#[test]
fn a_chosen_id_is_looked_up_in_the_history_first() {
    let mut c = Coordinator::with(Strategy::Halt, &[]);
    assert_eq!(declare(&mut c, 5, chosen(1)), ["search 5 r1"]);
    let effects = searched(&mut c, 5, chosen(1), Ok(None));
    let expected = [
        "write next 2 | r1 waiting #1 | keys r1",
        "accepted 5 r1 data",
        "reply 5 accepted r1, when written",
        "snapshot r1 data",
    ];
    assert_eq!(effects, expected);
}

#[test]
fn the_same_declaration_answers_the_same_rotation_and_starts_nothing() {
    let mut c = Coordinator::with(Strategy::Halt, &[]);
    c.declare(1);
    let same = ["reply 6 accepted r1, when all is written"];
    assert_eq!(declare(&mut c, 6, chosen(1)), same);
    let ended = EndedRotation {
        key: key("data"),
        declared: chosen(2).declared,
    };
    let effects = searched(&mut c, 6, chosen(2), Ok(Some(ended)));
    assert_eq!(effects, ["reply 6 accepted r2, when all is written"]);
}

#[test]
fn two_that_bring_the_same_id_at_once_are_accepted_once() {
    let mut c = Coordinator::with(Strategy::Halt, &[]);
    declare(&mut c, 5, chosen(1));
    declare(&mut c, 6, chosen(1));
    searched(&mut c, 5, chosen(1), Ok(None));
    let effects = searched(&mut c, 6, chosen(1), Ok(None));
    assert_eq!(effects, ["reply 6 accepted r1, when all is written"]);
}

#[test]
fn an_id_whose_rotation_ended_during_the_search_is_searched_for_again() {
    let mut c = Coordinator::with(Strategy::Halt, &[]);
    declare(&mut c, 5, chosen(1));
    declare(&mut c, 6, chosen(1));
    searched(&mut c, 5, chosen(1), Ok(None));
    c.snapped(1);
    assert!(c.machine.report(rid(1)).is_none(), "its plan is empty");
    let effects = searched(&mut c, 6, chosen(1), Ok(None));
    assert_eq!(effects, ["search 6 r1, when all is written"]);
}

#[test]
fn another_declaration_under_a_used_id_is_an_error() {
    let mut c = Coordinator::with(Strategy::Halt, &[]);
    c.define("other", behaviour(Strategy::Halt));
    c.declare(1);
    let mut none = chosen(1);
    none.declared.new = None;
    let mut halves = chosen(1);
    halves.declared.new = Some([[1; 32], [3; 32]]);
    for other in [declaration(1, "other"), none, halves] {
        let effects = declare(&mut c, 6, other.clone());
        let error = "reply 6 error other_declaration";
        assert_eq!(effects, [format!("{error}, when all is written")]);
        let mut ended = Coordinator::with(Strategy::Halt, &[]);
        let found = EndedRotation {
            key: key("data"),
            declared: chosen(1).declared,
        };
        assert_eq!(searched(&mut ended, 6, other, Ok(Some(found))), [error]);
    }
}

#[test]
fn a_history_that_cannot_be_searched_is_never_an_id_that_nobody_has() {
    let mut c = Coordinator::with(Strategy::Halt, &[]);
    let effects = searched(&mut c, 5, chosen(1), Err("closed".to_owned()));
    assert_eq!(effects, ["reply 5 error repo_unavailable"]);
}

#[test]
fn so_many_rotations_of_a_key_may_wait_and_no_more() {
    let mut c = Coordinator::with_key(
        KeyBehaviour {
            max_waiting_rotations: 2,
            ..behaviour(Strategy::Halt)
        },
        &[("w0", &["a"])],
    );
    c.declare(1);
    c.snapped(1);
    c.declare(2);
    c.declare(3);
    let busy = ["reply 5 error busy, when all is written"];
    assert_eq!(c.declare(4), busy);
    c.define("other", behaviour(Strategy::Halt));
    let effects = declare(&mut c, 5, declaration(5, "other"));
    assert_eq!(effects.last().expect("effects"), "snapshot r5 other");
}

#[test]
fn an_id_whose_rotation_cannot_be_read_is_an_error() {
    let mut c = Coordinator::new().with_unreadable(1);
    c.define("data", behaviour(Strategy::Halt));
    let effects = declare(&mut c, 5, chosen(1));
    assert_eq!(effects, ["reply 5 error rotation_unreadable"]);
}

#[test]
fn what_a_search_did_not_find_before_the_rotation_of_that_id_ended_is_searched_for_again() {
    let ends: [fn(&mut Coordinator) -> Vec<String>; 2] = [|c| c.abort(1, &[]), |c| c.snapped(1)];
    for end in ends {
        let mut c = Coordinator::with(Strategy::Halt, &[]);
        declare(&mut c, 5, chosen(1));
        declare(&mut c, 6, chosen(1));
        declare(&mut c, 7, chosen(2));
        searched(&mut c, 5, chosen(1), Ok(None));
        end(&mut c);
        let again = ["search 6 r1, when all is written"];
        assert_eq!(searched(&mut c, 6, chosen(1), Ok(None)), again);
        let ended = EndedRotation {
            key: key("data"),
            declared: chosen(1).declared,
        };
        let same = ["reply 6 accepted r1, when all is written"];
        assert_eq!(searched(&mut c, 6, chosen(1), Ok(Some(ended))), same);
        let effects = searched(&mut c, 7, chosen(2), Ok(None));
        assert_eq!(effects[2], "reply 7 accepted r2, when written");
    }
}
