//! What the journal refuses, and the repo and the crypto tool below it.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use keyward::crypto::error::CryptoError;
use keyward::crypto::fingerprint::Fingerprinter;
use keyward::journal::database::Database;
use keyward::journal::error::JournalError;
use keyward::journal::fact::{Attached, JournalFact};
use keyward::journal::opened::Journal;
use keyward::key::flow::SecretKeyFlow;
use keyward::key::name::KeyName;
use keyward::key::state::{RecordChange, StateRecord};
use keyward::repo::batch::Batch;
use keyward::repo::conformance::{RepoPlace, check_all};
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::rotation::effect::Fact;
use keyward::rotation::id::RotationId;
use keyward::secret::value::MAX_VALUE_BYTES;
use keyward::{AeadCryptoTool, CryptoTool, MemoryRepo, SecretKeyValue, StateRepo, Uuid};
use zeroize::Zeroizing;

use crate::canary::{self, MASTER, SET, TOLD};
use crate::errors::Seen;
use crate::errors::repo::Disk;

/// A crypto tool that works until it is told what to fail with.
struct Tool {
    tool: AeadCryptoTool,
    fails: bool,
}

impl CryptoTool for Tool {
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.tool.seal(plain, associated)
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        if self.fails {
            let cause = "the hardware module is gone".into();
            return Err(CryptoError::Failed { cause });
        }
        self.tool.open(sealed, associated)
    }
}

fn open(disk: &Disk, fails: bool) -> Result<Journal, JournalError> {
    let database = Database::open(Arc::new(disk.clone()))?;
    let tool = AeadCryptoTool::derive(&SecretKeyValue::from(MASTER), &database.id());
    let tool = tool.expect("the key is long enough");
    database.unlock(Arc::new(Tool { tool, fails }))
}

fn record(key: impl Into<SecretKeyValue>) -> RecordChange {
    RecordChange::Put(StateRecord {
        flow: SecretKeyFlow::ForwardPath,
        key: Some(key.into()),
    })
}

pub(super) fn all(seen: &mut Seen) {
    let disk = Disk::default();
    let key = KeyName::new("documents").expect("a name");
    let mut journal = open(&disk, false).expect("it opens");
    let long = SecretKeyValue::from(TOLD.repeat(5 * MAX_VALUE_BYTES / TOLD.len()));
    seen.refused("TooLarge", journal.save_state(&key, &record(long)));
    let keys = Attached::Keys {
        old: Some(canary::old()),
        new: Some(canary::new()),
    };
    let fact = Fact::Keys(RotationId::new(Uuid::from_u128(7)));
    let fact = JournalFact::new(fact, keys);
    seen.said.add(&fact);
    seen.refused("Incomplete", journal.write(&[fact]));
    journal.save_state(&key, &record(SET)).expect("it is saved");
    seen.said.add(&journal);
    seen.said.add(&journal.load_state(&key));

    let mut next = open(&disk, false).expect("it opens");
    seen.refused("Fenced", journal.save_state(&key, &record(SET)));
    let unsealed = open(&disk, true);
    seen.refused("Crypto", unsealed.map(drop));
    disk.fill();
    seen.refused("WriteUnknown", next.save_state(&key, &record(SET)));
    seen.refused("Repo", next.last_declared(&key));
    disk.spoil(Space::Meta);
    let spoiled = open(&disk, false).map(drop);
    seen.refused("WrongMasterKey", spoiled);
    let lost = Disk::default();
    let lonely = Batch::new().put(Space::States, "key", "a record");
    lost.apply(&lonely).expect("it is open");
    let lost = open(&lost, false).map(drop);
    seen.refused("Unreadable", lost);
    repos(seen);
    crypto(seen);
}

/// Errors of the repo that no other test brings about here. Sealed bytes are all that a repo sees.
fn repos(seen: &mut Seen) {
    let repo = MemoryRepo::new();
    let batch = Batch::new()
        .expect(Space::Meta, "fence", Some(TOLD.into()))
        .put(Space::Keys, "key", SET);
    seen.said.add(&batch);
    seen.refused("PreconditionFailed", repo.apply(&batch));
    let disk = Disk::default();
    disk.refuse();
    seen.refused("Unavailable", disk.apply(&batch));
    disk.fill();
    seen.refused("Full", disk.apply(&batch));
    let forgets = || {
        let place = || Ok(Box::new(MemoryRepo::new()) as Box<dyn StateRepo>);
        Box::new(place) as Box<dyn RepoPlace>
    };
    seen.refused("ConformanceFailure", check_all(&forgets));
    let why = "it takes a second user, a later version, a limit of the process, or a failing disk; a repo is given sealed \
               bytes and the error holds what the system says";
    let folder = || PathBuf::from("/data");
    let foreign = RepoError::ForeignOwner {
        folder: folder(),
        owner: 1,
        user: 0,
    };
    seen.constructed("ForeignOwner", foreign, why);
    let other = RepoError::OtherSchema {
        folder: folder(),
        found: 2,
        known: 1,
    };
    seen.constructed("OtherSchema", other, why);
    let failed = RepoError::Failed {
        action: "writing".to_owned(),
        cause: cause(),
    };
    seen.constructed("Failed", failed, why);
    let no_thread = RepoError::NoThread {
        cause: io::Error::from(io::ErrorKind::WouldBlock),
    };
    seen.constructed("NoThread", no_thread, why);
    let no_descriptor = RepoError::NoDescriptor {
        path: folder(),
        cause: cause(),
    };
    seen.constructed("NoDescriptor", no_descriptor, why);
}

fn crypto(seen: &mut Seen) {
    let short = SecretKeyValue::from(&MASTER[..31]);
    let tool = AeadCryptoTool::derive(&short, b"salt");
    seen.refused("MasterKeyTooShort", tool);
    seen.refused("FingerprintKey", Fingerprinter::from_key(&short));
    let tool = AeadCryptoTool::derive(&SecretKeyValue::from(MASTER), b"salt");
    let tool = tool.expect("a good key");
    let mut sealed = tool.seal(TOLD.as_bytes(), b"here").expect("it is sealed");
    canary::nowhere("what is sealed", &sealed);
    seen.refused("DoesNotOpen", tool.open(&sealed, b"there"));
    sealed[40] ^= 1;
    seen.refused("DoesNotOpen", tool.open(&sealed, b"here"));
    let why = "it takes 256 GiB, or a system or a tool that fails; it holds a number, or what \
               these say, and the trait forbids a tool to quote keys";
    seen.constructed("TooLong", CryptoError::TooLong { bytes: 1 << 38 }, why);
    let no_randomness = CryptoError::NoRandomness { cause: cause() };
    seen.constructed("NoRandomness", no_randomness, why);
    let failed = CryptoError::Failed { cause: cause() };
    seen.constructed("Failed", failed, why);
}

fn cause() -> Box<dyn Error + Send + Sync> {
    Box::new(std::io::Error::other("input/output error"))
}
