//! Several askers: which of them share a fetch, what a slow or hanging store keeps waiting, limits.

use keyward::key::declared::{Declared, StoreAnswers};
use keyward::key::definition::KeyBehaviour;
use keyward::key::effect::KeyEffect;
use keyward::key::error::KeyError;
use keyward::key::event::{Event, FetchedKeys, Request};
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::state::{Loaded, Staged};

use crate::key_machine::script::{
    BACK, FORWARD, Key, LIMIT, answer, behaviour, fetch, load, name, one, pair, refusal, staged,
    store_failed, store_hangs,
};

#[test]
fn requests_are_answered_by_one_fetch_but_only_by_one_that_began_after_they_arrived() {
    let mut key = Key::one_way();
    assert_eq!(key.get(1, None), [fetch(1)]);
    assert_eq!(key.get(2, None), []);
    assert_eq!(key.get(3, None), []);
    let only = keyward::key::flow::SecretKeyFlow::Default;
    assert_eq!(key.fetched(1, one("a")), [answer(1, only, "a"), fetch(2)]);
    let both = [answer(2, only, "b"), answer(3, only, "b")];
    assert_eq!(key.fetched(2, one("b")), both);
    assert_eq!(key.machine.facts().store_calls, 2);
}

#[test]
fn an_answer_to_another_fetch_than_the_one_under_way_is_nobodys() {
    let mut key = Key::one_way();
    key.get(1, None);
    assert_eq!(key.fetched(7, one("a")), []);
    assert_eq!(key.machine.facts().waiting, 1);
}

#[test]
fn a_failed_fetch_fails_those_that_waited_for_it_and_the_next_one_begins() {
    let mut key = Key::stateless();
    key.get(1, FORWARD);
    key.get(2, FORWARD);
    assert_eq!(key.fetch_failed(1, false), [store_failed(1), fetch(2)]);
    let effects = key.fetched(2, pair("e", "d"));
    assert_eq!(effects, [answer(2, FORWARD, "e")]);
}

#[test]
fn what_is_held_is_answered_while_the_store_is_slow() {
    let mut key = Key::stateless().forwarded("e1", "d1");
    assert_eq!(key.get(2, FORWARD), [fetch(2)]);
    assert_eq!(key.get(3, BACK), [answer(3, BACK, "d1")]);
}

#[test]
fn who_waits_for_the_next_fetch_is_answered_from_what_the_last_one_made_held() {
    let mut key = Key::stateless();
    assert_eq!(key.get(1, FORWARD), [fetch(1)]);
    assert_eq!(key.get(2, BACK), []);
    assert_eq!(key.get(3, FORWARD), []);
    assert_eq!(key.get(4, BACK), []);
    let held = [
        answer(1, FORWARD, "e1"),
        answer(2, BACK, "d1"),
        answer(4, BACK, "d1"),
        fetch(2),
    ];
    assert_eq!(key.fetched(1, pair("e1", "d1")), held);
    assert_eq!(key.fetched(2, pair("e2", "d2")), [answer(3, FORWARD, "e2")]);
}

#[test]
fn while_a_fetch_that_passed_its_limit_is_alive_what_needs_the_store_fails_at_once() {
    let mut key = Key::stateless().forwarded("e1", "d1");
    key.get(2, FORWARD);
    key.get(3, FORWARD);
    let effects = key.fetch_failed(2, true);
    assert_eq!(effects, [store_failed(2), store_hangs(3)]);
    assert_eq!(key.get(4, FORWARD), [store_hangs(4)]);
    assert_eq!(key.get(5, BACK), [answer(5, BACK, "d1")]);
    assert_eq!(key.step(Event::Returned), []);
    assert_eq!(key.get(6, FORWARD), [fetch(3)]);
}

#[test]
fn three_quarters_of_the_places_may_wait_for_the_store_and_a_handles_call_has_its_own() {
    let mut key = Key::new(KeyBehaviour {
        max_requests: 8,
        ..behaviour(SecretKeyUseCase::RoundTrip)
    })
    .forwarded("e1", "d1");
    assert_eq!(key.get(2, FORWARD), [fetch(2)]);
    for ticket in 3..8 {
        assert_eq!(key.get(ticket, FORWARD), []);
    }
    let bound = 6;
    let busy = KeyError::Busy { key: name(), bound };
    assert_eq!(key.get(8, FORWARD), [refusal(8, busy.clone())]);
    assert_eq!(key.get(9, BACK), [answer(9, BACK, "d1")]);
    assert_eq!(key.step(Event::Gone { ticket: 5 }), []);
    assert_eq!(key.get(10, FORWARD), []);
    assert_eq!(key.get(11, FORWARD), [refusal(11, busy)]);
}

