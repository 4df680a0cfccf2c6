//! Opening in two stages: the database's id first, which salts what the master key becomes, then
//! the journal with the crypto tool that was made with it.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::crypto::crypto_tool::CryptoTool;
use crate::crypto::error::CryptoError;
use crate::crypto::fingerprint::Fingerprinter;
use crate::crypto::random::random_bytes;
use crate::journal::codec::Record;
use crate::journal::codec::meta::{BatchRecord, CheckRecord};
use crate::journal::error::JournalError;
use crate::journal::fence::Fence;
use crate::journal::fingerprints::KeyFingerprints;
use crate::journal::opened::Journal;
use crate::journal::place::Of;
use crate::journal::place::layout::DATABASE;
use crate::journal::quarantine::Quarantine;
use crate::journal::vault::{Unread, Vault};
use crate::repo::batch::Batch;
use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;

/// The version of the record that holds the database's id.
const DATABASE_SCHEMA: u8 = 1;
const DATABASE_PLACE: &str = "the database's id";

/// A database whose id is known and whose records are still sealed.
pub struct Database {
    repo: Arc<dyn StateRepo>,
    id: [u8; 16],
}

impl Database {
    /// Reads the random id of the database, or gives it one where the repo is empty.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] where the id is damaged, of another version, or missing beside
    /// other records; [`JournalError::Crypto`] without random bytes; the repo's errors.
    pub fn open(repo: Arc<dyn StateRepo>) -> Result<Self, JournalError> {
        let id = match repo.get(Space::Meta, DATABASE)? {
            Some(stored) => read_id(&stored)?,
            None => create_id(repo.as_ref())?,
        };
        Ok(Self { repo, id })
    }

    /// The id: 16 random bytes, which are no secret. Derive the crypto tool with it as the salt.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Opens the journal: checks that the tool is the one that the database was sealed with, and
    /// takes over from every journal that was opened before, which cannot write from then on.
    ///
    /// # Errors
    /// [`JournalError::WrongMasterKey`] where the check record does not open;
    /// [`JournalError::Unreadable`] where it is missing or of another version;
    /// [`JournalError::Fenced`] where another journal is opened at the same moment; errors of the
    /// crypto tool and the repo.
    pub fn unlock(self, crypto: Arc<dyn CryptoTool>) -> Result<Journal, JournalError> {
        let vault = Vault::new(crypto, self.id);
        let place = CheckRecord::place(Of::Database);
        let stored = self.repo.get(Space::Meta, &place.bytes())?;
        let (fingerprinter, mut batch) = match stored {
            Some(stored) => (open_check(&vault, &stored)?, Batch::new()),
            None => self.create_check(&vault)?,
        };
        let place = BatchRecord::place(Of::Database);
        let found = self.repo.get(Space::Meta, &place.bytes())?;
        let mut last = BatchRecord { life: 0, number: 0 };
        let mut replaced = None;
        if let Some(stored) = &found {
            match vault.read(&place, stored) {
                Ok(read) => last = read,
                Err(unread) => {
                    replaced = Some(unread.listed(&place)?);
                    let mut quarantine = Quarantine::new(0, 0);
                    batch = quarantine.copy(batch, Space::Meta, &place.bytes(), stored.clone());
                }
            }
        }
        last.life = last.life.saturating_add(1);
        let fence = Fence::raise(self.repo.as_ref(), &vault, batch, found, last)?;
        let fingerprints = KeyFingerprints::new(fingerprinter);
        Ok(Journal::new(
            self.repo,
            vault,
            fence,
            fingerprints,
            replaced,
        ))
    }

    fn create_check(&self, vault: &Vault) -> Result<(Fingerprinter, Batch), JournalError> {
        let place = CheckRecord::place(Of::Database);
        // Without this a lost check record would make any master key the right one.
        if has_records(self.repo.as_ref())? {
            return Err(missing(place.space(), place.to_string()));
        }
        let (fingerprinter, fingerprint_key) =
            Fingerprinter::random().map_err(|cause| Unread::Tool(cause).needed(&place))?;
        let sealed = vault.seal(&place, CheckRecord { fingerprint_key }.encode())?;
        let batch = Batch::new().put(Space::Meta, place.bytes(), sealed);
        Ok((fingerprinter, batch))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

fn open_check(vault: &Vault, stored: &[u8]) -> Result<Fingerprinter, JournalError> {
    let place = CheckRecord::place(Of::Database);
    let record: CheckRecord = match vault.read(&place, stored) {
        Ok(record) => record,
        Err(Unread::DoesNotOpen(source)) => return Err(JournalError::WrongMasterKey { source }),
        Err(unread) => return Err(unread.needed(&place)),
    };
    Fingerprinter::from_key(&record.fingerprint_key)
        .map_err(|cause| Unread::Tool(cause).needed(&place))
}

fn read_id(stored: &[u8]) -> Result<[u8; 16], JournalError> {
    let why = match stored.split_first() {
        Some((&DATABASE_SCHEMA, id)) => match id.try_into() {
            Ok(id) => return Ok(id),
            Err(_) => format!("it has {} bytes instead of 16", id.len()),
        },
        Some((schema, _)) => format!(
            "its schema number is {schema} and this keyward knows {DATABASE_SCHEMA}: it was \
             changed, or another keyward wrote it"
        ),
        None => "it is empty".to_owned(),
    };
    Err(JournalError::Unreadable {
        space: Space::Meta,
        place: DATABASE_PLACE.to_owned(),
        why,
    })
}

fn create_id(repo: &dyn StateRepo) -> Result<[u8; 16], JournalError> {
    if has_records(repo)? {
        return Err(missing(Space::Meta, DATABASE_PLACE.to_owned()));
    }
    let id = random_bytes::<16>().map_err(|cause: CryptoError| JournalError::Crypto {
        place: DATABASE_PLACE.to_owned(),
        cause,
    })?;
    let stored = [&[DATABASE_SCHEMA], id.as_slice()].concat();
    let batch = Batch::new()
        .put(Space::Meta, DATABASE, stored)
        .expect(Space::Meta, DATABASE, None);
    match repo.apply(&batch) {
        Ok(()) => Ok(id),
        Err(RepoError::PreconditionFailed { .. }) => Err(JournalError::Fenced),
        Err(cause) => Err(JournalError::Repo { cause }),
    }
}

/// Whether there is any record beside the database's id.
fn has_records(repo: &dyn StateRepo) -> Result<bool, JournalError> {
    let mut any = false;
    for space in Space::ALL {
        repo.scan(space, b"", &mut |key, _| {
            if space == Space::Meta && key == DATABASE {
                return ControlFlow::Continue(());
            }
            any = true;
            ControlFlow::Break(())
        })?;
    }
    Ok(any)
}

fn missing(space: Space, place: String) -> JournalError {
    let why = "it is missing, but other records are there".to_owned();
    JournalError::Unreadable { space, place, why }
}
