//! What each request gets: flows, the back path's order, loading, what is held and superseded.

use keyward::key::error::KeyError;
use keyward::key::event::{Event, Supersede};
use keyward::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use keyward::key::state::Loaded;
use keyward::secret::value::InvalidKey;

use crate::key_machine::script::{
    BACK, FORWARD, Key, answer, both, fetch, found, load, name, one, pair, refusal,
    state_unreadable, store_failed, unreadable,
};

fn invalid_flow(
    ticket: u64,
    flow: SecretKeyFlow,
    use_case: SecretKeyUseCase,
) -> crate::key_machine::Effect {
    let key = name();
    refusal(
        ticket,
        KeyError::InvalidFlow {
            key,
            flow,
            use_case,
        },
    )
}

fn invalid_key(ticket: u64, why: InvalidKey) -> crate::key_machine::Effect {
    refusal(ticket, KeyError::InvalidKey { key: name(), why })
}

#[test]
fn a_one_way_key_asks_the_store_each_time_and_keeps_nothing() {
    let mut key = Key::one_way();
    assert_eq!(key.get(1, None), [fetch(1)]);
    let only = SecretKeyFlow::Default;
    assert_eq!(key.fetched(1, one("a")), [answer(1, only, "a")]);
    assert_eq!(key.state(), (None, false, false));
    assert_eq!(key.get(2, only), [fetch(2)]);
    assert_eq!(key.fetched(2, one("b")), [answer(2, only, "b")]);
    assert_eq!(key.state(), (None, false, false));
}

#[test]
fn a_one_way_key_has_one_flow_only() {
    for flow in [FORWARD, BACK] {
        let use_case = SecretKeyUseCase::OneWayTrip;
        assert_eq!(
            Key::one_way().get(1, flow),
            [invalid_flow(1, flow, use_case)]
        );
    }
}

#[test]
fn a_pair_even_of_equal_halves_is_no_key_of_a_one_way_key() {
    let mut key = Key::one_way();
    key.get(1, None);
    let effects = key.fetched(1, pair("a", "a"));
    assert_eq!(effects, [invalid_key(1, InvalidKey::PairForOneWay)]);
}

#[test]
fn a_round_trip_key_has_no_default_flow() {
    let flow = SecretKeyFlow::Default;
    let use_case = SecretKeyUseCase::RoundTrip;
    let effects = Key::stated().get(1, flow);
    assert_eq!(effects, [invalid_flow(1, flow, use_case)]);
}

#[test]
fn without_a_flow_the_paths_alternate_and_the_back_path_gets_what_the_forward_path_had() {
    let mut key = Key::stateless();
    assert_eq!(key.get(1, None), [fetch(1)]);
    let effects = key.fetched(1, pair("e1", "d1"));
    assert_eq!(effects, [answer(1, FORWARD, "e1")]);
    assert_eq!(key.get(2, None), [answer(2, BACK, "d1")]);
    assert_eq!(key.get(3, None), [fetch(2)]);
    let effects = key.fetched(2, pair("e2", "d2"));
    assert_eq!(effects, [answer(3, FORWARD, "e2")]);
}

#[test]
fn a_flow_that_is_not_given_is_decided_when_the_request_takes_effect() {
    let mut key = Key::stateless();
    assert_eq!(key.get(1, None), [fetch(1)]);
    assert_eq!(key.get(2, None), []);
    let effects = key.fetched(1, pair("e1", "d1"));
    assert_eq!(effects, [answer(1, FORWARD, "e1"), answer(2, BACK, "d1")]);
}

#[test]
fn without_a_flow_a_stated_key_loads_its_record_to_know_the_last_one() {
    let mut key = Key::stated();
    assert_eq!(key.get(1, None), [load(1)]);
    let effects = key.loaded(1, found(FORWARD, Some("d0")));
    assert_eq!(effects, [answer(1, BACK, "d0")]);

    let mut key = Key::stated();
    key.get(1, None);
    assert_eq!(key.loaded(1, found(BACK, None)), [fetch(1)]);
    let effects = key.fetched(1, pair("e1", "d1"));
    assert_eq!(effects, [answer(1, FORWARD, "e1")]);

    let mut key = Key::stated();
    key.get(1, None);
    assert_eq!(key.loaded(1, Loaded::Absent), [fetch(1)]);
}

#[test]
fn the_forward_path_never_reads_the_record() {
    let mut key = Key::stated().forwarded("e1", "d1");
    assert_eq!(key.get(2, FORWARD), [fetch(2)]);
    assert_eq!(key.machine.facts().state_reads, 0);
}

#[test]
fn the_back_path_loads_then_takes_what_is_held_then_asks_the_store() {
    let mut key = Key::stated();
    assert_eq!(key.get(1, BACK), [load(1)]);
    let effects = key.loaded(1, found(FORWARD, Some("d0")));
    assert_eq!(effects, [answer(1, BACK, "d0")]);
    assert_eq!(key.state(), (Some(BACK), true, false));
    assert_eq!(key.get(2, BACK), [answer(2, BACK, "d0")]);

    let mut key = Key::stated();
    key.get(1, BACK);
    assert_eq!(key.loaded(1, Loaded::Absent), [fetch(1)]);
    let effects = key.fetched(1, pair("e1", "d1"));
    assert_eq!(effects, [answer(1, BACK, "d1")]);
    assert_eq!(key.get(2, BACK), [answer(2, BACK, "d1")]);
}

