//! One record of each kind, as the tests of the format have them.

use crate::journal::codec::acts::ActsRecord;
use crate::journal::codec::keys::DeclaredRecord;
use crate::journal::codec::meta::{BatchRecord, CheckRecord, SequenceRecord};
use crate::journal::codec::rotation::{ENDED_HEADER, ENDED_STEP, HeaderRecord};
use crate::journal::codec::versions::CurrentRecord;
use crate::journal::codec::{Malformed, Record};
use crate::journal::kind::{Kind, Shape};
use crate::journal::place::{Number, Of, OfVersions, Place};
use crate::journal::records::RECORDS;
use crate::key::definition::OnKeyChangedCallbackErrorStrategy;
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::{Effect, Snapshot, StateRecord};
use crate::key::versions::debt::Debt;
use crate::key::versions::held::VersionValue;
use crate::key::versions::id::VersionId;
use crate::key::versions::state::VersionState;
use crate::key::versions::version::{Arrow, Cause, Compromised, Prints, Version};
use crate::rotation::act::{About, Act, Acts, By, Deed};
use crate::rotation::event::StepRef;
use crate::rotation::id::RotationId;
use crate::rotation::instance::{CallbackOf, GivenCall, Instance, Process, Sharing};
use crate::rotation::plan::{BetweenVersions, Declared, Header, Step, VersionPhase};
use crate::rotation::roster::{Member, MemberCallback};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};
use uuid::Uuid;

pub(super) const ID: RotationId = RotationId::new(Uuid::from_u128(7));

pub(super) const VERSION: VersionId = VersionId::new(Uuid::from_u128(9));

pub(super) fn key() -> KeyName {
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
        Shape::Versions => Of::Versions(key(), OfVersions::Current),
        Shape::Version => Of::Versions(key(), OfVersions::Version(VERSION)),
        Shape::Debt => {
            let worker = member().worker;
            Of::Versions(key(), OfVersions::Debt(VERSION, worker))
        }
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

pub(super) fn check() -> CheckRecord {
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

pub(super) fn instance() -> Instance {
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

pub(super) fn declared() -> Act {
    let by = By {
        user: 1000,
        process: 300,
        worker: Some(member().worker),
        reason: Some("due".to_owned()),
    };
    by.did(Deed::Declared, None, 4)
}

/// What may be done that stands with no rotation.
pub(super) fn acts() -> ActsRecord {
    let worker = member().worker;
    let callback = About::Callback {
        worker: worker.clone(),
        key: key(),
        callback: callback().callback,
    };
    let instance = About::Instance {
        worker: worker.clone(),
        instance: 252,
    };
    let id = ID;
    let abouts = [
        (Deed::Dismissed, About::Rotation { id, key: key() }),
        (Deed::Removed, About::Worker { worker }),
        (Deed::Removed, callback),
        (Deed::Removed, instance),
    ];
    let by = By::process(0, 300);
    let acts = abouts.into_iter().zip(5..);
    let acts = acts.map(|((deed, about), at_ms)| by.clone().did(deed, Some(about), at_ms));
    ActsRecord {
        acts: acts.collect(),
    }
}

pub(super) fn recorded(header: Header) -> HeaderRecord {
    HeaderRecord { header, steps: 4 }
}

pub(super) const BATCH: BatchRecord = BatchRecord {
    life: 3,
    number: 300,
};

pub(super) fn state() -> StateRecord {
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

pub(super) fn header() -> Header {
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
        acts: Acts::new([declared()]),
        versions: None,
    }
}

/// A rotation between versions.
pub(super) fn between() -> Header {
    let id = |byte| VersionId::new(Uuid::from_bytes([byte; 16]));
    Header {
        versions: Some(BetweenVersions {
            new: id(10),
            old: Some(id(11)),
            phase: VersionPhase::AllWrite,
        }),
        ..header()
    }
}

pub(super) fn decode_header(plain: &[u8]) -> Result<HeaderRecord, Malformed> {
    HeaderRecord::decode(&place(HeaderRecord::KIND), HeaderRecord::KIND.schema, plain)
}

pub(super) const CURRENT: CurrentRecord = CurrentRecord {
    current: VERSION,
    next: 300,
};

pub(super) fn whole() -> VersionValue {
    VersionValue::Whole(SecretKeyPair::new("fo", "ba"))
}

/// A version that went every way, for every cause.
pub(super) fn version() -> Version {
    let prints = Prints::of([[1; 32], [2; 32]]);
    let arrow = |to, cause| Arrow::new(to, 300, cause);
    let (by, why) = ("ops".to_owned(), "leak".to_owned());
    let person = Cause::Person {
        by: by.clone(),
        why: why.clone(),
    };
    let first = arrow(VersionState::Pending, Cause::Adopted);
    let mut version = Version::begin(VERSION, 3, prints, first);
    version.arrows.extend([
        arrow(VersionState::Active, Cause::Rotation(Uuid::from_u128(7))),
        arrow(VersionState::Deactivated, Cause::StateRecord),
        arrow(VersionState::Withdrawn, Cause::NotNeeded),
        arrow(VersionState::Destroyed, person),
        arrow(VersionState::Deactivated, Cause::Made),
    ]);
    version.state = VersionState::Deactivated;
    version.compromised = Some(Compromised::new(4, by, why));
    version.unwritten_ms = Some(5);
    version
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

pub(super) fn snapshot() -> Snapshot {
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
        (ENDED_HEADER, recorded(between()).encode()),
        (ENDED_STEP, step().encode()),
        (ActsRecord::KIND, acts().encode()),
        (CurrentRecord::KIND, CURRENT.encode()),
        (Version::KIND, version().encode()),
        (VersionValue::KIND, whole().encode()),
        (VersionValue::KIND, VersionValue::Back("ba".into()).encode()),
        (Debt::KIND, Debt::since(300).encode()),
    ];
    records
        .map(|(kind, plain)| (kind, plain.unwrap().to_vec()))
        .into()
}
