//! Journals with many rotations in them, written through the journal itself, and the same records in
//! a bare RocksDB.

use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use keyward::crypto::random::random_bytes;
use keyward::journal::database::Database;
use keyward::journal::fact::{Attached, JournalFact};
use keyward::journal::opened::Journal;
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::rotation::effect::Fact;
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::plan::{Declared, Header, Step};
use keyward::rotation::roster::{Member, MemberCallback};
use keyward::{
    AeadCryptoTool, CallbackStatus, OnKeyChangedCallbackErrorStrategy, RotationId, RotationState,
    SecretKeyPair, SecretKeyValue, Uuid,
};
use rocksdb::{DB, IteratorMode, WriteBatch};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::manager::MASTER_KEY;

/// How many facts go into one batch of the journal, or records into one of RocksDB.
const BATCH: u32 = 64;
const STATE_BYTES: usize = 32;
const ACCEPTED_MS: u64 = 1_800_000_000_000;

/// The name of a key of such a journal.
pub fn key(no: u32) -> String {
    format!("key-{no}")
}

/// The name of a worker of such a journal, which has one callback for each key.
pub fn worker(no: u32) -> String {
    format!("worker-{no}")
}

/// The name of its callbacks.
pub const CALLBACK: &str = "callback";

/// A journal that is filled.
pub struct Filling {
    journal: Journal,
    next: u64,
    facts: Vec<JournalFact>,
}

impl Filling {
    /// A new journal with RocksDB in this folder.
    pub fn new(folder: &Path) -> Outcome<Self> {
        let repo = RocksDbRepo::open(&FolderOptions::new(folder))?;
        let database = Database::open(Arc::new(repo))?;
        let tool = AeadCryptoTool::derive(&SecretKeyValue::from(MASTER_KEY), &database.id())?;
        Ok(Self {
            journal: database.unlock(Arc::new(tool))?,
            next: 1,
            facts: Vec::new(),
        })
    }

    /// Adds workers with a callback for each key.
    pub fn roster(&mut self, workers: u32, keys: u32) -> Outcome<()> {
        for no in 0..workers {
            let worker = WorkerName::new(&worker(no))?;
            let joined = self.number();
            self.facts.push(
                Fact::Member(Member {
                    worker: worker.clone(),
                    joined,
                    sharing: Sharing::Sole,
                    elsewhere: false,
                })
                .into(),
            );
            for no in 0..keys {
                let callback = MemberCallback {
                    worker: worker.clone(),
                    key: KeyName::new(&key(no))?,
                    callback: CallbackName::new(CALLBACK)?,
                    registered: self.number(),
                    of: CallbackOf::Data,
                };
                self.facts.push(Fact::Callback(callback).into());
            }
            self.write()?;
        }
        Ok(())
    }

    /// Adds a rotation of each of these keys that waits, again and again.
    pub fn unfinished(&mut self, rotations: u32, keys: u32, steps: u32) -> Outcome<()> {
        for no in 0..rotations {
            let header = header(self.number(), &key(no % keys))?;
            let pair = SecretKeyPair::of(format!("value {no}"));
            let attached = Attached::Keys {
                old: None,
                new: Some(pair),
            };
            let (id, key) = (header.id, header.key.clone());
            self.facts.push(Fact::Rotation(header).into());
            self.facts.push(JournalFact::new(Fact::Keys(id), attached));
            for step in plan(steps)? {
                self.facts.push(Fact::Step(id, key.clone(), step).into());
            }
            self.write_if_many()?;
        }
        self.write()
    }

    /// Adds a rotation of each of these keys that has completed, again and again.
    pub fn ended(&mut self, rotations: u32, keys: u32, steps: u32) -> Outcome<()> {
        let mut steps = plan(steps)?;
        for step in &mut steps {
            step.status = CallbackStatus::Succeeded;
            step.attempt = 1;
            step.started_ms = Some(ACCEPTED_MS);
            step.ended_ms = Some(ACCEPTED_MS);
        }
        for no in 0..rotations {
            let header = Header {
                state: RotationState::Completed,
                begun: true,
                ended_ms: Some(ACCEPTED_MS),
                ..header(self.number(), &key(no % keys))?
            };
            self.facts.push(Fact::Ended(header, steps.clone()).into());
            self.write_if_many()?;
        }
        self.write()
    }

