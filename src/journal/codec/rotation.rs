//! A rotation's header and its steps. Key name and id are told by the place.

use serde::{Deserialize, Serialize};

use crate::journal::codec::{Malformed, Plain, TooLarge, decode, encode};
use crate::key::definition::OnKeyChangedCallbackErrorStrategy as Strategy;
use crate::key::flow::SecretKeyUseCase;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::Effect;
use crate::rotation::id::RotationId;
use crate::rotation::plan::{Declared, Fingerprint, Header, Step, StepKind};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;
use crate::secret::visible::Visible;

#[derive(Serialize, Deserialize)]
enum UseCaseV1 {
    OneWayTrip,
    RoundTrip,
}

#[derive(Serialize, Deserialize)]
enum StrategyV1 {
    RaiseImmediately,
    SkipAndRaise,
    Skip,
    Halt,
}

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Waiting,
    Running,
    Completed,
    CompletedWithFailures,
    Stopped,
    Aborted,
    Obsolete,
}

#[derive(Serialize, Deserialize)]
enum StatusV1 {
    Pending,
    InProgress,
    Failed,
    Succeeded,
}

#[derive(Serialize, Deserialize)]
enum EffectV1 {
    Nothing,
    Decrypted,
    Reencrypted,
}

#[derive(Serialize, Deserialize)]
struct HeaderV1 {
    seq: u64,
    place: u64,
    use_case: UseCaseV1,
    strategy: StrategyV1,
    state: StateV1,
    declared_old: Option<[Fingerprint; 2]>,
    declared_new: Option<[Fingerprint; 2]>,
    old_keys: Option<u128>,
    new_keys: Option<u128>,
    begun: bool,
    resumes: u32,
    overtaken: bool,
    accepted_ms: u64,
    ended_ms: Option<u64>,
    steps: u32,
}

#[derive(Serialize, Deserialize)]
struct StepV1<'a> {
    worker: &'a str,
    callback: &'a str,
    status: StatusV1,
    attempt: u32,
    crashes: u32,
    started_ms: Option<u64>,
    ended_ms: Option<u64>,
    #[serde(borrow)]
    error: Option<&'a str>,
    effect: EffectV1,
    removed: bool,
}

/// A header and how many steps the plan has: a record that is missing is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::journal) struct HeaderRecord {
    pub(in crate::journal) header: Header,
    pub(in crate::journal) steps: u32,
}

pub(in crate::journal) fn encode_header(header: &Header, steps: u32) -> Result<Plain, TooLarge> {
    encode(&HeaderV1 {
        seq: header.seq,
        place: header.place,
        use_case: match header.use_case {
            SecretKeyUseCase::OneWayTrip => UseCaseV1::OneWayTrip,
            SecretKeyUseCase::RoundTrip => UseCaseV1::RoundTrip,
        },
        strategy: match header.strategy {
            Strategy::RaiseImmediately => StrategyV1::RaiseImmediately,
            Strategy::SkipAndRaise => StrategyV1::SkipAndRaise,
            Strategy::Skip => StrategyV1::Skip,
            Strategy::Halt => StrategyV1::Halt,
        },
        state: freeze_state(header.state),
        declared_old: header.declared.old,
        declared_new: header.declared.new,
        old_keys: header.old_keys,
        new_keys: header.new_keys,
        begun: header.begun,
        resumes: header.resumes,
        overtaken: header.overtaken,
        accepted_ms: header.accepted_ms,
        ended_ms: header.ended_ms,
        steps,
    })
}

