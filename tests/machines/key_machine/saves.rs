//! `save_state`: when it writes, what it writes, and that it changes no state.

use keyward::key::effect::KeyEffect;
use keyward::key::error::KeyError;
use keyward::key::event::{Event, Request, WriteFailure};
use keyward::key::state::{Effect, RecordChange, Staged};

use crate::key_machine::script::{
    BACK, FORWARD, Key, answer, both, change, fetch, found, is_saved, load, name, pair, put,
    record, refusal, staged, store_failed,
};

#[test]
fn a_stateless_key_has_no_state_to_save() {
    let effects = Key::stateless().save(1);
    assert_eq!(
        effects,
        [refusal(1, KeyError::StatelessKey { key: name() })]
    );
}

#[test]
fn before_any_flow_a_save_writes_nothing() {
    assert_eq!(Key::stated().save(1), [is_saved(1)]);
}

#[test]
fn after_the_forward_path_a_save_writes_the_back_half_of_what_is_held() {
    let mut key = Key::stated().forwarded("e1", "d1");
    let forward = record(FORWARD, Some("d1"));
    assert_eq!(key.save(2), [put(2, forward.clone())]);
    assert_eq!(key.saved(2, forward), [is_saved(2)]);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
}

#[test]
fn after_the_back_path_a_save_writes_the_flow_only() {
    let mut key = Key::stated().forwarded("e1", "d1");
    key.get(2, BACK);
    assert_eq!(key.save(3), [put(3, record(BACK, None))]);
}

#[test]
fn a_half_that_is_not_held_is_asked_of_the_store_and_not_kept() {
    let mut key = Key::uncached().forwarded("e1", "d1");
    assert_eq!(key.save(2), [fetch(2)]);
    let effects = key.fetched(2, pair("e2", "d2"));
    assert_eq!(effects, [put(2, record(FORWARD, Some("d2")))]);
    assert_eq!(key.state(), (Some(FORWARD), false, false));
}

#[test]
fn a_save_fails_with_the_store_that_it_needs_and_with_the_repo() {
    let mut key = Key::uncached().forwarded("e1", "d1");
    key.save(2);
    assert_eq!(key.fetch_failed(2, false), [store_failed(2)]);

    let mut key = Key::stated().forwarded("e1", "d1");
    key.save(2);
    let why = "closed".to_owned();
    let effects = key.step(Event::Saved {
        ticket: Some(2),
        change: RecordChange::Put(record(FORWARD, Some("d1"))),
        result: Err(WriteFailure {
            why: why.clone().into(),
            unknown: false,
        }),
    });
    let error = KeyError::RepoUnavailable { key: name(), why };
    assert_eq!(effects, [refusal(2, error)]);
}

#[test]
fn a_staged_save_asks_the_store_only_for_a_half_that_will_be_owed_and_is_not_held() {
    let ask = |staged: Vec<Staged>| Request::StageSave { staged };
    let mut key = Key::stated().forwarded("e1", "d1");
    assert_eq!(key.ask(2, ask(vec![])), [staged(2, None)]);
    let back = vec![Staged::LastFlow(BACK)];
    assert_eq!(key.ask(3, ask(back)), [staged(3, None)]);
    let clean = vec![Staged::Clean];
    assert_eq!(key.ask(4, ask(clean)), [staged(4, None)]);
    let lost = vec![Staged::Clean, Staged::LastFlow(FORWARD)];
    assert_eq!(key.ask(5, ask(lost)), [fetch(2)]);
    assert_eq!(key.fetched(2, pair("e2", "d2")), [staged(5, Some("d2"))]);
    let given = vec![
        Staged::Clean,
        Staged::LastFlow(FORWARD),
        Staged::PreviousKeys(both("e3", "d3")),
    ];
    assert_eq!(key.ask(6, ask(given)), [staged(6, None)]);
    assert_eq!(key.state(), (Some(FORWARD), true, false));
}

#[test]
fn that_a_key_is_superseded_is_never_saved() {
    let mut key = Key::stated().forwarded("e1", "d1");
    key.supersede();
    assert_eq!(key.state(), (Some(FORWARD), true, true));
    assert_eq!(key.save(2), [put(2, record(FORWARD, Some("d1")))]);
    let mut next_life = Key::stated();
    assert_eq!(next_life.get(1, BACK), [load(1)]);
    next_life.loaded(1, found(FORWARD, Some("d1")));
    assert_eq!(next_life.state(), (Some(BACK), true, false));
}

#[test]
fn gets_and_changes_that_have_no_effect_write_no_record() {
    let mut key = Key::stated().forwarded("e1", "d1");
    assert_eq!(key.get(2, BACK), [answer(2, BACK, "d1")]);
    key.supersede();
    assert_eq!(key.get(3, BACK), [answer(3, BACK, "d1")]);
    assert_eq!(key.get(4, BACK), [fetch(2)]);
    let answered = key.fetched(2, pair("e2", "d2"));
    assert_eq!(answered, [answer(4, BACK, "d2")]);
    let nothing = change(Vec::new(), Effect::Nothing, Some(both("e3", "d3")));
    let records = |effects: Vec<KeyEffect>| {
        effects.into_iter().any(|effect| match effect {
            KeyEffect::Write { .. } => true,
            KeyEffect::Proposed { record, .. } => record.is_some(),
            _ => false,
        })
    };
    assert!(!records(key.propose(5, nothing)));
    assert!(!records(key.adopt(5)));
}
