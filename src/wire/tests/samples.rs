//! Things to send: one of each that is made by hand, and strategies that make any.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use uuid::Uuid;

use crate::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::{Effect, Snapshot, Staged};
use crate::key::versions::debt::Debt;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::{OpenDebt, VersionListing};
use crate::key::versions::state::VersionState;
use crate::key::versions::version::{Arrow, Cause, Compromised};
use crate::operator::status::RosterCallback;
use crate::rotation::act::{About, Act, By, Deed};
use crate::rotation::id::RotationId;
use crate::rotation::instance::CallbackOf;
use crate::rotation::outcome::StepRef;
use crate::rotation::plan::{BetweenVersions, Step, VersionPhase};
use crate::rotation::report::{RotationReport, WaitsFor};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;
use crate::secret::value::{SecretKeyPair, SecretKeyValue, SecretKeys};
use crate::worker::call::Call;

pub fn behaviour() -> KeyBehaviour {
    KeyBehaviour {
        use_case: SecretKeyUseCase::RoundTrip,
        stateless: true,
        keep_in_cache: false,
        error_strategy: OnKeyChangedCallbackErrorStrategy::Skip,
        store_time_limit: Duration::from_millis(1),
        request_time_limit: Duration::from_secs(15),
        callback_time_limit: Duration::from_secs(60),
        workers_at_once: 1,
        max_requests: 1_024,
        max_waiting_rotations: 64,
        versions: None,
    }
}

pub fn call() -> Call {
    let rotation = RotationId::new(Uuid::from_u128(7));
    Call {
        step: StepRef { rotation, step: 3 },
        attempt: 2,
        callback: CallbackName::new("c").unwrap(),
        key: KeyName::new("k").unwrap(),
        behaviour: Arc::new(behaviour()),
        old_keys: Some(SecretKeyPair::new("old", "back")),
        new_keys: None,
        snapshot: Snapshot::default(),
        versions: None,
    }
}

pub fn value() -> impl Strategy<Value = SecretKeyValue> {
    vec(any::<u8>(), 1..100).prop_map(SecretKeyValue::new)
}

pub fn pair() -> impl Strategy<Value = SecretKeyPair> {
    prop_oneof![
        value().prop_map(SecretKeyPair::of),
        (value(), value()).prop_map(|(forward, back)| SecretKeyPair::new(forward, back)),
    ]
}

pub fn keys() -> impl Strategy<Value = SecretKeys> {
    prop_oneof![
        value().prop_map(SecretKeys::Single),
        pair().prop_map(SecretKeys::Pair)
    ]
}

pub fn flow() -> impl Strategy<Value = SecretKeyFlow> {
    prop_oneof![
        Just(SecretKeyFlow::ForwardPath),
        Just(SecretKeyFlow::BackPath)
    ]
}

pub fn snapshot() -> impl Strategy<Value = Snapshot> {
    let known = (option::of(flow()), option::of(pair()));
    prop_oneof![
        known.prop_map(|(flow, previous)| Snapshot::Known { flow, previous }),
        "[a-z ]{1,20}".prop_map(|why| Snapshot::Unreadable { why }),
    ]
}

pub fn staged() -> impl Strategy<Value = Staged> {
    prop_oneof![
        flow().prop_map(Staged::LastFlow),
        pair().prop_map(Staged::PreviousKeys),
        Just(Staged::Clean),
        option::of(value()).prop_map(|asked| Staged::Save { asked }),
    ]
}

pub fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        Just(Effect::Nothing),
        Just(Effect::Decrypted),
        Just(Effect::Reencrypted)
    ]
}

pub fn id() -> impl Strategy<Value = RotationId> {
    any::<u128>().prop_map(|id| RotationId::new(Uuid::from_u128(id)))
}

fn text() -> impl Strategy<Value = String> {
    "[a-zäß€🔑 /._-]{1,60}"
}

pub fn key() -> impl Strategy<Value = KeyName> {
    text().prop_map(|name| KeyName::new(&name).unwrap())
}

pub fn worker() -> impl Strategy<Value = WorkerName> {
    text().prop_map(|name| WorkerName::new(&name).unwrap())
}

pub fn callback() -> impl Strategy<Value = CallbackName> {
    text().prop_map(|name| CallbackName::new(&name).unwrap())
}

fn strategy() -> impl Strategy<Value = OnKeyChangedCallbackErrorStrategy> {
    (0..4_usize).prop_map(|at| OnKeyChangedCallbackErrorStrategy::ALL[at])
}

fn rotation_state() -> impl Strategy<Value = RotationState> {
    prop_oneof![
        Just(RotationState::Waiting),
        Just(RotationState::Running),
        Just(RotationState::Completed),
        Just(RotationState::CompletedWithFailures),
        Just(RotationState::Stopped),
        Just(RotationState::Aborted),
        Just(RotationState::Obsolete),
    ]
}

