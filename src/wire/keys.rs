//! What a key is, how it behaves, and what a get answers.

use std::time::Duration;

use crate::key::answer::KeyAnswer;
use crate::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::wire::generated::{Behaviour, Flow, GetAnswer, Strategy, UseCase};
use crate::wire::invalid::{InvalidMessage, enumerated, needed, unspecified};

impl From<Option<SecretKeyFlow>> for Flow {
    fn from(flow: Option<SecretKeyFlow>) -> Self {
        match flow {
            None => Self::Unspecified,
            Some(SecretKeyFlow::Default) => Self::Default,
            Some(SecretKeyFlow::ForwardPath) => Self::ForwardPath,
            Some(SecretKeyFlow::BackPath) => Self::BackPath,
        }
    }
}

/// A flow, if one is given.
pub fn flow(field: &'static str, number: i32) -> Result<Option<SecretKeyFlow>, InvalidMessage> {
    Ok(match enumerated(field, number)? {
        Flow::Unspecified => None,
        Flow::Default => Some(SecretKeyFlow::Default),
        Flow::ForwardPath => Some(SecretKeyFlow::ForwardPath),
        Flow::BackPath => Some(SecretKeyFlow::BackPath),
    })
}

/// A flow that has to be given.
pub fn needed_flow(field: &'static str, number: i32) -> Result<SecretKeyFlow, InvalidMessage> {
    flow(field, number)?.ok_or_else(|| unspecified(field))
}

impl From<SecretKeyUseCase> for UseCase {
    fn from(use_case: SecretKeyUseCase) -> Self {
        match use_case {
            SecretKeyUseCase::OneWayTrip => Self::OneWayTrip,
            SecretKeyUseCase::RoundTrip => Self::RoundTrip,
        }
    }
}

fn use_case(number: i32) -> Result<SecretKeyUseCase, InvalidMessage> {
    let field = "use_case";
    match enumerated(field, number)? {
        UseCase::Unspecified => Err(unspecified(field)),
        UseCase::OneWayTrip => Ok(SecretKeyUseCase::OneWayTrip),
        UseCase::RoundTrip => Ok(SecretKeyUseCase::RoundTrip),
    }
}

impl From<OnKeyChangedCallbackErrorStrategy> for Strategy {
    fn from(strategy: OnKeyChangedCallbackErrorStrategy) -> Self {
        match strategy {
            OnKeyChangedCallbackErrorStrategy::RaiseImmediately => Self::RaiseImmediately,
            OnKeyChangedCallbackErrorStrategy::SkipAndRaise => Self::SkipAndRaise,
            OnKeyChangedCallbackErrorStrategy::Skip => Self::Skip,
            OnKeyChangedCallbackErrorStrategy::Halt => Self::Halt,
        }
    }
}

/// A strategy, which has to be given.
pub fn strategy(
    field: &'static str,
    number: i32,
) -> Result<OnKeyChangedCallbackErrorStrategy, InvalidMessage> {
    match enumerated(field, number)? {
        Strategy::Unspecified => Err(unspecified(field)),
        Strategy::RaiseImmediately => Ok(OnKeyChangedCallbackErrorStrategy::RaiseImmediately),
        Strategy::SkipAndRaise => Ok(OnKeyChangedCallbackErrorStrategy::SkipAndRaise),
        Strategy::Skip => Ok(OnKeyChangedCallbackErrorStrategy::Skip),
        Strategy::Halt => Ok(OnKeyChangedCallbackErrorStrategy::Halt),
    }
}

/// A limit in milliseconds: none that is more than zero becomes zero.
fn milliseconds(limit: Duration) -> u64 {
    let whole = limit.as_nanos().div_ceil(1_000_000);
    u64::try_from(whole).unwrap_or(u64::MAX)
}

/// A number as the message has it.
pub fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A number of the message, here.
pub fn narrow(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl From<&KeyBehaviour> for Behaviour {
    fn from(behaviour: &KeyBehaviour) -> Self {
        Self {
            use_case: UseCase::from(behaviour.use_case).into(),
            stateless: behaviour.stateless,
            keep_in_cache: behaviour.keep_in_cache,
            error_strategy: Strategy::from(behaviour.error_strategy).into(),
            store_time_limit_ms: milliseconds(behaviour.store_time_limit),
            request_time_limit_ms: milliseconds(behaviour.request_time_limit),
            callback_time_limit_ms: milliseconds(behaviour.callback_time_limit),
            workers_at_once: wide(behaviour.workers_at_once),
            max_requests: wide(behaviour.max_requests),
            max_waiting_rotations: wide(behaviour.max_waiting_rotations),
        }
    }
}

impl TryFrom<Behaviour> for KeyBehaviour {
    type Error = InvalidMessage;

    fn try_from(behaviour: Behaviour) -> Result<Self, InvalidMessage> {
        Ok(Self {
            use_case: use_case(behaviour.use_case)?,
            stateless: behaviour.stateless,
            keep_in_cache: behaviour.keep_in_cache,
            error_strategy: strategy("error_strategy", behaviour.error_strategy)?,
            store_time_limit: Duration::from_millis(behaviour.store_time_limit_ms),
            request_time_limit: Duration::from_millis(behaviour.request_time_limit_ms),
            callback_time_limit: Duration::from_millis(behaviour.callback_time_limit_ms),
            workers_at_once: narrow(behaviour.workers_at_once),
            max_requests: narrow(behaviour.max_requests),
            max_waiting_rotations: narrow(behaviour.max_waiting_rotations),
            // A callback of another process has the keys of its rotation, and no need of the rules.
            versions: None,
        })
    }
}

impl From<&KeyAnswer> for GetAnswer {
    fn from(answer: &KeyAnswer) -> Self {
        Self {
            value: Some((&answer.value).into()),
            flow: Flow::from(Some(answer.flow)).into(),
            version: answer.version.map(Into::into),
        }
    }
}

impl TryFrom<GetAnswer> for KeyAnswer {
    type Error = InvalidMessage;

    fn try_from(answer: GetAnswer) -> Result<Self, InvalidMessage> {
        let flow = needed_flow("flow", answer.flow)?;
        let value = needed("value", answer.value)?.into();
        let version = answer.version.map(TryInto::try_into).transpose()?;
        Ok(Self {
            value,
            flow,
            version,
        })
    }
}
