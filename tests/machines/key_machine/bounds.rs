//! How many loads and saves of one key may be under way: as many as it admits requests, and one
//! whose asker is gone counts until it has ended.

use keyward::key::definition::KeyBehaviour;
use keyward::key::effect::KeyEffect;
use keyward::key::error::KeyError;
use keyward::key::event::Event;
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::state::Loaded;

use crate::key_machine::script::{
    BACK, FORWARD, Key, behaviour, fetch, is_saved, load, name, put, record, refusal,
};

const BOUND: usize = 4;

fn narrow() -> Key {
    Key::new(KeyBehaviour {
        stateless: false,
        max_requests: BOUND,
        ..behaviour(SecretKeyUseCase::RoundTrip)
    })
}

fn busy(ticket: u64) -> KeyEffect {
    let bound = BOUND;
    refusal(ticket, KeyError::Busy { key: name(), bound })
}

#[test]
fn so_many_loads_are_under_way_and_no_more() {
    let mut key = narrow();
    for ticket in 1..=4 {
        assert_eq!(key.get(ticket, BACK), [load(ticket)]);
    }
    assert_eq!(key.get(5, BACK), [busy(5)]);
    assert_eq!(key.loaded(1, Loaded::Absent), [fetch(1)]);
    assert_eq!(key.get(6, BACK), [load(6)]);
    assert_eq!(key.get(7, BACK), [busy(7)]);
}

#[test]
fn a_load_of_which_the_asker_is_gone_has_its_place_until_it_has_ended() {
    let mut key = narrow();
    for ticket in 1..=4 {
        key.get(ticket, BACK);
    }
    assert_eq!(key.step(Event::Gone { ticket: 2 }), []);
    assert_eq!(key.get(5, BACK), [busy(5)]);
    assert_eq!(key.loaded(2, Loaded::Absent), []);
    assert_eq!(key.get(6, BACK), [load(6)]);
}

#[test]
fn so_many_saves_are_under_way_and_no_more() {
    let mut key = narrow().forwarded("e1", "d1");
    let forward = || record(FORWARD, Some("d1"));
    for ticket in 2..=5 {
        assert_eq!(key.save(ticket), [put(ticket, forward())]);
    }
    assert_eq!(key.save(6), [busy(6)]);
    assert_eq!(key.saved(None, forward()), []);
    assert_eq!(key.save(7), [busy(7)]);
    assert_eq!(key.saved(2, forward()), [is_saved(2)]);
    assert_eq!(key.save(8), [put(8, forward())]);
    assert_eq!(key.save(9), [busy(9)]);
}