fn status() -> impl Strategy<Value = CallbackStatus> {
    prop_oneof![
        Just(CallbackStatus::Pending),
        Just(CallbackStatus::InProgress),
        Just(CallbackStatus::Failed),
        Just(CallbackStatus::Succeeded),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let names = (any::<u32>(), worker(), callback());
    let times = (option::of(any::<u64>()), option::of(any::<u64>()));
    let how = (status(), any::<u32>(), any::<u32>(), effect());
    let rest = (option::of(text()), any::<bool>());
    (names, times, how, rest).prop_map(|(names, times, how, (error, removed))| {
        let (no, worker, callback) = names;
        let (status, attempt, crashes, effect) = how;
        Step {
            status,
            attempt,
            crashes,
            effect,
            started_ms: times.0,
            ended_ms: times.1,
            error,
            removed,
            ..Step::new(no, worker, callback)
        }
    })
}

pub fn roster_callback() -> impl Strategy<Value = RosterCallback> {
    let named = (
        key(),
        callback(),
        prop_oneof![Just(CallbackOf::Data), Just(CallbackOf::Memory)],
        any::<bool>(),
    );
    named.prop_map(|(key, callback, kind, registered)| RosterCallback {
        key,
        callback,
        kind,
        registered,
    })
}

fn waits_for() -> impl Strategy<Value = WaitsFor> {
    let named = || (worker(), callback());
    prop_oneof![
        Just(WaitsFor::Definition),
        id().prop_map(|id| WaitsFor::Rotation { id }),
        id().prop_map(|id| WaitsFor::Unreadable { id }),
        named().prop_map(|(worker, callback)| WaitsFor::Worker { worker, callback }),
        named().prop_map(|(worker, callback)| WaitsFor::EarlierCall { worker, callback }),
        named().prop_map(|(worker, callback)| WaitsFor::Thread { worker, callback }),
        named().prop_map(|(worker, callback)| WaitsFor::Callback { worker, callback }),
        Just(WaitsFor::Journal),
        any::<u64>().prop_map(|until_ms| WaitsFor::Drain { until_ms }),
        (named(), any::<u64>()).prop_map(|((worker, callback), instance)| WaitsFor::Instance {
            worker,
            callback,
            instance,
        }),
    ]
}

pub fn report() -> impl Strategy<Value = RotationReport> {
    let names = (id(), key(), any::<u64>());
    let how = (
        rotation_state(),
        strategy(),
        any::<u32>(),
        option::of(between_versions()),
    );
    let times = (any::<u64>(), option::of(any::<u64>()));
    let parts = (
        vec(step(), 0..40),
        vec(waits_for(), 0..9),
        vec(act(), 0..33),
    );
    (names, how, times, parts).prop_map(|(names, how, times, (steps, waits_for, acts))| {
        RotationReport {
            id: names.0,
            key: names.1,
            sequence: names.2,
            state: how.0,
            strategy: how.1,
            resumes: how.2,
            accepted_ms: times.0,
            ended_ms: times.1,
            steps,
            waits_for,
            acts,
            versions: how.3,
        }
    })
}

fn between_versions() -> impl Strategy<Value = BetweenVersions> {
    let version = || any::<u128>().prop_map(|id| VersionId::new(Uuid::from_u128(id)));
    let phase = prop_oneof![
        Just(VersionPhase::Accepted),
        Just(VersionPhase::Turned),
        Just(VersionPhase::AllWrite),
    ];
    let parts = (version(), option::of(version()), phase);
    parts.prop_map(|(new, old, phase)| BetweenVersions { new, old, phase })
}

fn about() -> impl Strategy<Value = About> {
    prop_oneof![
        (id(), key()).prop_map(|(id, key)| About::Rotation { id, key }),
        worker().prop_map(|worker| About::Worker { worker }),
        (worker(), key(), callback()).prop_map(|(worker, key, callback)| {
            About::Callback {
                worker,
                key,
                callback,
            }
        }),
        (worker(), any::<u64>())
            .prop_map(|(worker, instance)| About::Instance { worker, instance }),
    ]
}

pub fn act() -> impl Strategy<Value = Act> {
    let deed = prop_oneof![
        Just(Deed::Declared),
        Just(Deed::Resumed),
        Just(Deed::Aborted),
        Just(Deed::Dismissed),
        Just(Deed::Removed),
    ];
    let by = (
        any::<u32>(),
        any::<u32>(),
        option::of(worker()),
        "[ -~]{0,1024}",
    );
    (deed, by, option::of(about()), any::<u64>()).prop_map(|(deed, by, about, at_ms)| {
        let (user, process, worker, reason) = by;
        let by = By::process(user, process)
            .of_worker(worker)
            .because(&reason);
        by.unwrap().did(deed, about, at_ms)
    })
}

pub fn version_id() -> impl Strategy<Value = VersionId> {
    any::<[u8; 16]>().prop_map(VersionId::from_random)
}

fn version_state() -> impl Strategy<Value = VersionState> {
    prop_oneof![
        Just(VersionState::Pending),
        Just(VersionState::Active),
        Just(VersionState::Deactivated),
        Just(VersionState::Withdrawn),
        Just(VersionState::Destroyed),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Adopted),
        Just(Cause::StateRecord),
        Just(Cause::Made),
        any::<u128>().prop_map(|id| Cause::Rotation(Uuid::from_u128(id))),
        text().prop_map(|why| Cause::Person {
            by: "user 7".to_owned(),
            why,
        }),
        Just(Cause::NotNeeded),
    ]
}

pub fn version() -> impl Strategy<Value = VersionListing> {
    let arrow = (version_state(), any::<u64>(), cause());
    let arrow = arrow.prop_map(|(to, at_ms, cause)| Arrow::new(to, at_ms, cause));
    let debt = (worker(), any::<u64>()).prop_map(|(worker, since)| OpenDebt {
        worker,
        debt: Debt::since(since),
    });
    let mark = (any::<u64>(), text());
    let mark = mark.prop_map(|(at, why)| Compromised::new(at, "user 7".to_owned(), why));
    let fields = (
        (version_id(), any::<u64>(), version_state(), any::<bool>()),
        vec(arrow, 1..5),
        option::of(mark),
        vec(debt, 0..300),
    );
    fields.prop_map(
        |((id, number, state, is_current), arrows, compromised, debts)| VersionListing {
            id,
            number,
            state,
            is_current,
            arrows,
            compromised,
            debts,
        },
    )
}
