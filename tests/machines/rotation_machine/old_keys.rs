//! The old keys of a declaration that did not give them, and declarations whose keys a store gives.

use keyward::rotation::error::RotationError;
use keyward::rotation::event::{Declaration, Event, OldKeys};

use crate::rotation_machine::script::{Coordinator, Strategy, declaration, key, rid};

const OLD: [[u8; 32]; 2] = [[8; 32], [9; 32]];
const NEW: [[u8; 32]; 2] = [[1; 32], [2; 32]];

fn undeclared(rotation: u128) -> Declaration {
    Declaration {
        old: OldKeys::Undeclared,
        ..declaration(rotation, "data")
    }
}

fn of_store(rotation: u128) -> Declaration {
    let mut declaration = declaration(rotation, "data");
    declaration.old = OldKeys::OfStore;
    declaration.declared.new = Some(OLD.map(|half| half.map(|byte| byte + 10)));
    declaration
}

fn declare(c: &mut Coordinator, ticket: u64, declaration: Declaration) -> Vec<String> {
    without_end(c.step(Event::Declare {
        ticket,
        declaration,
    }))
}

/// What all of these wait for is the same, and not what is shown here.
fn without_end(lines: Vec<String>) -> Vec<String> {
    let cut = |line: String| line.split(", when").next().unwrap_or_default().to_owned();
    lines.into_iter().map(cut).collect()
}

fn found(
    c: &mut Coordinator,
    ticket: u64,
    declaration: Declaration,
    found: Result<Option<[[u8; 32]; 2]>, RotationError>,
) -> Vec<String> {
    without_end(c.step(Event::OldFound {
        ticket,
        declaration,
        found,
    }))
}

fn coordinator() -> Coordinator {
    Coordinator::with(Strategy::Halt, &[("w0", &["a"])])
}

#[test]
fn undeclared_old_keys_are_held_ones_or_those_that_the_last_rotation_leads_to() {
    let mut c = coordinator();
    assert_eq!(declare(&mut c, 8, undeclared(1)), ["find 8 r1 held"]);
    let accepted = found(&mut c, 8, undeclared(1), Ok(None));
    assert!(
        accepted[2].starts_with("reply 8 accepted r1"),
        "{accepted:?}"
    );
    assert_eq!(declare(&mut c, 9, undeclared(2)), ["find 9 r2 r1"]);
    found(&mut c, 9, undeclared(2), Ok(Some(NEW)));
    assert_eq!(declare(&mut c, 10, undeclared(3)), ["find 10 r3 r2"]);
    let without = Declaration {
        new_keys: None,
        ..undeclared(3)
    };
    found(&mut c, 10, without, Ok(Some(NEW)));
    // The last one has no new keys.
    assert_eq!(declare(&mut c, 11, undeclared(4)), ["find 11 r4 held"]);
}

#[test]
fn what_was_found_counts_only_if_nothing_was_accepted_or_has_ended_since() {
    let mut c = coordinator();
    declare(&mut c, 8, undeclared(1));
    declare(&mut c, 9, undeclared(2));
    found(&mut c, 9, undeclared(2), Ok(None));
    assert_eq!(found(&mut c, 8, undeclared(1), Ok(None)), ["find 8 r1 r2"]);
    c.step(Event::Abort {
        ticket: 3,
        id: rid(2),
        confirmed: [crate::rotation_machine::script::worker("w0")].into(),
        by: Default::default(),
    });
    assert_eq!(
        found(&mut c, 8, undeclared(1), Ok(Some(NEW))),
        ["find 8 r1 held"]
    );
    let accepted = found(&mut c, 8, undeclared(1), Ok(Some(OLD)));
    assert!(
        accepted[2].starts_with("reply 8 accepted r1"),
        "{accepted:?}"
    );
}

#[test]
fn a_key_that_does_not_say_what_it_holds_has_the_declaration_refused() {
    let mut c = coordinator();
    declare(&mut c, 8, undeclared(1));
    let error = Err(RotationError::Unavailable { id: None });
    assert_eq!(
        found(&mut c, 8, undeclared(1), error),
        ["reply 8 error unavailable"]
    );
}

#[test]
fn whoever_does_not_wait_any_more_has_its_search_forgotten() {
    let mut c = coordinator();
    declare(&mut c, 8, undeclared(1));
    c.step(Event::Gone { ticket: 8 });
    assert_eq!(
        found(&mut c, 8, undeclared(1), Ok(None)),
        ["find 8 r1 held"]
    );
}

