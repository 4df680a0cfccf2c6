//! How rotations change a key's state: proposals, what waits for them, and snapshots.

use keyward::key::effect::KeyEffect;
use keyward::key::error::KeyError;
use keyward::key::event::Event;
use keyward::key::state::{
    Effect, Loaded, RecordChange, Snapshot, Staged, StateChange, StateRecord,
};

use crate::key_machine::script::{
    BACK, FORWARD, Key, answer, both, change, fetch, found, is_saved, load, look, name, pair,
    proposed, proposed_put, put, record, snapped, unreadable,
};

fn reencrypted() -> StateChange {
    change(vec![], Effect::Reencrypted, Some(both("e2", "d2")))
}

fn decrypted() -> StateChange {
    change(vec![], Effect::Decrypted, None)
}

fn new_record() -> StateRecord {
    record(FORWARD, Some("d2"))
}

#[test]
fn an_effect_changes_the_state_when_it_is_durable_and_not_before() {
    let mut key = Key::stated().forwarded("e1", "d1");
    let effects = key.propose(10, reencrypted());
    assert_eq!(effects, [proposed_put(10, new_record())]);
    assert_eq!(key.get(2, BACK), [answer(2, BACK, "d1")]);
    assert_eq!(key.adopt(10), []);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
    assert_eq!(key.get(3, BACK), [answer(3, BACK, "d2")]);
}

#[test]
fn a_decrypted_effect_leaves_nothing_held_and_no_key_in_the_record() {
    let mut key = Key::stated().forwarded("e1", "d1");
    let effects = key.propose(10, decrypted());
    assert_eq!(effects, [proposed_put(10, record(BACK, None))]);
    key.adopt(10);
    assert_eq!(key.state(), (Some(BACK), false, false));
}

#[test]
fn a_reencrypted_pair_is_held_even_if_the_key_is_not_kept_in_cache() {
    let mut key = Key::uncached();
    key.propose(10, reencrypted());
    key.adopt(10);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
    assert_eq!(key.get(1, BACK), [answer(1, BACK, "d2")]);
    assert_eq!(key.state(), (Some(BACK), false, false));
}

#[test]
fn a_stateless_key_changes_without_a_record() {
    let mut key = Key::stateless();
    assert_eq!(key.propose(10, reencrypted()), [proposed(10, true, None)]);
    key.adopt(10);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
}

#[test]
fn on_a_one_way_key_an_effect_changes_nothing() {
    let mut key = Key::one_way();
    assert_eq!(key.propose(10, reencrypted()), [proposed(10, false, None)]);
    key.adopt(10);
    assert_eq!(key.state(), (None, false, false));
}

#[test]
fn a_withdrawn_effect_changes_nothing() {
    let mut key = Key::stated().forwarded("e1", "d1");
    key.propose(10, decrypted());
    assert_eq!(key.step(Event::Withdraw { ticket: 10 }), []);
    assert_eq!(key.adopt(10), []);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
}

#[test]
fn one_proposal_is_out_at_a_time_and_the_later_ones_build_on_it() {
    let mut key = Key::stated();
    let effects = key.propose(10, reencrypted());
    assert_eq!(effects, [proposed_put(10, new_record())]);
    let saves = change(vec![Staged::Save { asked: None }], Effect::Nothing, None);
    assert_eq!(key.propose(11, saves), []);
    assert_eq!(key.propose(12, decrypted()), []);
    let saved = RecordChange::Put(new_record());
    assert_eq!(key.adopt(10), [proposed(11, false, Some(saved))]);
    let effects = key.step(Event::Withdraw { ticket: 11 });
    assert_eq!(effects, [proposed_put(12, record(BACK, None))]);
}

#[test]
fn a_later_proposal_can_be_withdrawn_before_its_turn() {
    let mut key = Key::stated();
    key.propose(10, reencrypted());
    key.propose(11, decrypted());
    assert_eq!(key.step(Event::Withdraw { ticket: 11 }), []);
    assert_eq!(key.adopt(10), []);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
}

#[test]
fn an_overtaken_effect_leaves_state_and_record() {
    let mut key = Key::stated().forwarded("e1", "d1");
    let mut late = decrypted();
    late.overtaken = true;
    assert_eq!(key.propose(10, late), [proposed(10, false, None)]);
    key.adopt(10);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
}