    /// Closes the journal, as a clean shutdown does.
    pub fn close(self) -> Outcome<()> {
        Ok(self.journal.close()?)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn write_if_many(&mut self) -> Outcome<()> {
        if self.facts.len() < BATCH as usize {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> Outcome<()> {
        self.facts.push(Fact::NextSequence(self.next).into());
        self.journal.write(&self.facts)?;
        self.facts.clear();
        Ok(())
    }
}

fn header(seq: u64, key: &str) -> Outcome<Header> {
    Ok(Header {
        id: RotationId::new(Uuid::from_u128(u128::from(seq))),
        key: KeyName::new(key)?,
        seq,
        place: seq,
        use_case: SecretKeyUseCase::RoundTrip,
        strategy: OnKeyChangedCallbackErrorStrategy::Halt,
        state: RotationState::Waiting,
        declared: Declared {
            old: None,
            new: Some([[1; 32], [2; 32]]),
        },
        old_keys: None,
        new_keys: Some(u128::from(seq)),
        begun: false,
        resumes: 0,
        overtaken: false,
        accepted_ms: ACCEPTED_MS,
        ended_ms: None,
        acts: Default::default(),
        versions: None,
    })
}

fn plan(steps: u32) -> Outcome<Vec<Step>> {
    let step = |no| {
        let worker = WorkerName::new(&worker(no))?;
        Outcome::Ok(Step::new(no, worker, CallbackName::new(CALLBACK)?))
    };
    (0..steps).map(step).collect()
}

/// A header as a bare program would keep it, with the same fields.
#[derive(Serialize, Deserialize)]
struct BareHeader {
    numbers: [u64; 3],
    kinds: [u8; 3],
    old: Option<[[u8; STATE_BYTES]; 2]>,
    new: Option<[[u8; STATE_BYTES]; 2]>,
    keys: [Option<u128>; 2],
    flags: [bool; 2],
    ended_ms: Option<u64>,
    counts: [u32; 2],
}

/// A step, likewise.
#[derive(Serialize, Deserialize)]
struct BareStep {
    worker: String,
    callback: String,
    status: u8,
    counts: [u32; 2],
    times: [Option<u64>; 2],
    error: Option<String>,
    effect: u8,
    removed: bool,
}

/// A pair of keys, likewise.
#[derive(Serialize, Deserialize)]
struct BarePair {
    forward: Vec<u8>,
    back: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
enum BareRecord {
    Header(BareHeader),
    Step(BareStep),
    Keys(BarePair),
}

fn tool() -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&MASTER_KEY.into())
}

/// Writes the records of so many rotations that wait into a bare RocksDB.
pub fn fill_bare(folder: &Path, rotations: u32, steps: u32) -> Outcome<()> {
    let (db, tool) = (DB::open_default(folder)?, tool());
    for no in 0..rotations {
        let mut batch = WriteBatch::default();
        let mut records = vec![BareRecord::Header(BareHeader {
            numbers: [no.into(), no.into(), ACCEPTED_MS],
            kinds: [1, 3, 0],
            old: None,
            new: Some([[1; 32], [2; 32]]),
            keys: [None, Some(no.into())],
            flags: [false; 2],
            ended_ms: None,
            counts: [0, steps],
        })];
        for step in 0..steps {
            records.push(BareRecord::Step(BareStep {
                worker: worker(step),
                callback: CALLBACK.to_owned(),
                status: 0,
                counts: [0; 2],
                times: [None; 2],
                error: None,
                effect: 0,
                removed: false,
            }));
        }
        let value = format!("value {no}").into_bytes();
        records.push(BareRecord::Keys(BarePair {
            forward: value.clone(),
            back: value,
        }));
        for (at, record) in records.iter().enumerate() {
            let place = format!("{no:016}/{}/{at:05}", key(no % 100));
            let plain = bincode::serde::encode_to_vec(record, bincode::config::standard())?;
            let nonce = random_bytes::<24>()?;
            let payload = Payload {
                msg: &plain,
                aad: place.as_bytes(),
            };
            let sealed = tool.encrypt(&XNonce::from(nonce), payload);
            let sealed = sealed.map_err(|_| "a record cannot be sealed")?;
            batch.put(place, [nonce.as_slice(), &sealed].concat());
        }
        db.write(batch)?;
    }
    db.flush()?;
    Ok(())
}

/// Opens a bare RocksDB, and opens and decodes all its records; answers how many there are.
pub fn read_bare(folder: &Path) -> Outcome<usize> {
    let (db, tool) = (DB::open_default(folder)?, tool());
    let mut records = Vec::new();
    for found in db.iterator(IteratorMode::Start) {
        let (place, stored) = found?;
        let (nonce, sealed) = stored.split_first_chunk::<24>().ok_or("a record is cut")?;
        let payload = Payload {
            msg: sealed,
            aad: &place,
        };
        let plain = tool.decrypt(&XNonce::from(*nonce), payload);
        let plain = plain.map_err(|_| "a record does not open")?;
        let config = bincode::config::standard();
        let (record, _) = bincode::serde::decode_from_slice::<BareRecord, _>(&plain, config)?;
        records.push(record);
    }
    Ok(records.len())
}
