//! What overtakes what: a write under way comes before a request that has loaded the record, which
//! is not answered from what was there before; and a step of a resumed rotation changes nothing
//! after a forward get.

use keyward::key::effect::KeyEffect;
use keyward::key::error::KeyError;
use keyward::key::event::{Event, WriteFailure};
use keyward::key::state::{Effect, Loaded, RecordChange, Staged, StateChange};

use crate::key_machine::script::{
    BACK, FORWARD, Key, answer, both, change, fetch, found, is_saved, load, name, pair, proposed,
    proposed_put, put, record, refusal,
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
        result: Err(WriteFailure {
            why: why.clone().into(),
            unknown: false,
        }),
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

/// What a step of a resumed rotation proposes.
fn resumed(staged: Vec<Staged>, effect: Effect) -> StateChange {
    StateChange {
        resumed: Some(7),
        ..change(staged, effect, Some(both("eN", "dN")))
    }
}

/// A forward get while a proposal is out, with this ticket and the fetch of this number.
fn forward(key: &mut Key, ticket: u64, number: u64) {
    assert_eq!(key.get(ticket, FORWARD), [fetch(number)]);
    let answered = [answer(ticket, FORWARD, "e9")];
    assert_eq!(key.fetched(number, pair("e9", "d9")), answered);
}

#[test]
fn a_forward_get_that_is_answered_while_a_resumed_effect_becomes_durable_comes_after_it() {
    let mut key = Key::stated().forwarded("e1", "d1");
    key.step(Event::Stopped { rotation: 7 });
    let effect = resumed(vec![], Effect::Reencrypted);
    let written = record(FORWARD, Some("dN"));
    assert_eq!(key.propose(10, effect), [proposed_put(10, written)]);
    forward(&mut key, 2, 2);
    assert_eq!(key.get(3, BACK), [answer(3, BACK, "d9")]);
    assert_eq!(key.adopt(10), [], "the record is the effect's");
    assert_eq!(key.state(), (Some(BACK), true, false));
    assert_eq!(key.get(4, BACK), [answer(4, BACK, "d9")]);
}

#[test]
fn the_record_of_such_an_effect_is_that_of_the_state_before_the_forward_get() {
    let mut key = Key::stated().forwarded("e1", "d1");
    key.step(Event::Stopped { rotation: 7 });
    let save = resumed(
        vec![Staged::LastFlow(FORWARD), Staged::Save { asked: None }],
        Effect::Nothing,
    );
    let written = record(FORWARD, Some("d1"));
    assert_eq!(key.propose(10, save), [proposed_put(10, written)]);
    forward(&mut key, 2, 2);
    forward(&mut key, 3, 3);
    assert_eq!(key.adopt(10), []);

    let mut key = Key::stated().forwarded("e1", "d1");
    key.step(Event::Stopped { rotation: 7 });
    let save = resumed(vec![Staged::Save { asked: None }], Effect::Nothing);
    let written = record(FORWARD, Some("d1"));
    let change = Some(RecordChange::Put(written));
    assert_eq!(key.propose(10, save), [proposed(10, false, change)]);
    key.get(2, BACK);
    forward(&mut key, 3, 2);
    assert_eq!(key.adopt(10), [put(None, record(BACK, None))]);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
}

#[test]
fn the_effect_of_a_rotation_that_was_never_resumed_comes_after_it() {
    let mut key = Key::stated().forwarded("e1", "d1");
    let effect = change(vec![], Effect::Reencrypted, Some(both("eN", "dN")));
    key.propose(10, effect);
    forward(&mut key, 2, 2);
    assert_eq!(key.adopt(10), []);
    assert_eq!(key.get(3, BACK), [answer(3, BACK, "dN")]);
}