#[test]
fn of_an_overtaken_change_only_its_saves_are_left() {
    let staged = vec![Staged::LastFlow(BACK), Staged::Save { asked: None }];
    let mut late = change(staged, Effect::Decrypted, None);
    late.overtaken = true;
    let mut key = Key::stated().forwarded("e1", "d1");
    let saved = RecordChange::Put(record(FORWARD, Some("d1")));
    assert_eq!(key.propose(10, late), [proposed(10, false, Some(saved))]);
    assert_eq!(key.adopt(10), []);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
}

#[test]
fn a_resumed_effect_counts_unless_a_forward_get_was_answered_since_the_stop() {
    let rotation = 7;
    let mut resumed = decrypted();
    resumed.resumed = Some(rotation);

    let mut key = Key::stated().forwarded("e1", "d1");
    key.step(Event::Stopped { rotation });
    key.get(2, BACK);
    let effects = key.propose(10, resumed.clone());
    assert_eq!(effects, [proposed_put(10, record(BACK, None))]);
    key.adopt(10);
    key.get(3, FORWARD);
    key.fetched(2, pair("e2", "d2"));
    let effects = key.propose(11, resumed.clone());
    assert_eq!(effects, [proposed(11, false, None)]);
    key.adopt(11);
    key.step(Event::Stopped { rotation });
    let effects = key.propose(12, resumed.clone());
    assert_eq!(effects, [proposed_put(12, record(BACK, None))]);

    let mut next_life = Key::stated().forwarded("e1", "d1");
    assert_eq!(next_life.propose(10, resumed), [proposed(10, false, None)]);
}

#[test]
fn staged_changes_take_effect_in_order_and_before_the_effect() {
    let cases = [
        (
            vec![Staged::Clean],
            Effect::Nothing,
            Some(RecordChange::Delete),
            (None, false, false),
        ),
        (
            vec![Staged::LastFlow(BACK)],
            Effect::Nothing,
            Some(RecordChange::Put(record(BACK, None))),
            (Some(BACK), true, false),
        ),
        (
            vec![Staged::PreviousKeys(both("e3", "d3"))],
            Effect::Nothing,
            Some(RecordChange::Put(record(FORWARD, Some("d3")))),
            (Some(FORWARD), true, false),
        ),
        (
            vec![Staged::Clean, Staged::LastFlow(FORWARD)],
            Effect::Nothing,
            Some(RecordChange::Put(record(FORWARD, None))),
            (Some(FORWARD), false, false),
        ),
        (
            vec![Staged::PreviousKeys(both("e3", "d3"))],
            Effect::Decrypted,
            Some(RecordChange::Put(record(BACK, None))),
            (Some(BACK), false, false),
        ),
    ];
    for (staged, effect, written, state) in cases {
        let mut key = Key::stated().forwarded("e1", "d1");
        key.supersede();
        let effects = key.propose(10, change(staged, effect, None));
        assert_eq!(effects, [proposed(10, true, written)]);
        key.adopt(10);
        let (flow, holds, _) = state;
        let facts = key.machine.facts();
        assert_eq!((facts.last_flow, facts.holds), (flow, holds));
    }
}

#[test]
fn previous_keys_that_are_set_are_not_superseded_and_held_without_a_cache() {
    let set = vec![Staged::PreviousKeys(both("e3", "d3"))];
    let mut key = Key::stateless().forwarded("e1", "d1");
    key.supersede();
    key.propose(10, change(set.clone(), Effect::Nothing, None));
    key.adopt(10);
    assert_eq!(key.state(), (Some(FORWARD), true, false));

    let mut key = Key::uncached().forwarded("e1", "d1");
    key.propose(10, change(set, Effect::Nothing, None));
    key.adopt(10);
    assert_eq!(key.get(2, BACK), [answer(2, BACK, "d3")]);
}

