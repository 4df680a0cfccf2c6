//! What is sent comes out as it went in.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use prost::Message;
use uuid::Uuid;

use crate::key::answer::{AnsweredVersion, KeyAnswer};
use crate::key::declared::StoreAnswers;
use crate::key::facts::KeyFacts;
use crate::key::flow::SecretKeyUseCase;
use crate::key::name::WorkerName;
use crate::operator::actor::{ActorName, ActorState, ActorStatus};
use crate::operator::status::{
    HistoryListing, InstanceStatus, KeyStatus, RecoveredKeys, Status, UnreadableRecord,
    WorkerStatus,
};
use crate::repo::space::Space;
use crate::rotation::instance::Sharing;
use crate::rotation::outcome::{StepOutcome, StepRef};
use crate::rotation::report::UnreadableRotation;
use crate::secret::value::{SecretKeyValue, SecretKeys};
use crate::wire::ends::end;
use crate::wire::generated::{
    self, CallRef, DeclareRequest, Ended, ListingPart, RecoverKeysAnswer, ValueOrPair,
};
use crate::wire::listing::ListingParts;
use crate::wire::parts::{history_parts, report_parts, status_parts, version_parts};
use crate::wire::tests::samples;
use crate::worker::call::{Call, CallEnd};
use crate::worker::call_versions::CallVersions;
use crate::worker::change::{Change, New, Old};

