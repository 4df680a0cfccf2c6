//! A request that has loaded the record while a write of it is under way: the write comes first, so
//! it is not answered from what was there before.

use keyward::key::effect::KeyEffect;
use keyward::key::error::KeyError;
use keyward::key::event::Event;
use keyward::key::state::{Loaded, RecordChange};

use crate::script::{
    BACK, FORWARD, Key, answer, fetch, found, is_saved, load, name, pair, put, record, refusal,
};

/// A save of the half `d2` is under way, and the get of ticket 3 has loaded the record before.
fn overtaken() -> Key {
    let mut key = Key::uncached().forwarded("e1", "d1");
    assert_eq!(key.save(2), [fetch(2)]);
    assert_eq!(key.get(3, BACK), [load(3)]);
    let write = put(2, record(FORWARD, Some("d2")));
    assert_eq!(key.fetched(2, pair("e2", "d2")), [write]);
    assert_eq!(key.loaded(3, found(FORWARD, Some("d0"))), []);
    key
}

fn d2_saved(key: &mut Key) -> Vec<KeyEffect> {
    key.saved(2, record(FORWARD, Some("d2")))
}

#[test]
fn a_get_that_loaded_before_a_write_is_answered_after_it_from_what_it_wrote() {
    let mut key = overtaken();
    let answered = [is_saved(2), answer(3, BACK, "d2")];
    assert_eq!(d2_saved(&mut key), answered);
    assert_eq!(key.state(), (Some(BACK), false, false));
    assert_eq!(key.machine.facts().state_reads, 1);
}

#[test]
fn so_is_one_that_had_to_ask_the_store() {
    let mut key = Key::uncached().forwarded("e1", "d1");
    assert_eq!(key.save(2), [fetch(2)]);
    assert_eq!(key.get(3, BACK), [load(3)]);
    assert_eq!(key.loaded(3, Loaded::Absent), []);
    let write = put(2, record(FORWARD, Some("d2")));
    assert_eq!(key.fetched(2, pair("e2", "d2")), [write, fetch(3)]);
    assert_eq!(key.fetched(3, pair("e3", "d3")), []);
    let answered = [is_saved(2), answer(3, BACK, "d2")];
    assert_eq!(d2_saved(&mut key), answered);
}

#[test]
fn what_the_store_answered_is_not_asked_for_again_where_the_write_has_no_key() {
    let mut key = Key::uncached().forwarded("e1", "d1");
    key.get(2, BACK);
    key.loaded(2, found(FORWARD, Some("d0")));
    assert_eq!(key.get(3, BACK), [load(3)]);
    assert_eq!(key.loaded(3, Loaded::Absent), [fetch(2)]);
    let flow_only = record(BACK, None);
    assert_eq!(key.save(4), [put(4, flow_only.clone())]);
    assert_eq!(key.fetched(2, pair("e2", "d2")), []);
    let answered = [is_saved(4), answer(3, BACK, "d2")];
    assert_eq!(key.saved(4, flow_only), answered);
    assert_eq!(key.machine.facts().store_calls, 2);
}

#[test]
fn if_the_write_fails_nobody_knows_the_record_and_the_get_fails_too() {
    let mut key = overtaken();
    let why = "closed".to_owned();
    let effects = key.step(Event::Saved {
        ticket: Some(2),
        change: RecordChange::Put(record(FORWARD, Some("d2"))),
        result: Err(why.clone()),
    });
    let error = || KeyError::RepoUnavailable {
        key: name(),
        why: why.clone(),
    };
    assert_eq!(effects, [refusal(2, error()), refusal(3, error())]);
    assert_eq!(key.state(), (Some(FORWARD), false, false));
}

#[test]
fn a_later_save_waits_behind_the_get_so_that_saves_without_end_do_not_keep_it_waiting() {
    let mut key = overtaken();
    assert_eq!(key.save(4), [fetch(3)]);
    assert_eq!(key.fetched(3, pair("e4", "d4")), []);
    let answered = [
        is_saved(2),
        answer(3, BACK, "d2"),
        // The get has turned the flow meanwhile.
        put(4, record(BACK, None)),
    ];
    assert_eq!(d2_saved(&mut key), answered);
}

#[test]
fn a_write_whose_asker_is_gone_is_waited_for_as_well() {
    let mut key = overtaken();
    assert_eq!(key.step(Event::Gone { ticket: 2 }), []);
    assert_eq!(d2_saved(&mut key), [answer(3, BACK, "d2")]);
}