#[test]
fn a_staged_save_writes_what_was_asked_of_the_store_only_where_nothing_is_held() {
    let save = vec![Staged::Save {
        asked: Some("d9".into()),
    }];
    let mut key = Key::stated().forwarded("e1", "d1");
    let written = RecordChange::Put(record(FORWARD, Some("d1")));
    let effects = key.propose(10, change(save.clone(), Effect::Nothing, None));
    assert_eq!(effects, [proposed(10, false, Some(written))]);

    let mut key = Key::uncached().forwarded("e1", "d1");
    let written = RecordChange::Put(record(FORWARD, Some("d9")));
    let effects = key.propose(10, change(save, Effect::Nothing, None));
    assert_eq!(effects, [proposed(10, false, Some(written))]);
}

#[test]
fn a_setter_on_a_state_that_is_not_known_looks_at_the_record_first_which_is_no_load() {
    let forward = || change(vec![Staged::LastFlow(FORWARD)], Effect::Nothing, None);
    let mut key = Key::stated();
    assert_eq!(key.propose(10, forward()), [look(10)]);
    let effects = key.looked(10, found(BACK, Some("d0")));
    assert_eq!(effects, [proposed_put(10, record(FORWARD, Some("d0")))]);
    key.adopt(10);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
    assert_eq!(key.machine.facts().state_reads, 0);

    let mut key = Key::stated();
    key.propose(10, forward());
    let effects = key.looked(10, unreadable());
    assert_eq!(effects, [proposed_put(10, record(FORWARD, None))]);

    let mut key = Key::stated();
    let clean = change(vec![Staged::Clean], Effect::Nothing, None);
    let deleted = Some(RecordChange::Delete);
    assert_eq!(key.propose(10, clean), [proposed(10, true, deleted)]);
}

#[test]
fn the_look_of_a_withdrawn_proposal_is_nobodys() {
    let forward = || change(vec![Staged::LastFlow(FORWARD)], Effect::Nothing, None);
    let mut key = Key::stated();
    key.propose(10, forward());
    assert_eq!(key.propose(11, forward()), []);
    assert_eq!(key.step(Event::Withdraw { ticket: 10 }), [look(11)]);
    assert_eq!(key.looked(10, found(BACK, Some("d0"))), []);
    let effects = key.looked(11, found(BACK, Some("d1")));
    assert_eq!(effects, [proposed_put(11, record(FORWARD, Some("d1")))]);
}

#[test]
fn while_a_proposal_is_out_the_record_is_neither_loaded_nor_saved() {
    let mut key = Key::stated();
    key.propose(10, reencrypted());
    assert_eq!(key.get(1, BACK), []);
    assert_eq!(key.save(2), [is_saved(2)]);
    assert_eq!(key.adopt(10), [answer(1, BACK, "d2")]);

    let mut key = Key::stated();
    key.propose(10, reencrypted());
    assert_eq!(key.get(1, BACK), []);
    assert_eq!(key.step(Event::Withdraw { ticket: 10 }), [load(1)]);
}

#[test]
fn a_save_that_an_effect_overtook_writes_what_the_effect_left() {
    let mut key = Key::uncached().forwarded("e1", "d1");
    assert_eq!(key.save(2), [fetch(2)]);
    key.propose(10, reencrypted());
    assert_eq!(key.fetched(2, pair("e1", "d1")), []);
    assert_eq!(key.adopt(10), [put(2, new_record())]);
    assert_eq!(key.saved(2, new_record()), [is_saved(2)]);
}

#[test]
fn a_request_that_had_loaded_before_an_effect_sees_the_effects_record() {
    let mut key = Key::uncached();
    key.get(1, BACK);
    assert_eq!(key.loaded(1, found(FORWARD, None)), [fetch(1)]);
    key.propose(10, decrypted());
    key.adopt(10);
    let effects = key.fetched(1, pair("e1", "d1"));
    assert_eq!(effects, [answer(1, BACK, "d1")]);

    let mut key = Key::uncached();
    key.get(1, BACK);
    assert_eq!(key.loaded(1, Loaded::Absent), [fetch(1)]);
    key.propose(10, reencrypted());
    key.adopt(10);
    assert_eq!(key.get(2, BACK), [answer(2, BACK, "d2")]);
    let effects = key.fetched(1, pair("e9", "d9"));
    assert_eq!(effects, [answer(1, BACK, "d2")]);

    let mut key = Key::stated();
    key.get(1, None);
    assert_eq!(key.loaded(1, Loaded::Absent), [fetch(1)]);
    key.propose(10, reencrypted());
    key.adopt(10);
    let effects = key.fetched(1, pair("e9", "d9"));
    assert_eq!(effects, [answer(1, BACK, "d2")]);
}