/// Over the wire and back: in bytes.
fn sent<M: Message + Default>(message: M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn put_together(parts: impl IntoIterator<Item = ListingPart>) -> ListingParts {
    let mut listing = ListingParts::default();
    for part in parts {
        assert!(part.encoded_len() < 64 * 1024, "{}", part.encoded_len());
        listing.take(sent(part)).unwrap();
    }
    listing
}

proptest! {
    #[test]
    fn values_and_pairs(keys in samples::keys()) {
        let back = SecretKeys::try_from(sent(ValueOrPair::from(&keys))).unwrap();
        prop_assert_eq!(back.is_pair(), keys.is_pair());
        prop_assert!(back == keys);
    }

    #[test]
    fn calls(
        id in samples::id(), step in any::<u32>(), attempt in any::<u32>(),
        old in option::of(samples::pair()), new in option::of(samples::pair()),
        snapshot in samples::snapshot(), key in samples::key(), callback in samples::callback(),
        versions in option::of((samples::version_id(), samples::version_id())),
    ) {
        let call = Call {
            step: StepRef { rotation: id, step },
            attempt,
            key,
            callback,
            old_keys: old,
            new_keys: new,
            snapshot,
            versions: versions.map(|(old, new)| CallVersions { old, new }),
            ..samples::call()
        };
        let back = Call::try_from(sent(generated::Call::from(&call))).unwrap();
        prop_assert_eq!((back.step, back.attempt), (call.step, call.attempt));
        prop_assert_eq!((&back.key, &back.callback), (&call.key, &call.callback));
        prop_assert_eq!(&back.behaviour, &call.behaviour);
        prop_assert_eq!((back.old_keys, back.new_keys), (call.old_keys, call.new_keys));
        prop_assert_eq!(back.snapshot, call.snapshot);
        prop_assert_eq!(back.versions, call.versions);
    }

    #[test]
    fn answers(value in samples::value(), flow in samples::flow(), of in option::of((samples::version_id(), any::<u64>()))) {
        let version = of.map(|(id, number)| AnsweredVersion::new(id, number));
        let answer = KeyAnswer { value, flow, version };
        let back = KeyAnswer::try_from(sent(generated::GetAnswer::from(&answer))).unwrap();
        prop_assert_eq!(back, answer);
    }

    #[test]
    fn versions(versions in vec(samples::version(), 0..20)) {
        let back = put_together(version_parts(&versions));
        prop_assert_eq!(back.versions, versions);
    }

    #[test]
    fn ends_of_calls(
        effect in samples::effect(), staged in vec(samples::staged(), 0..5),
        failed in option::of("[a-z ]{1,40}"), runs in any::<bool>(),
    ) {
        let outcome = match failed {
            Some(error) => StepOutcome::Failed { error },
            None => StepOutcome::Done { effect, staged: !staged.is_empty() },
        };
        let has_failed = matches!(outcome, StepOutcome::Failed { .. });
        let staged = if has_failed { Vec::new() } else { staged };
        let call_end = CallEnd { outcome, staged };
        let call = CallRef::new(samples::call().step, 2);
        let ended = sent(Ended::new(call, &call_end, runs).unwrap());
        prop_assert_eq!(ended.call.unwrap().named().unwrap(), (samples::call().step, 2));
        let (back, still_runs) = end(ended.outcome, SecretKeyUseCase::RoundTrip).unwrap();
        prop_assert_eq!(back.outcome, call_end.outcome);
        prop_assert_eq!(back.staged, call_end.staged);
        prop_assert_eq!(still_runs, runs && has_failed);
    }

    #[test]
    fn changes(
        old in prop_oneof![
            Just(Old::Undeclared), samples::keys().prop_map(Old::Given), Just(Old::OfStore),
        ],
        new in prop_oneof![
            Just(New::Undeclared), samples::keys().prop_map(New::Given), any::<u16>().prop_map(|bytes| New::Generated(bytes.into())),
        ],
        again in any::<bool>(), id in option::of(any::<u128>()), key in "[a-z]{0,300}",
        reason in option::of("[ -~]{1,40}"),
    ) {
        let id = id.map(Uuid::from_u128);
        let change = Change { key, old, new, id, again, reason };
        let back = Change::try_from(sent(DeclareRequest::try_from(&change).unwrap())).unwrap();
        prop_assert_eq!((&back.key, back.id), (&change.key, change.id));
        let given = |change: &Change| match (&change.old, &change.new) {
            (Old::Given(old), New::Given(new)) => vec![old.clone(), new.clone()],
            (Old::Given(keys), _) | (_, New::Given(keys)) => vec![keys.clone()],
            _ => Vec::new(),
        };
        prop_assert_eq!(given(&back), given(&change));
        prop_assert_eq!(format!("{back:?}"), format!("{change:?}"));
    }

    #[test]
    fn reports(report in samples::report()) {
        let back = put_together(report_parts(&report)).into_report().unwrap();
        prop_assert_eq!(back.raises(), report.raises());
        prop_assert_eq!(back, report);
    }

    #[test]
    fn pages_of_the_history(
        rotations in vec(samples::report(), 0..5), next in option::of(any::<u64>()),
        id in samples::id(), key in samples::key(), acts in vec(samples::act(), 0..99),
    ) {
        let unreadable = vec![UnreadableRotation::new(id, key, false, "torn".to_owned())];
        let history = HistoryListing { rotations, unreadable, acts, next };
        let back = put_together(history_parts(&history)).into_history().unwrap();
        prop_assert_eq!(back.rotations, history.rotations);
        prop_assert_eq!((back.unreadable, back.next), (history.unreadable, history.next));
        prop_assert_eq!(back.acts, history.acts);
    }

    #[test]
    fn recovered_keys(old in option::of(samples::pair()), new in option::of(samples::pair())) {
        let keys = RecoveredKeys { old, new };
        let back = RecoveredKeys::try_from(sent(RecoverKeysAnswer::from(&keys))).unwrap();
        prop_assert_eq!(back, keys);
    }

    #[test]
    fn status_of_a_keeper(
        rotations in vec(samples::report(), 0..4), key in samples::key(), worker in samples::worker(),
        callbacks in vec(samples::roster_callback(), 0..600),
        counts in any::<(u32, u64, u64, bool, bool)>(), flow in option::of(samples::flow()),
    ) {
        let facts = KeyFacts {
            last_flow: flow,
            holds: counts.3,
            superseded: counts.4,
            waiting: usize::try_from(counts.0).unwrap(),
            store_calls: counts.1,
            state_reads: counts.2,
            store_answers: StoreAnswers::Neither,
        };
        let behaviour = samples::behaviour();
        let actor = |actor, state| ActorStatus {
            actor,
            state,
            restarts: counts.1,
            last_failure: counts.3.then(|| "it panicked".to_owned()),
        };
        let status = Status {
            keys: vec![KeyStatus { name: key.clone(), behaviour, facts }],
            workers: vec![
                WorkerStatus {
                    worker: worker.clone(),
                    alive: counts.3,
                    sharing: Sharing::Shared,
                    callbacks,
                    instances: vec![
                        InstanceStatus {
                            instance: counts.1,
                            process: counts.0,
                            user: 1_001,
                            connected: counts.3,
                            ready: counts.4,
                            may_be_called_twice: counts.3,
                            calls: 2,
                        };
                        3
                    ],
                },
                WorkerStatus {
                    worker: WorkerName::main(),
                    alive: true,
                    sharing: Sharing::Sole,
                    callbacks: Vec::new(),
                    instances: Vec::new(),
                },
            ],
            rotations,
            unreadable_rotations: Vec::new(),
            unreadable_records: Space::ALL
                .map(|space| UnreadableRecord { space, place: "p".to_owned(), why: "w".to_owned() })
                .to_vec(),
            paused: counts.4.then(|| "the disk is full".to_owned()),
            lost: counts.4.then_some("folder_lost"),
            damaged_history: None,
            actors: vec![
                actor(ActorName::Coordinator, ActorState::Running),
                actor(ActorName::Key(key), ActorState::Failed),
                actor(ActorName::Worker(worker), ActorState::Restarting),
            ],
        };
        let back = put_together(status_parts(&status)).into_status().unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{status:?}"));
    }
}

#[test]
fn a_value_of_one_mebibyte_in_each_half_of_all_three_pairs_fits_a_message_of_work() {
    let half = |byte: u8| SecretKeyValue::new(vec![byte; 1024 * 1024]);
    let pair = |byte| crate::secret::value::SecretKeyPair::new(half(byte), half(byte + 1));
    let call = Call {
        old_keys: Some(pair(1)),
        new_keys: Some(pair(3)),
        snapshot: crate::key::state::Snapshot::Known {
            flow: None,
            previous: Some(pair(5)),
        },
        ..samples::call()
    };
    let message = generated::Call::from(&call);
    assert!(message.encoded_len() < 8 * 1024 * 1024 - 1024);
    assert!(Call::try_from(sent(message)).unwrap().old_keys == call.old_keys);
}
