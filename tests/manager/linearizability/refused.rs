//! Histories made by hand: what the checker must refuse, beside what it must not.

use keyward::key::event::Request;
use keyward::key::flow::SecretKeyFlow;
use keyward::key::state::Effect;
use keyward::{RotationId, RotationState, Uuid};

use crate::linearizability::checker::{Timed, check};
use crate::linearizability::history::{Asked, Call, Changed, Fetch, History, Span};
use crate::linearizability::operation::{Halves, Operation, Told};
use crate::linearizability::operations::operations;
use crate::linearizability::spec::{Fault, Key};
use crate::linearizability::workload::{Behaviour, Workload};

const FORWARD: SecretKeyFlow = SecretKeyFlow::ForwardPath;
const BACK: SecretKeyFlow = SecretKeyFlow::BackPath;

/// A round-trip key with its defaults but for these.
fn behaviour(stateless: bool, keep_in_cache: bool) -> Behaviour {
    let like = Workload::new(1).behaviour;
    Behaviour {
        use_case: keyward::SecretKeyUseCase::RoundTrip,
        stateless,
        keep_in_cache,
        workers_at_once: 1,
        error_strategy: keyward::OnKeyChangedCallbackErrorStrategy::Halt,
        ..like
    }
}

fn explained(behaviour: &Behaviour, history: &History) -> bool {
    let operations = operations(history, behaviour);
    let key = Key::new(behaviour.clone(), Fault::None);
    check(&key, &operations).is_explained()
}

/// Whether a key that keeps its pair in memory explains it.
fn stateless(history: &History) -> bool {
    explained(&behaviour(true, true), history)
}

fn key(number: u64) -> Halves {
    (format!("e{number}"), format!("d{number}"))
}

impl History {
    fn asked(mut self, (began, ended): (u64, u64), request: Request, told: Told) -> Self {
        let told = Some((ended, told));
        self.asked.push(Asked {
            began,
            told,
            request,
        });
        self
    }

    fn got(self, span: (u64, u64), flow: SecretKeyFlow, value: &str) -> Self {
        let told = Told::Key(value.to_owned(), flow);
        self.asked(span, Request::Get { flow: Some(flow) }, told)
    }

    fn gone(mut self, began: u64, flow: SecretKeyFlow) -> Self {
        self.asked.push(Asked {
            began,
            told: None,
            request: Request::Get { flow: Some(flow) },
        });
        self
    }

    fn saved(self, span: (u64, u64)) -> Self {
        self.asked(span, Request::Save, Told::Saved)
    }

    fn fetched(mut self, (began, ended): (u64, u64), number: u64) -> Self {
        let span = Span { began, ended };
        let answer = Some(key(number));
        self.fetches.push(Fetch { span, answer });
        self
    }

    fn restarted(mut self, (began, ended): (u64, u64)) -> Self {
        self.restarts.push(Span { began, ended });
        self
    }

    /// A change to the key of this number.
    fn changed(mut self, (began, ended): (u64, u64), number: u64) -> Self {
        self.changes.push(Changed {
            span: Span { began, ended },
            accepted: None,
            rotation: RotationId::new(Uuid::from_u128(number.into())),
            sequence: number,
            state: RotationState::Completed,
            names_old: true,
            resumed: false,
        });
        self
    }

    /// A callback of that change.
    fn called(mut self, (began, ended): (u64, u64), number: u64, effect: Effect) -> Self {
        self.calls.push(Call {
            span: Span { began, ended },
            rotation: RotationId::new(Uuid::from_u128(number.into())),
            worker: "main".to_owned(),
            old: None,
            new: Some(key(number)),
            flow: Some(FORWARD),
            previous: Some(key(1)),
            staged: Vec::new(),
            save: None,
            answer: Ok(effect),
        });
        self
    }
}

/// The forward path had `e1`, and `d1` is held.
fn forwarded() -> History {
    let history = History::default().got((0, 3), FORWARD, "e1");
    history.fetched((1, 2), 1)
}

#[test]
fn an_old_key_that_two_got_at_once_is_refused() {
    let changed = || forwarded().changed((10, 20), 2).fetched((32, 33), 2);
    let once = changed()
        .got((30, 40), BACK, "d1")
        .got((31, 41), BACK, "d2");
    assert!(stateless(&once));
    let twice = changed()
        .got((30, 40), BACK, "d1")
        .got((31, 41), BACK, "d1");
    assert!(!stateless(&twice));
    // While the change runs it may come between the two.
    let during = changed()
        .got((11, 12), BACK, "d1")
        .got((13, 14), BACK, "d1");
    assert!(stateless(&during));
}

#[test]
fn an_old_key_that_somebody_got_after_another_one_had_it_is_refused() {
    let changed = forwarded().changed((10, 20), 2);
    let had = changed.got((30, 31), BACK, "d1");
    assert!(stateless(&had));
    let new = had.clone().fetched((33, 34), 2).got((32, 35), BACK, "d2");
    assert!(stateless(&new));
    assert!(!stateless(&new.got((36, 37), BACK, "d1")));
    assert!(!stateless(&had.got((32, 35), BACK, "d1")));
}

#[test]
fn a_value_older_than_its_request_is_refused() {
    let get = || History::default().got((10, 20), FORWARD, "e1");
    assert!(stateless(&get().fetched((11, 12), 1)));
    assert!(!stateless(&get().fetched((5, 6), 1)), "it had ended before");
    assert!(!stateless(&get().fetched((5, 15), 1)), "it began before");
    assert!(!stateless(&get().fetched((15, 25), 1)), "it ended after");
    assert!(!stateless(&get()), "there was none");
}