#[test]
fn a_cached_key_whose_flow_is_known_does_not_load() {
    let mut key = Key::stated();
    key.get(1, BACK);
    key.loaded(1, found(BACK, None));
    key.fetched(1, pair("e1", "d1"));
    key.supersede();
    assert_eq!(key.get(2, BACK), [answer(2, BACK, "d1")]);
    assert_eq!(key.get(3, BACK), [fetch(2)]);
    assert_eq!(key.machine.facts().state_reads, 1);
}

#[test]
fn a_key_that_is_not_kept_in_cache_loads_at_each_back_path() {
    let mut key = Key::uncached().forwarded("e1", "d1");
    assert_eq!(key.state(), (Some(FORWARD), false, false));
    for ticket in [2, 3] {
        assert_eq!(key.get(ticket, BACK), [load(ticket)]);
        let effects = key.loaded(ticket, found(FORWARD, Some("d0")));
        assert_eq!(effects, [answer(ticket, BACK, "d0")]);
        assert_eq!(key.state(), (Some(BACK), false, false));
    }
}

#[test]
fn a_request_loads_at_most_once() {
    let mut key = Key::uncached();
    assert_eq!(key.get(1, None), [load(1)]);
    assert_eq!(key.loaded(1, found(FORWARD, None)), [fetch(1)]);
    let effects = key.fetched(1, pair("e1", "d1"));
    assert_eq!(effects, [answer(1, BACK, "d1")]);
    assert_eq!(key.machine.facts().state_reads, 1);
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_at_each_load() {
    let mut key = Key::stated();
    for (ticket, flow) in [(1, None), (2, Some(BACK))] {
        assert_eq!(key.get(ticket, flow), [load(ticket)]);
        let effects = key.loaded(ticket, unreadable());
        assert_eq!(effects, [state_unreadable(ticket)]);
    }
    assert_eq!(key.get(3, FORWARD), [fetch(1)]);
}

#[test]
fn while_the_repo_is_away_a_load_is_an_error_and_never_no_record() {
    let mut key = Key::stated();
    key.get(1, BACK);
    let why = "closed".to_owned();
    let effects = key.loaded(
        1,
        Loaded::Unavailable {
            why: why.clone().into(),
        },
    );
    let error = KeyError::RepoUnavailable { key: name(), why };
    assert_eq!(effects, [refusal(1, error)]);
}

#[test]
fn a_failed_request_changes_nothing_and_what_it_had_loaded_is_read_again() {
    let mut key = Key::stated();
    key.get(1, None);
    key.loaded(1, found(BACK, None));
    assert_eq!(key.fetch_failed(1, false), [store_failed(1)]);
    assert_eq!(key.state(), (None, false, false));
    assert_eq!(key.get(2, None), [load(2)]);
    assert_eq!(key.machine.facts().store_calls, 1);
    assert_eq!(key.machine.facts().state_reads, 2);
}

#[test]
fn what_no_key_can_be_is_invalid() {
    let mut key = Key::stateless().forwarded("e1", "d1");
    key.get(2, FORWARD);
    let effects = key.fetched(2, pair("e2", ""));
    assert_eq!(effects, [invalid_key(2, InvalidKey::Empty)]);
    assert_eq!(key.get(3, BACK), [answer(3, BACK, "d1")]);
}

#[test]
fn what_is_superseded_is_answered_once() {
    let mut key = Key::stateless().forwarded("e1", "d1");
    key.supersede();
    assert_eq!(key.state(), (Some(FORWARD), true, true));
    assert_eq!(key.get(2, BACK), [answer(2, BACK, "d1")]);
    assert_eq!(key.state(), (Some(BACK), false, false));
    assert_eq!(key.get(3, BACK), [fetch(2)]);
    let effects = key.fetched(2, pair("e2", "d2"));
    assert_eq!(effects, [answer(3, BACK, "d2")]);
    assert_eq!(key.get(4, BACK), [answer(4, BACK, "d2")]);
}

#[test]
fn a_change_while_nothing_is_held_supersedes_nothing() {
    let mut key = Key::stated();
    key.supersede();
    key.get(1, BACK);
    key.loaded(1, found(FORWARD, Some("d0")));
    assert_eq!(key.state(), (Some(BACK), true, false));
}

#[test]
fn a_resumed_rotation_supersedes_only_a_pair_equal_to_its_old_keys() {
    let cases = [
        (None, false),
        (Some(both("e0", "d0")), false),
        (Some(both("e1", "d1")), true),
    ];
    for (old, superseded) in cases {
        let mut key = Key::stateless().forwarded("e1", "d1");
        assert_eq!(key.step(Event::Supersede(Supersede::Only(old))), []);
        assert_eq!(key.state(), (Some(FORWARD), true, superseded));
    }
}

/// The end of a rotation is when it is durable: until then its old keys are those of the store.
#[test]
fn what_a_forward_get_holds_before_the_end_of_a_rotation_is_durable_is_superseded_with_it() {
    let mut key = Key::stateless().forwarded("e1", "d1");
    assert_eq!(key.get(2, FORWARD), [fetch(2)]);
    key.fetched(2, pair("e2", "d2"));
    key.supersede();
    assert_eq!(key.get(3, BACK), [answer(3, BACK, "d2")]);
    assert_eq!(key.get(4, BACK), [fetch(3)]);
    // What is held later is not.
    key.fetched(3, pair("e3", "d3"));
    assert_eq!(key.get(5, BACK), [answer(5, BACK, "d3")]);
    assert_eq!(key.state(), (Some(BACK), true, false));
}
