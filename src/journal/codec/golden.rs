//! The bytes of every kind of record, as the first version wrote them. If one of these tests
//! fails, databases in the field are no longer read: raise the kind's schema number instead, and
//! keep the old types.

use uuid::Uuid;

use crate::journal::codec::keys::DeclaredRecord;
use crate::journal::codec::meta::{BatchRecord, CheckRecord, SequenceRecord};
use crate::journal::codec::rotation::{ENDED_HEADER, ENDED_STEP, HeaderRecord};
use crate::journal::codec::{Malformed, Record};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::{Number, Of, Place};
use crate::journal::records::RECORDS;
use crate::key::definition::OnKeyChangedCallbackErrorStrategy;
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::{Effect, Snapshot, StateRecord};
use crate::rotation::event::StepRef;
use crate::rotation::id::RotationId;
use crate::rotation::instance::{CallbackOf, GivenCall, Instance, Process, Sharing};
use crate::rotation::plan::{Declared, Header, Step};
use crate::rotation::roster::{Member, MemberCallback};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

const ID: RotationId = RotationId::new(Uuid::from_u128(7));

fn key() -> KeyName {
    KeyName::new("k").unwrap()
}

/// A place of this kind.
pub(super) fn place(kind: Kind) -> Place {
    let of = match kind.shape {
        Shape::One => Of::Database,
        Shape::Key => Of::Key(key()),
        Shape::Worker => Of::Worker(member().worker),
        Shape::Callback => {
            let MemberCallback {
                worker,
                key,
                callback,
                ..
            } = callback();
            Of::Callback(worker, key, callback)
        }
        Shape::Instance => Of::Instance(instance().worker, instance().number),
        Shape::Rotation => Of::Rotation(ID, key(), Number::None),
        Shape::Step => Of::Rotation(ID, key(), Number::Step(6)),
        Shape::Keys => Of::Rotation(ID, key(), Number::Keys(8)),
    };
    Place { kind, of }
}

/// A place of each kind.
pub(super) fn every_place() -> Vec<Place> {
    RECORDS.iter().map(|(kind, _)| place(*kind)).collect()
}

/// Decodes a record of the first schema.
pub(super) fn decode_at<R: Record>(plain: &[u8]) -> Result<R, Malformed> {
    R::decode(&place(R::KIND), 1, plain)
}

fn check() -> CheckRecord {
    CheckRecord {
        fingerprint_key: SecretKeyValue::from([5; 32]),
    }
}

pub(super) fn member() -> Member {
    Member {
        worker: WorkerName::new("w").unwrap(),
        joined: 250,
        sharing: Sharing::Shared,
        elsewhere: true,
    }
}

pub(super) fn callback() -> MemberCallback {
    MemberCallback {
        worker: WorkerName::new("w").unwrap(),
        key: key(),
        callback: CallbackName::new("c").unwrap(),
        registered: 251,
        of: CallbackOf::Memory,
    }
}

fn instance() -> Instance {
    let worker = WorkerName::new("w").unwrap();
    let callback = CallbackName::new("c").unwrap();
    let call = GivenCall {
        attempt: 2,
        key: key(),
        of: CallbackOf::Memory,
        done: true,
    };
    let at = StepRef {
        rotation: ID,
        step: 6,
    };
    Instance {
        ready: true,
        registered: [(key(), callback)].into(),
        calls: [(at, call)].into(),
        ..Instance::new(
            worker,
            252,
            Process {
                id: 300,
                user: 1000,
                is_known_again: true,
                identity: vec![5, 4, 3],
            },
        )
    }
}

fn recorded(header: Header) -> HeaderRecord {
    HeaderRecord { header, steps: 4 }
}

const BATCH: BatchRecord = BatchRecord {
    life: 3,
    number: 300,
};

fn state() -> StateRecord {
    StateRecord {
        flow: SecretKeyFlow::ForwardPath,
        key: Some(SecretKeyValue::from("back")),
    }
}

pub(super) const DECLARED: DeclaredRecord = DeclaredRecord {
    sequence: 9,
    keys: Declared {
        old: Some([[1; 32], [2; 32]]),
        new: Some([[3; 32], [4; 32]]),
    },
};

fn header() -> Header {
    Header {
        id: ID,
        key: key(),
        seq: 9,
        place: 70_000,
        use_case: SecretKeyUseCase::RoundTrip,
        strategy: OnKeyChangedCallbackErrorStrategy::Halt,
        state: RotationState::Stopped,
        declared: Declared {
            old: None,
            new: Some([[1; 32], [2; 32]]),
        },
        old_keys: None,
        new_keys: Some(u128::MAX),
        begun: true,
        resumes: 2,
        overtaken: false,
        accepted_ms: 1_764_000_000_000,
        ended_ms: Some(1_764_000_000_001),
    }
}

