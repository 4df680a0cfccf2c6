//! The journal on a repo in memory, and what seals its records.

use std::hint::black_box;
use std::sync::Arc;

use keyward::journal::database::Database;
use keyward::journal::fact::{Attached, JournalFact};
use keyward::journal::opened::Journal;
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::rotation::effect::Fact;
use keyward::rotation::plan::{Declared, Header, Step};
use keyward::{
    AeadCryptoTool, CallbackStatus, CryptoTool, MemoryRepo, OnKeyChangedCallbackErrorStrategy,
    RotationId, RotationState, SecretKeyPair, SecretKeyValue, Uuid,
};

const STEPS: u32 = 10;

fn tool(salt: &[u8]) -> AeadCryptoTool {
    AeadCryptoTool::derive(&SecretKeyValue::from([9; 32]), salt).expect("a tool")
}

/// Sealing and opening a record of a usual size.
pub fn seal_and_open(repeats: u32) -> Box<dyn FnMut()> {
    let tool = tool(b"a database");
    let (plain, place) = ([7; 100], [8; 100]);
    Box::new(move || {
        for _ in 0..repeats {
            let sealed = tool.seal(&plain, &place).expect("it seals");
            let opened = tool.open(&sealed, &place).expect("it opens");
            assert_eq!(black_box(opened).len(), plain.len());
        }
    })
}

fn header() -> Header {
    Header {
        id: RotationId::new(Uuid::from_u128(7)),
        key: KeyName::new("data").expect("a name"),
        seq: 1,
        place: 1,
        use_case: SecretKeyUseCase::RoundTrip,
        strategy: OnKeyChangedCallbackErrorStrategy::Halt,
        state: RotationState::Waiting,
        declared: Declared {
            old: None,
            new: Some([[1; 32], [2; 32]]),
        },
        old_keys: None,
        new_keys: Some(7),
        begun: false,
        resumes: 0,
        overtaken: false,
        accepted_ms: 1_800_000_000_000,
        ended_ms: None,
        acts: Default::default(),
        versions: None,
    }
}

fn step(no: u32) -> Step {
    let worker = WorkerName::new(&format!("worker-{no}")).expect("a name");
    Step::new(no, worker, CallbackName::new("callback").expect("a name"))
}

/// A journal with a rotation that waits.
fn journal() -> Journal {
    let database = Database::open(Arc::new(MemoryRepo::new())).expect("a database");
    let tool = tool(&database.id());
    let mut journal = database.unlock(Arc::new(tool)).expect("a journal");
    let header = header();
    let (id, key) = (header.id, header.key.clone());
    let pair = SecretKeyPair::of("a value of a usual length, 32 b");
    let attached = Attached::Keys {
        old: None,
        new: Some(pair),
    };
    let mut facts = vec![
        Fact::Rotation(header).into(),
        JournalFact::new(Fact::Keys(id), attached),
    ];
    facts.extend((0..STEPS).map(|no| Fact::Step(id, key.clone(), step(no)).into()));
    journal.write(&facts).expect("it is written");
    journal
}

/// What a step's Succeeded takes, from the fact to the repo.
pub fn write_a_step(repeats: u32) -> Box<dyn FnMut()> {
    let mut journal = journal();
    let header = header();
    let mut step = step(0);
    step.status = CallbackStatus::Succeeded;
    step.attempt = 1;
    step.started_ms = Some(header.accepted_ms);
    step.ended_ms = Some(header.accepted_ms);
    let facts = [JournalFact::from(Fact::Step(header.id, header.key, step))];
    Box::new(move || {
        for _ in 0..repeats {
            black_box(journal.write(&facts)).expect("it is written");
        }
    })
}

/// What a start reads of each rotation.
pub fn load(repeats: u32) -> Box<dyn FnMut()> {
    let journal = journal();
    Box::new(move || {
        for _ in 0..repeats {
            let loaded = black_box(journal.load()).expect("it loads");
            assert_eq!(loaded.facts.rotations.len(), 1);
        }
    })
}
