//! What goes over the socket comes out as it went in, and whatever comes in is refused by name or taken.

mod bytes;
mod errors;
mod round_trips;
mod samples;

use std::sync::Arc;

use crate::key::flow::SecretKeyUseCase;
use crate::key::state::Staged;
use crate::secret::value::{MAX_VALUE_BYTES, SecretKeyPair, SecretKeyValue, SecretKeys};
use crate::wire::ends::{end, staged};
use crate::wire::generated::{self, Value, ValueOrPair, ended};
use crate::worker::call::Call;

#[test]
fn a_message_shows_no_value_and_says_of_a_missing_field_which_it_is() {
    let value = Value {
        data: b"canary".to_vec(),
    };
    let keys = ValueOrPair {
        value: Some(value),
        back: None,
    };
    assert!(!format!("{keys:?}").contains("canary"));
    assert!(!format!("{keys:?}").contains("99, 97"), "not as numbers");
    let none = SecretKeys::try_from(ValueOrPair::default()).unwrap_err();
    assert_eq!(
        format!("{none:?}"),
        "invalid_message: a message is refused: its field `value` is missing"
    );
}

#[test]
fn a_pair_of_equal_halves_travels_as_one_value_and_a_declared_pair_stays_a_pair() {
    let pair = SecretKeyPair::of("same");
    assert!(ValueOrPair::from(&pair).back.is_none());
    let declared = SecretKeys::from(("same", "same"));
    let back = SecretKeys::try_from(ValueOrPair::from(&declared)).unwrap();
    assert!(back.is_pair() && back == declared);
}

#[test]
fn what_a_client_says_that_a_handle_staged_is_checked_as_the_handle_checks_it() {
    let too_long = SecretKeyValue::new(vec![7; MAX_VALUE_BYTES + 1]);
    let one_way = SecretKeyUseCase::OneWayTrip;
    let two_ways = SecretKeyUseCase::RoundTrip;
    let pair = SecretKeyPair::new("a", "b");
    for (bad, use_case, field) in [
        (Staged::PreviousKeys(pair), one_way, "staged.previous_keys"),
        (
            Staged::PreviousKeys(SecretKeyPair::of("")),
            two_ways,
            "staged.previous_keys",
        ),
        (
            Staged::PreviousKeys(SecretKeyPair::of(too_long.clone())),
            two_ways,
            "staged.previous_keys",
        ),
        (
            Staged::LastFlow(crate::key::flow::SecretKeyFlow::Default),
            two_ways,
            "staged.last_flow",
        ),
        (
            Staged::Save {
                asked: Some(too_long),
            },
            two_ways,
            "staged.save.asked",
        ),
    ] {
        let refused = staged(vec![(&bad).into()], use_case).unwrap_err();
        assert_eq!(refused.field, field);
    }
    let empty = generated::Staged { change: None };
    assert_eq!(
        staged(vec![empty], two_ways).unwrap_err().field,
        "staged.change"
    );
}

#[test]
fn an_enumeration_with_a_number_of_a_newer_version_is_refused_by_name() {
    let outcome = ended::Outcome::Succeeded(generated::Succeeded {
        effect: 77,
        staged: Vec::new(),
    });
    let refused = end(Some(outcome), SecretKeyUseCase::RoundTrip).unwrap_err();
    assert_eq!(refused.field, "succeeded.effect");
    assert!(refused.why.contains("77"), "{refused}");
    let mut call = generated::Call::from(&samples::call());
    call.behaviour.as_mut().unwrap().use_case = 0;
    let refused = Call::try_from(call).err().unwrap();
    assert_eq!(refused.field, "use_case");
}

#[test]
fn a_limit_of_less_than_a_millisecond_does_not_become_none() {
    let mut call = samples::call();
    let mut behaviour = (*call.behaviour).clone();
    behaviour.callback_time_limit = std::time::Duration::from_nanos(1);
    behaviour.request_time_limit = std::time::Duration::MAX;
    call.behaviour = Arc::new(behaviour);
    let behaviour = generated::Call::from(&call).behaviour.unwrap();
    assert_eq!(behaviour.callback_time_limit_ms, 1);
    assert_eq!(behaviour.request_time_limit_ms, u64::MAX);
}