pub(super) fn step() -> Step {
    Step {
        status: CallbackStatus::Failed,
        attempt: 2,
        crashes: 1,
        started_ms: Some(4),
        ended_ms: None,
        error: Some("no".to_owned()),
        effect: Effect::Decrypted,
        removed: true,
        ..Step::new(
            6,
            WorkerName::new("w").unwrap(),
            CallbackName::new("c").unwrap(),
        )
        .of(CallbackOf::Memory)
    }
}

fn snapshot() -> Snapshot {
    Snapshot::Known {
        flow: Some(SecretKeyFlow::BackPath),
        previous: Some(SecretKeyPair::new("f", "b")),
    }
}

/// A record of each kind, and one of each other shape that a kind has.
pub(super) fn all() -> Vec<(Kind, Vec<u8>)> {
    let empty = StateRecord {
        flow: SecretKeyFlow::BackPath,
        key: None,
    };
    let unreadable = Snapshot::Unreadable {
        why: "cut".to_owned(),
    };
    let pair = SecretKeyPair::new("fo", "ba");
    let header = recorded(header());
    let records = [
        (CheckRecord::KIND, check().encode()),
        (BatchRecord::KIND, BATCH.encode()),
        (
            SequenceRecord::KIND,
            SequenceRecord { next: u64::MAX }.encode(),
        ),
        (StateRecord::KIND, state().encode()),
        (StateRecord::KIND, empty.encode()),
        (DeclaredRecord::KIND, DECLARED.encode()),
        (Member::KIND, member().encode()),
        (MemberCallback::KIND, callback().encode()),
        (Instance::KIND, instance().encode()),
        (HeaderRecord::KIND, header.encode()),
        (Step::KIND, step().encode()),
        (SecretKeyPair::KIND, pair.encode()),
        (Snapshot::KIND, snapshot().encode()),
        (Snapshot::KIND, unreadable.encode()),
        (ENDED_HEADER, header.encode()),
        (ENDED_STEP, step().encode()),
    ];
    records
        .map(|(kind, plain)| (kind, plain.unwrap().to_vec()))
        .into()
}

const GOLDEN: [&str; 16] = [
    "200505050505050505050505050505050505050505050505050505050505050505",
    "03fb2c01",
    "fdffffffffffffffff",
    "0101046261636b",
    "0200",
    "09010101010101010101010101010101010101010101010101010101010101010101020202020202\
     02020202020202020202020202020202020202020202020202020103030303030303030303030303\
     03030303030303030303030303030303030303040404040404040404040404040404040404040404\
     0404040404040404040404",
    "fa0101",
    "fbfb0001",
    "fb2c01fbe8030103050403010001016b016301070602016b0101",
    "09fc7011010001030400010101010101010101010101010101010101010101010101010101010101\
     01010102020202020202020202020202020202020202020202020202020202020202020001feffff\
     ffffffffffffffffffffffffffff010200fd00e897b69a01000001fd01e897b69a01000004",
    "0177016302020101040001026e6f010101",
    "02666f026261",
    "0001020101660162",
    "0103637574",
    "09fc7011010001030400010101010101010101010101010101010101010101010101010101010101\
     01010102020202020202020202020202020202020202020202020202020202020202020001feffff\
     ffffffffffffffffffffffffffff010200fd00e897b69a01000001fd01e897b69a01000004",
    "0177016302020101040001026e6f010101",
];

#[test]
fn no_record_has_changed_its_bytes() {
    for ((kind, plain), golden) in all().into_iter().zip(GOLDEN) {
        let hex = data_encoding::HEXLOWER.encode(&plain);
        let second = [
            DeclaredRecord::KIND,
            Member::KIND,
            MemberCallback::KIND,
            Step::KIND,
            ENDED_STEP,
        ];
        let schema = if second.contains(&kind) { 2 } else { 1 };
        assert_eq!((kind.schema, hex.as_str()), (schema, golden), "{kind:?}");
    }
}

#[test]
fn every_kind_has_golden_bytes() {
    let all = all();
    for (kind, _) in RECORDS {
        // No version puts keys and snapshots in the history.
        let same = |golden: Kind| (golden.name, golden.schema) == (kind.name, kind.schema);
        assert!(all.iter().any(|(golden, _)| same(*golden)), "{kind:?}");
    }
}