#[test]
fn stores_are_asked_only_for_what_can_be_accepted() {
    let mut c = coordinator();
    let unasked = Declaration {
        new_unasked: true,
        ..of_store(1)
    };
    let ask_both = ["reply 8 ask stores, old true"];
    assert_eq!(declare(&mut c, 8, unasked.clone()), ask_both);
    let mut asked = of_store(1);
    asked.old = OldKeys::Asked;
    asked.declared.old = Some(OLD);
    let accepted = declare(&mut c, 8, asked);
    assert!(
        accepted[2].starts_with("reply 8 accepted r1"),
        "{accepted:?}"
    );
    // A known id is answered before a store is asked.
    let known = ["reply 9 accepted r1"];
    assert_eq!(declare(&mut c, 9, unasked.clone()), known);
    let mut without_new = unasked.clone();
    without_new.new_unasked = false;
    without_new.declared.new = None;
    let other = ["reply 9 error other_declaration"];
    assert_eq!(declare(&mut c, 9, without_new), other);
    assert_eq!(declare(&mut c, 9, undeclared(1)), other);
    // While one waits or runs, its new keys are the old ones, and the key's store is not asked.
    let next = Declaration {
        id: rid(2),
        ..unasked
    };
    let ask_new = ["reply 9 ask stores, old false"];
    assert_eq!(declare(&mut c, 9, next), ask_new);
    assert_eq!(declare(&mut c, 9, of_store(2)), ["find 9 r2 r1"]);
    let none = Declaration {
        key: key("other"),
        ..of_store(3)
    };
    let undefined = ["reply 9 error key_not_defined"];
    assert_eq!(declare(&mut c, 9, none), undefined);
}

#[test]
fn a_store_is_no_source_of_old_keys_while_nobody_knows_where_a_rotation_leads() {
    let mut c = coordinator();
    let without = Declaration {
        new_keys: None,
        ..declaration(1, "data")
    };
    declare(&mut c, 8, without);
    let refused = ["reply 9 error rotation_unfinished"];
    assert_eq!(declare(&mut c, 9, of_store(2)), refused);
    let asked = Declaration {
        old: OldKeys::Asked,
        ..of_store(2)
    };
    assert_eq!(declare(&mut c, 9, asked), refused);
}

#[test]
fn old_keys_of_a_store_that_are_the_new_ones_are_refused_and_undeclared_ones_are_not() {
    let mut c = coordinator();
    declare(&mut c, 8, declaration(1, "data"));
    let same = Declaration {
        old: OldKeys::OfStore,
        ..declaration(2, "data")
    };
    assert_eq!(declare(&mut c, 9, same.clone()), ["find 9 r2 r1"]);
    assert_eq!(
        found(&mut c, 9, same, Ok(Some(NEW))),
        ["reply 9 error same_keys"]
    );
    declare(&mut c, 9, undeclared(2));
    let accepted = found(&mut c, 9, undeclared(2), Ok(Some(NEW)));
    assert!(
        accepted[2].starts_with("reply 9 accepted r2"),
        "{accepted:?}"
    );
}

#[test]
fn a_rotation_that_was_aborted_leads_nowhere_and_one_before_it_that_goes_on_does() {
    let mut c = coordinator();
    c.declare(1);
    c.declare(2);
    let confirmed = [crate::rotation_machine::script::worker("w0")];
    let id = rid(2);
    let confirmed = confirmed.into();
    c.step(Event::Abort {
        ticket: 3,
        id,
        confirmed,
        by: Default::default(),
    });
    // The data will be under the new keys of the first when the third runs.
    assert_eq!(declare(&mut c, 8, undeclared(3)), ["find 8 r3 r1"]);

    let mut c = Coordinator::begun(Strategy::Halt, &[("w0", &["a"])]);
    c.fail(1, 0);
    c.declare(2);
    c.resume(1);
    let confirmed = [crate::rotation_machine::script::worker("w0")].into();
    c.step(Event::Abort {
        ticket: 3,
        id,
        confirmed,
        by: Default::default(),
    });
    assert_eq!(declare(&mut c, 8, undeclared(3)), ["find 8 r3 r1"]);
}
