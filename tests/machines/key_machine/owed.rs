//! A write that corrects the record and fails: no caller waits for it, so it is made again later, unless
//! something newer has taken its place. And an actor that dies forgets who waited, not what it knew.

use keyward::key::effect::KeyEffect;
use keyward::key::event::{Event, WriteFailure};
use keyward::key::state::{Effect, RecordChange, Staged, StateRecord};

use crate::key_machine::script::{
    BACK, FORWARD, Key, answer, both, change, fetch, is_saved, pair, proposed_put, put, record,
};

fn corrected() -> StateRecord {
    record(FORWARD, Some("d3"))
}

/// A key whose record had to be corrected after an effect, which failed.
fn owing() -> Key {
    let mut key = Key::stated().forwarded("e1", "d1");
    let flow = change(vec![Staged::LastFlow(FORWARD)], Effect::Nothing, None);
    key.propose(10, flow);
    key.get(2, FORWARD);
    key.fetched(2, pair("e3", "d3"));
    assert_eq!(key.adopt(10), [put(None, corrected())]);
    assert_eq!(not_written(&mut key), [KeyEffect::WriteLater]);
    key
}

fn not_written(key: &mut Key) -> Vec<KeyEffect> {
    key.step(Event::Saved {
        ticket: None,
        change: RecordChange::Put(corrected()),
        result: Err(WriteFailure {
            why: "closed".to_owned().into(),
            unknown: false,
        }),
    })
}

#[test]
fn it_is_made_again_until_it_succeeds() {
    let mut key = owing();
    assert_eq!(key.step(Event::WriteAgain), [put(None, corrected())]);
    assert_eq!(not_written(&mut key), [KeyEffect::WriteLater]);
    assert_eq!(key.step(Event::WriteAgain), [put(None, corrected())]);
    assert_eq!(key.saved(None, corrected()), []);
    assert_eq!(key.step(Event::WriteAgain), []);
}

#[test]
fn a_save_that_came_since_takes_its_place() {
    let mut key = owing();
    key.get(3, BACK);
    let back = record(BACK, None);
    assert_eq!(key.save(4), [put(4, back.clone())]);
    assert_eq!(key.step(Event::WriteAgain), []);
    assert_eq!(key.saved(4, back), [is_saved(4)]);
}

#[test]
fn an_effect_that_became_durable_since_takes_its_place() {
    let mut key = owing();
    let effect = change(vec![], Effect::Reencrypted, Some(both("eN", "dN")));
    let written = record(FORWARD, Some("dN"));
    assert_eq!(key.propose(11, effect), [proposed_put(11, written)]);
    assert_eq!(key.step(Event::WriteAgain), [KeyEffect::WriteLater]);
    assert_eq!(key.adopt(11), []);
    assert_eq!(key.step(Event::WriteAgain), []);
}

#[test]
fn an_actor_that_dies_forgets_who_waited_and_keeps_what_is_held() {
    let mut key = Key::stateless().forwarded("e1", "d1");
    assert_eq!(key.get(2, FORWARD), [fetch(2)]);
    key.machine.forget_requests();
    assert_eq!(key.machine.facts().waiting, 0);
    assert_eq!(key.machine.next_deadline(), None);
    assert_eq!(key.fetched(2, pair("e2", "d2")), []);
    assert_eq!(key.get(3, BACK), [answer(3, BACK, "d1")]);
    assert_eq!(key.get(4, FORWARD), [fetch(3)]);
}