#[test]
fn two_may_share_a_fetch_that_began_after_both_had_asked() {
    let shared = |began| {
        let first = History::default().got((0, 10), FORWARD, "e1");
        stateless(&first.got((3, 11), FORWARD, "e1").fetched((began, 9), 1))
    };
    assert!(shared(4));
    assert!(!shared(2), "the second asked when it was under way");
}

#[test]
fn a_back_get_that_misses_a_forward_get_before_it_is_refused() {
    let twice = |span| forwarded().got(span, FORWARD, "e2").fetched((12, 13), 2);
    assert!(!stateless(&twice((10, 14)).got((15, 16), BACK, "d1")));
    assert!(stateless(&twice((10, 14)).got((15, 16), BACK, "d2")));
    assert!(stateless(&twice((10, 20)).got((15, 16), BACK, "d1")));
}

#[test]
fn a_request_that_nobody_waited_for_may_have_taken_effect_until_its_life_ended() {
    let gone = || forwarded().gone(4, FORWARD).fetched((12, 13), 2);
    for value in ["d1", "d2"] {
        assert!(stateless(&gone().got((20, 21), BACK, value)), "{value}");
    }
    let both = gone().got((20, 21), BACK, "d2").got((22, 23), BACK, "d1");
    assert!(!stateless(&both));
    let ended = gone().restarted((14, 15)).got((20, 21), BACK, "d2");
    assert!(!stateless(&ended));
}

#[test]
fn a_save_that_was_lost_is_refused() {
    let stated = behaviour(false, true);
    let lived = |history: History| history.restarted((20, 21)).fetched((31, 32), 9);
    let saved = || lived(forwarded().saved((10, 11)));
    assert!(explained(&stated, &saved().got((30, 33), BACK, "d1")));
    assert!(!explained(&stated, &saved().got((30, 33), BACK, "d9")));
    let unsaved = lived(forwarded()).got((30, 33), BACK, "d9");
    assert!(explained(&stated, &unsaved));
}

#[test]
fn a_save_that_undoes_what_a_get_did_is_refused() {
    // The get was answered from the record that was there before the save, and the save kept the
    // flow that was there before the get.
    let uncached = behaviour(false, false);
    let saves = |told: &str| {
        let first = forwarded().saved((4, 7)).fetched((5, 6), 2);
        let again = first.saved((10, 20)).fetched((11, 12), 3);
        again.got((13, 19), BACK, told).got((30, 31), BACK, "d3")
    };
    assert!(explained(&uncached, &saves("d3")));
    assert!(!explained(&uncached, &saves("d2")));
}

#[test]
fn an_effect_is_seen_after_its_callback_and_before_key_changed_answers() {
    let changed = || {
        let changed = forwarded().changed((10, 40), 2);
        changed.called((15, 20), 2, Effect::Reencrypted)
    };
    assert!(
        !stateless(&changed().got((16, 17), BACK, "d2")),
        "too early"
    );
    for value in ["d1", "d2"] {
        assert!(stateless(&changed().got((30, 31), BACK, value)), "{value}");
    }
    assert!(!stateless(&changed().got((50, 51), BACK, "d1")), "too late");
    let again = changed()
        .got((50, 51), BACK, "d2")
        .got((52, 53), BACK, "d2");
    assert!(stateless(&again), "what is re-encrypted is not superseded");
}

#[test]
fn an_effect_is_seen_before_the_next_callback_begins() {
    let changed = forwarded()
        .changed((10, 40), 2)
        .called((15, 20), 2, Effect::Decrypted)
        .called((25, 30), 2, Effect::Nothing)
        .fetched((27, 28), 3);
    assert!(stateless(&changed.clone().got((26, 29), BACK, "d3")));
    assert!(!stateless(&changed.got((26, 29), BACK, "d1")));
}

#[test]
fn the_end_of_a_rotation_comes_after_its_effects() {
    // Nothing is held any more when it supersedes; what is fetched then is not taken for an old key.
    let changed = forwarded().changed((10, 40), 2);
    let decrypted = changed.called((15, 20), 2, Effect::Decrypted);
    let fetched = decrypted.got((50, 53), BACK, "d3").fetched((51, 52), 3);
    assert!(stateless(&fetched.clone().got((54, 55), BACK, "d3")));
    let dropped = fetched.got((54, 57), BACK, "d4").fetched((55, 56), 4);
    assert!(!stateless(&dropped));
}

#[test]
fn what_callbacks_are_told_is_what_the_key_had() {
    let changed = |previous| {
        let mut history = forwarded().changed((10, 40), 2);
        history = history.called((15, 20), 2, Effect::Nothing);
        history.changes[0].names_old = false;
        history.calls[0].old = Some(key(1));
        history.calls[0].previous = previous;
        history
    };
    assert!(stateless(&changed(Some(key(1)))));
    assert!(!stateless(&changed(Some(key(3)))));
    assert!(!stateless(&changed(None)));
    let mut other = changed(Some(key(1)));
    other.calls[0].old = None;
    assert!(!stateless(&other));
}

#[test]
fn operations_that_come_after_others_do_so_though_their_times_overlap() {
    let held = |number| Operation::Held(Some(key(number)));
    let set = |number| Operation::Ask {
        request: Request::Get {
            flow: Some(FORWARD),
        },
        fetched: vec![Some(key(number))],
        told: None,
    };
    let order = |after: Vec<usize>| {
        let timed = |operation, after| Timed {
            began: 0,
            ended: 10,
            optional: false,
            after,
            operation,
        };
        let operations = [
            timed(set(1), after),
            timed(set(2), Vec::new()),
            timed(held(2), vec![0, 1]),
        ];
        check(&Key::new(behaviour(true, true), Fault::None), &operations).is_explained()
    };
    assert!(order(Vec::new()));
    assert!(!order(vec![1]));
}