#[test]
fn every_golden_record_is_read_back() {
    let bytes: Vec<Vec<u8>> = GOLDEN
        .map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap())
        .into();
    assert_eq!(decode_at(&bytes[0]), Ok(check()));
    assert_eq!(decode_at(&bytes[1]), Ok(BATCH));
    assert_eq!(decode_at(&bytes[2]), Ok(SequenceRecord { next: u64::MAX }));
    assert_eq!(decode_at(&bytes[3]), Ok(state()));
    assert_eq!(
        DeclaredRecord::decode(&place(DeclaredRecord::KIND), 2, &bytes[5]),
        Ok(DECLARED)
    );
    assert_eq!(
        Member::decode(&place(Member::KIND), 2, &bytes[6]),
        Ok(member())
    );
    let of_callback = place(MemberCallback::KIND);
    assert_eq!(
        MemberCallback::decode(&of_callback, 2, &bytes[7]),
        Ok(callback())
    );
    assert_eq!(decode_at(&bytes[8]), Ok(instance()));
    assert_eq!(decode_at(&bytes[9]), Ok(recorded(header())));
    assert_eq!(Step::decode(&place(Step::KIND), 2, &bytes[10]), Ok(step()));
    let pair = SecretKeyPair::new("fo", "ba");
    assert_eq!(decode_at(&bytes[11]), Ok(pair));
    assert_eq!(decode_at(&bytes[12]), Ok(snapshot()));
}

#[test]
fn an_error_text_that_was_stored_as_it_came_is_read_visible() {
    let error = Some("no\nINFO all is \u{202e}well".to_owned());
    let plain = Step { error, ..step() }.encode().unwrap();
    let read = Step::decode(&place(Step::KIND), 2, &plain).unwrap().error;
    assert_eq!(read.as_deref(), Some("no\\nINFO all is \\u{202e}well"));
}

#[test]
fn no_variant_has_changed_its_number() {
    for (number, state) in (0..).zip([
        RotationState::Waiting,
        RotationState::Running,
        RotationState::Completed,
        RotationState::CompletedWithFailures,
        RotationState::Stopped,
        RotationState::Aborted,
        RotationState::Obsolete,
    ]) {
        let header = Header { state, ..header() };
        let plain = recorded(header.clone()).encode().unwrap();
        assert_eq!(plain[8], number);
        assert_eq!(decode_at::<HeaderRecord>(&plain).unwrap().header, header);
    }
    for (number, strategy) in (0..).zip(OnKeyChangedCallbackErrorStrategy::ALL) {
        let header = Header {
            strategy,
            ..header()
        };
        let plain = recorded(header.clone()).encode().unwrap();
        assert_eq!(plain[7], number);
        assert_eq!(decode_at::<HeaderRecord>(&plain).unwrap().header, header);
    }
    let one_way = Header {
        use_case: SecretKeyUseCase::OneWayTrip,
        ..header()
    };
    let plain = recorded(one_way.clone()).encode().unwrap();
    assert_eq!(plain[6], 0);
    assert_eq!(decode_at::<HeaderRecord>(&plain).unwrap().header, one_way);
    for (number, status) in (0..).zip([
        CallbackStatus::Pending,
        CallbackStatus::InProgress,
        CallbackStatus::Failed,
        CallbackStatus::Succeeded,
    ]) {
        let step = Step { status, ..step() };
        let plain = step.encode().unwrap();
        assert_eq!(plain[4], number);
        assert_eq!(Step::decode(&place(Step::KIND), 2, &plain), Ok(step));
    }
    for (number, effect) in (0..).zip([Effect::Nothing, Effect::Decrypted, Effect::Reencrypted]) {
        let step = Step { effect, ..step() };
        let plain = step.encode().unwrap();
        assert_eq!(plain[plain.len() - 3], number);
        assert_eq!(Step::decode(&place(Step::KIND), 2, &plain), Ok(step));
    }
    for (number, of) in (0..).zip([CallbackOf::Data, CallbackOf::Memory]) {
        let (step, callback) = (step().of(of), MemberCallback { of, ..callback() });
        assert_eq!(step.encode().unwrap().last(), Some(&number));
        assert_eq!(callback.encode().unwrap().last(), Some(&number));
    }
    for (number, sharing) in (0..).zip([Sharing::Sole, Sharing::Shared]) {
        let member = Member {
            sharing,
            ..member()
        };
        assert_eq!(member.encode().unwrap()[1], number);
    }
    let flows = [
        SecretKeyFlow::Default,
        SecretKeyFlow::ForwardPath,
        SecretKeyFlow::BackPath,
    ];
    for (number, flow) in (0..).zip(flows) {
        let state = StateRecord { flow, key: None };
        let plain = state.encode().unwrap();
        assert_eq!(plain[0], number);
        assert_eq!(decode_at(&plain), Ok(state));
    }
}
