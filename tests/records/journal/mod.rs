//! The journal on real repos: what was written is loaded, what was damaged is named and left in
//! place, and a manager that was overtaken does not write.

mod again;
mod damage;
mod facts;
mod opening;
mod reads;
mod states;
mod tidy;
mod unknown;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use keyward::crypto::aead::AeadCryptoTool;
use keyward::journal::database::Database;
use keyward::journal::error::JournalError;
use keyward::journal::fact::{Attached, JournalFact};
use keyward::journal::opened::Journal;
use keyward::key::definition::OnKeyChangedCallbackErrorStrategy;
use keyward::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::key::state::{RecordChange, Snapshot, StateRecord};
use keyward::repo::batch::Batch;
use keyward::repo::memory::MemoryRepo;
use keyward::repo::space::Space;
use keyward::repo::state_repo::StateRepo;
use keyward::rotation::effect::Fact;
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::plan::{Declared, Header, Step};
use keyward::rotation::roster::{Member, MemberCallback};
use keyward::rotation::state::RotationState;
use keyward::secret::value::{SecretKeyPair, SecretKeyValue};
use uuid::Uuid;

/// Everything that lies in a repo.
type Content = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

fn content(repo: &dyn StateRepo) -> Content {
    let mut all = Content::new();
    for space in Space::ALL {
        repo.scan(space, b"", &mut |key, value| {
            all.insert((space, key.to_vec()), value.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    all
}

/// A repo of its own with this in it.
fn repo_with(content: &Content) -> MemoryRepo {
    let repo = MemoryRepo::new();
    for ((space, key), value) in content {
        overwrite(&repo, *space, key, value);
    }
    repo
}

/// Everything that can be made of bytes by cutting them at one length or flipping a bit of one byte.
fn damaged(stored: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for at in 0..stored.len() {
        let mut flipped = stored.to_vec();
        flipped[at] ^= 1 << (at % 8);
        all.extend([flipped, stored[..at].to_vec()]);
    }
    all
}

fn in_space(repo: &dyn StateRepo, space: Space) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = content(repo).into_iter();
    all.filter(|((at, _), _)| *at == space)
        .map(|((_, key), value)| (key, value))
        .collect()
}

/// Puts bytes where no journal would.
fn overwrite(repo: &dyn StateRepo, space: Space, key: &[u8], value: &[u8]) {
    repo.apply(&Batch::new().put(space, key, value)).unwrap();
}

fn try_open(repo: &MemoryRepo, master: u8) -> Result<Journal, JournalError> {
    open_on(Arc::new(repo.clone()), master)
}

fn open_on(repo: Arc<dyn StateRepo>, master: u8) -> Result<Journal, JournalError> {
    let database = Database::open(repo)?;
    let master = SecretKeyValue::from([master; 32]);
    let crypto = AeadCryptoTool::derive(&master, &database.id()).unwrap();
    database.unlock(Arc::new(crypto))
}

fn open(repo: &MemoryRepo) -> Journal {
    try_open(repo, 1).unwrap()
}

fn key(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn worker(name: &str) -> WorkerName {
    WorkerName::new(name).unwrap()
}

fn callback(name: &str) -> CallbackName {
    CallbackName::new(name).unwrap()
}

fn id(number: u128) -> RotationId {
    RotationId::new(Uuid::from_u128(number))
}

fn pair(name: &str) -> SecretKeyPair {
    SecretKeyPair::new(format!("{name}-forward"), format!("{name}-back"))
}

fn header(number: u64, name: &str) -> Header {
    Header {
        id: id(number.into()),
        key: key(name),
        seq: number,
        place: number,
        use_case: SecretKeyUseCase::RoundTrip,
        strategy: OnKeyChangedCallbackErrorStrategy::Skip,
        state: RotationState::Waiting,
        declared: Declared {
            old: Some([[1; 32], [2; 32]]),
            new: Some([[3; 32], [4; 32]]),
        },
        old_keys: Some(u128::from(number) + 1000),
        new_keys: Some(u128::from(number) + 2000),
        begun: false,
        resumes: 0,
        overtaken: false,
        accepted_ms: 5,
        ended_ms: None,
        acts: Default::default(),
        versions: None,
    }
}

fn step(no: u32) -> Step {
    Step::new(no, worker("w"), callback(&format!("c{no}")))
}

fn keys_fact(header: &Header) -> JournalFact {
    let attached = Attached::Keys {
        old: header.old_keys.map(|_| pair("old")),
        new: header.new_keys.map(|_| pair("new")),
    };
    JournalFact::new(Fact::Keys(header.id), attached)
}

fn snapshot() -> Snapshot {
    Snapshot::Known {
        flow: Some(SecretKeyFlow::ForwardPath),
        previous: Some(pair("previous")),
    }
}

/// The facts of a rotation that is accepted with two steps.
fn accepted(header: &Header) -> Vec<JournalFact> {
    let key = header.key.clone();
    vec![
        Fact::NextSequence(header.seq + 1).into(),
        Fact::Rotation(header.clone()).into(),
        keys_fact(header),
        Fact::Step(header.id, key.clone(), step(0)).into(),
        Fact::Step(header.id, key, step(1)).into(),
    ]
}

/// The facts of a rotation that begins to run, and the header that they leave.
fn begun(header: &Header) -> (Vec<JournalFact>, Header) {
    let header = Header {
        begun: true,
        state: RotationState::Running,
        ..header.clone()
    };
    let attached = Attached::Snapshot(snapshot());
    let facts = vec![
        JournalFact::new(Fact::Snapshot(header.id), attached),
        Fact::Rotation(header.clone()).into(),
    ];
    (facts, header)
}

fn member(name: &str, joined: u64) -> Member {
    Member {
        worker: worker(name),
        joined,
        sharing: Sharing::Sole,
        elsewhere: false,
    }
}

fn member_callback(of: &str, for_key: &str, name: &str, registered: u64) -> MemberCallback {
    MemberCallback {
        worker: worker(of),
        key: key(for_key),
        callback: callback(name),
        registered,
        of: CallbackOf::Data,
    }
}

fn record(half: Option<&str>) -> StateRecord {
    StateRecord {
        flow: SecretKeyFlow::ForwardPath,
        key: half.map(SecretKeyValue::from),
    }
}

fn put(half: &str) -> RecordChange {
    RecordChange::Put(record(Some(half)))
}

/// A journal with something of every kind: two rotations that have not ended, one that has,
/// a roster, states.
fn filled() -> MemoryRepo {
    let repo = MemoryRepo::new();
    let mut journal = open(&repo);
    let (one, two, ended) = (header(11, "a"), header(12, "b"), header(10, "a"));
    let roster = [
        Fact::Member(member("w", 1)).into(),
        Fact::Member(member("v", 2)).into(),
        Fact::Callback(member_callback("w", "a", "c0", 3)).into(),
        Fact::Callback(member_callback("w", "a", "c1", 4)).into(),
    ];
    journal.write(&roster).unwrap();
    for header in [&ended, &one, &two] {
        journal.write(&accepted(header)).unwrap();
    }
    let completed = Header {
        state: RotationState::Completed,
        ended_ms: Some(6),
        ..ended
    };
    let fact = Fact::Ended(completed, vec![step(0), step(1)]);
    journal.write(&[fact.into()]).unwrap();
    journal.write(&begun(&one).0).unwrap();
    journal.save_state(&key("a"), &put("half")).unwrap();
    journal.save_state(&key("b"), &put("half")).unwrap();
    repo
}