#[test]
fn a_staged_save_waits_for_the_store_beside_the_bound() {
    let mut key = Key::new(KeyBehaviour {
        max_requests: 4,
        stateless: false,
        ..behaviour(SecretKeyUseCase::RoundTrip)
    });
    assert_eq!(key.get(1, FORWARD), [fetch(1)]);
    let lost = || vec![Staged::Clean, Staged::LastFlow(FORWARD)];
    for ticket in 2..5 {
        let staged = lost();
        assert_eq!(key.ask(ticket, Request::StageSave { staged }), []);
    }
    assert_eq!(key.get(5, FORWARD), []);
    assert_eq!(key.get(6, FORWARD), []);
    let busy = KeyError::Busy {
        key: name(),
        bound: 3,
    };
    assert_eq!(key.get(7, FORWARD), [refusal(7, busy)]);
    let staged_7 = lost();
    assert_eq!(key.ask(8, Request::StageSave { staged: staged_7 }), []);
    key.fetched(1, pair("e1", "d1"));
    let effects = key.fetched(2, pair("e2", "d2"));
    let half = Some("d2");
    let expected = [
        staged(2, half),
        staged(3, half),
        staged(4, half),
        answer(5, FORWARD, "e2"),
        answer(6, FORWARD, "e2"),
        staged(8, half),
    ];
    assert_eq!(effects, expected);
}

#[test]
fn a_request_has_one_time_limit_from_its_arrival() {
    let mut key = Key::stateless();
    key.get(1, FORWARD);
    key.seconds = 10;
    key.get(2, FORWARD);
    key.seconds = 14;
    assert_eq!(key.step(Event::Tick), []);
    key.seconds = 15;
    let late = KeyError::TimedOut {
        key: name(),
        limit: LIMIT,
    };
    let given_up = KeyEffect::GiveUpFetch;
    assert_eq!(key.step(Event::Tick), [refusal(1, late), given_up]);
    let due = keyward::key::time::Time::at(std::time::Duration::from_secs(25));
    assert_eq!(key.machine.next_deadline(), Some(due));
    assert_eq!(key.fetched(1, pair("e1", "d1")), [fetch(2)]);
    let effects = key.fetched(2, pair("e2", "d2"));
    assert_eq!(effects, [answer(2, FORWARD, "e2")]);
}

#[test]
fn a_fetch_is_given_up_when_the_last_of_those_who_wait_for_it_is_gone() {
    let gone = |key: &mut Key, ticket| key.step(Event::Gone { ticket });
    let mut key = Key::stateless();
    assert_eq!(key.get(1, FORWARD), [fetch(1)]);
    assert_eq!(key.get(2, FORWARD), []);
    assert_eq!(key.get(3, FORWARD), []);
    assert_eq!(gone(&mut key, 3), [], "it waited for the next one");
    assert_eq!(gone(&mut key, 1), [KeyEffect::GiveUpFetch]);
    assert_eq!(gone(&mut key, 1), [], "it is gone already");
    assert_eq!(key.fetch_failed(1, false), [fetch(2)]);
    assert_eq!(key.get(4, FORWARD), []);
    let effects = key.fetched(2, pair("e", "d"));
    assert_eq!(effects, [answer(2, FORWARD, "e"), fetch(3)]);
}

#[test]
fn an_asker_that_is_gone_is_not_answered_and_waits_for_nothing() {
    let mut key = Key::stated();
    assert_eq!(key.get(1, BACK), [load(1)]);
    assert_eq!(key.step(Event::Gone { ticket: 1 }), []);
    assert_eq!(key.loaded(1, Loaded::Absent), []);
    assert_eq!(key.machine.facts().waiting, 0);
    assert_eq!(key.machine.next_deadline(), None);
}

#[test]
fn the_facts_tell_how_the_stores_answer_compares_with_what_was_declared() {
    use StoreAnswers::{Neither, New, Old};
    let mut key = Key::stateless();
    let [old, new, other] = [1, 2, 3].map(|byte| [[byte; 32]; 2]);
    key.step(Event::Declared(Declared {
        old: Some(old),
        new: Some(new),
    }));
    let table = [
        (old, Old, 0),
        (new, New, 0),
        (other, Neither, 1),
        (other, Neither, 0),
        (new, New, 0),
        (other, Neither, 0),
    ];
    for (number, (prints, compared, warned)) in (1..).zip(table) {
        key.get(number, FORWARD);
        let keys = pair("e", "d");
        let effects = key.step(Event::Fetched {
            fetch: number,
            answer: Ok(FetchedKeys { keys, prints }),
            still_running: false,
        });
        assert_eq!(key.machine.facts().store_answers, compared);
        let warning = KeyEffect::WarnOfStore { has_old: true };
        let count = effects.iter().filter(|effect| **effect == warning).count();
        assert_eq!(count, warned, "{number}");
    }
}