pub(in crate::journal) fn decode_header(
    id: RotationId,
    key: &KeyName,
    plain: &[u8],
) -> Result<HeaderRecord, Malformed> {
    let frozen: HeaderV1 = decode(plain)?;
    let header = Header {
        id,
        key: key.clone(),
        seq: frozen.seq,
        place: frozen.place,
        use_case: match frozen.use_case {
            UseCaseV1::OneWayTrip => SecretKeyUseCase::OneWayTrip,
            UseCaseV1::RoundTrip => SecretKeyUseCase::RoundTrip,
        },
        strategy: match frozen.strategy {
            StrategyV1::RaiseImmediately => Strategy::RaiseImmediately,
            StrategyV1::SkipAndRaise => Strategy::SkipAndRaise,
            StrategyV1::Skip => Strategy::Skip,
            StrategyV1::Halt => Strategy::Halt,
        },
        state: thaw_state(frozen.state),
        declared: Declared {
            old: frozen.declared_old,
            new: frozen.declared_new,
        },
        old_keys: frozen.old_keys,
        new_keys: frozen.new_keys,
        begun: frozen.begun,
        resumes: frozen.resumes,
        overtaken: frozen.overtaken,
        accepted_ms: frozen.accepted_ms,
        ended_ms: frozen.ended_ms,
    };
    let steps = frozen.steps;
    Ok(HeaderRecord { header, steps })
}

pub(in crate::journal) fn encode_step(step: &Step) -> Result<Plain, TooLarge> {
    // This form has callbacks only: a step of another kind needs a form of its own.
    match step.kind {
        StepKind::Callback => {}
    }
    encode(&StepV1 {
        worker: step.worker.as_str(),
        callback: step.callback.as_str(),
        status: match step.status {
            CallbackStatus::Pending => StatusV1::Pending,
            CallbackStatus::InProgress => StatusV1::InProgress,
            CallbackStatus::Failed => StatusV1::Failed,
            CallbackStatus::Succeeded => StatusV1::Succeeded,
        },
        attempt: step.attempt,
        crashes: step.crashes,
        started_ms: step.started_ms,
        ended_ms: step.ended_ms,
        error: step.error.as_deref(),
        effect: match step.effect {
            Effect::Nothing => EffectV1::Nothing,
            Effect::Decrypted => EffectV1::Decrypted,
            Effect::Reencrypted => EffectV1::Reencrypted,
        },
        removed: step.removed,
    })
}

pub(in crate::journal) fn decode_step(no: u32, plain: &[u8]) -> Result<Step, Malformed> {
    let frozen: StepV1<'_> = decode(plain)?;
    Ok(Step {
        no,
        kind: StepKind::Callback,
        worker: WorkerName::new(frozen.worker).map_err(|_| Malformed::Name)?,
        callback: CallbackName::new(frozen.callback).map_err(|_| Malformed::Name)?,
        status: match frozen.status {
            StatusV1::Pending => CallbackStatus::Pending,
            StatusV1::InProgress => CallbackStatus::InProgress,
            StatusV1::Failed => CallbackStatus::Failed,
            StatusV1::Succeeded => CallbackStatus::Succeeded,
        },
        attempt: frozen.attempt,
        crashes: frozen.crashes,
        started_ms: frozen.started_ms,
        ended_ms: frozen.ended_ms,
        // Earlier versions wrote it as foreign code had said it.
        error: frozen.error.map(|text| Visible(text).to_string()),
        effect: match frozen.effect {
            EffectV1::Nothing => Effect::Nothing,
            EffectV1::Decrypted => Effect::Decrypted,
            EffectV1::Reencrypted => Effect::Reencrypted,
        },
        removed: frozen.removed,
    })
}

fn freeze_state(state: RotationState) -> StateV1 {
    match state {
        RotationState::Waiting => StateV1::Waiting,
        RotationState::Running => StateV1::Running,
        RotationState::Completed => StateV1::Completed,
        RotationState::CompletedWithFailures => StateV1::CompletedWithFailures,
        RotationState::Stopped => StateV1::Stopped,
        RotationState::Aborted => StateV1::Aborted,
        RotationState::Obsolete => StateV1::Obsolete,
    }
}

fn thaw_state(state: StateV1) -> RotationState {
    match state {
        StateV1::Waiting => RotationState::Waiting,
        StateV1::Running => RotationState::Running,
        StateV1::Completed => RotationState::Completed,
        StateV1::CompletedWithFailures => RotationState::CompletedWithFailures,
        StateV1::Stopped => RotationState::Stopped,
        StateV1::Aborted => RotationState::Aborted,
        StateV1::Obsolete => RotationState::Obsolete,
    }
}