#[test]
fn a_state_that_changed_while_the_proposal_was_out_corrects_the_record() {
    let mut key = Key::stated().forwarded("e1", "d1");
    let flow = change(vec![Staged::LastFlow(FORWARD)], Effect::Nothing, None);
    let effects = key.propose(10, flow);
    assert_eq!(effects, [proposed_put(10, record(FORWARD, Some("d1")))]);
    key.get(2, FORWARD);
    key.fetched(2, pair("e3", "d3"));
    let corrected = record(FORWARD, Some("d3"));
    assert_eq!(key.adopt(10), [put(None, corrected.clone())]);
    assert_eq!(key.saved(None, corrected), []);
}

#[test]
fn a_snapshot_tells_what_the_key_has_or_what_its_record_has() {
    let snapshot = |key: &mut Key, ticket| key.step(Event::Snapshot { ticket });
    let mut key = Key::stated().forwarded("e1", "d1");
    let held = Some(both("e1", "d1"));
    assert_eq!(snapshot(&mut key, 10), [snapped(10, Some(FORWARD), held)]);

    let mut key = Key::stated();
    assert_eq!(snapshot(&mut key, 10), [look(10)]);
    let effects = key.looked(10, found(FORWARD, Some("d0")));
    let previous = Some(both("d0", "d0"));
    assert_eq!(effects, [snapped(10, Some(FORWARD), previous)]);
    assert_eq!(key.state(), (None, false, false));
    assert_eq!(key.machine.facts().state_reads, 0);

    assert_eq!(snapshot(&mut key, 11), [look(11)]);
    let unread = Snapshot::Unreadable {
        why: "changed".to_owned(),
    };
    let effects = key.looked(11, unreadable());
    let ticket = 11;
    let snapshot_11 = KeyEffect::Snapped {
        ticket,
        snapshot: unread,
    };
    assert_eq!(effects, [snapshot_11]);

    let nothing = [snapped(12, None, None)];
    assert_eq!(snapshot(&mut Key::stateless(), 12), nothing);
    assert_eq!(snapshot(&mut Key::one_way(), 12), nothing);
}

#[test]
fn a_flow_that_became_known_during_the_look_is_newer_than_the_record() {
    for found in [found(BACK, None), unreadable()] {
        let mut key = Key::stated();
        assert_eq!(key.step(Event::Snapshot { ticket: 10 }), [look(10)]);
        let mut key = key.forwarded("e1", "d1");
        let held = Some(both("e1", "d1"));
        let effects = key.looked(10, found);
        assert_eq!(effects, [snapped(10, Some(FORWARD), held)]);
    }
}

#[test]
fn a_snapshot_waits_for_the_proposal_of_the_rotation_before() {
    let mut key = Key::stated().forwarded("e1", "d1");
    key.propose(10, reencrypted());
    assert_eq!(key.step(Event::Snapshot { ticket: 11 }), []);
    let previous = Some(both("e2", "d2"));
    let expected = [snapped(11, Some(FORWARD), previous)];
    assert_eq!(key.adopt(10), expected);
}

#[test]
fn who_would_wait_for_a_proposal_of_which_the_repo_knows_no_end_is_told_so_at_once() {
    let mut key = Key::stated().forwarded("e1", "d1");
    key.propose(10, decrypted());
    assert_eq!(key.save(1), []);
    let (ticket, why) = (10, "a test".to_owned());
    let other = Event::InDoubt {
        ticket: 9,
        why: why.clone(),
    };
    assert_eq!(key.step(other), []);
    let unavailable = |ticket| KeyEffect::Answer {
        ticket,
        answer: Err(KeyError::RepoUnavailable {
            key: name(),
            why: why.clone(),
        }),
    };
    let doubt = Event::InDoubt {
        ticket,
        why: why.clone(),
    };
    assert_eq!(key.step(doubt), [unavailable(1)]);
    assert_eq!(key.save(2), [unavailable(2)]);
    assert_eq!(key.adopt(10), []);
    assert_eq!(key.save(3), [put(3, record(BACK, None))]);
}
