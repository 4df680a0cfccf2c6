//! Group commit: the writes that wait are made as one batch, and each is told when that is durable. A
//! batch that fails has failed for each write in it.

use crate::actors::journal_thread::closed::JournalClosed;
use crate::guard::fault;
use crate::journal::error::JournalError;
use crate::journal::group::JournalWrite;
use crate::journal::opened::Journal;
use crate::key::event::WriteFailure;
use crate::key::journal_down::JournalDown;

type WriteEnd = Box<dyn FnOnce(u64, Result<(), WriteFailure>) + Send>;

/// A write, and what is told, once in any case, what came of it.
pub(super) struct QueuedWrite {
    write: JournalWrite,
    then: Option<WriteEnd>,
}

impl QueuedWrite {
    /// A write; `then` is told its batch's number and whether it was made.
    pub(super) fn new(
        write: JournalWrite,
        then: impl FnOnce(u64, Result<(), WriteFailure>) + Send + 'static,
    ) -> Self {
        let then: Option<WriteEnd> = Some(Box::new(then));
        Self { write, then }
    }

    pub(super) fn write(&self) -> &JournalWrite {
        &self.write
    }

    /// Tells it, if that was not done. A panic in what is told ends neither the journal's thread nor what
    /// the other writes of the batch are told.
    fn tell(&mut self, number: u64, result: Result<(), WriteFailure>) {
        if let Some(then) = self.then.take() {
            drop(fault::catch(|| then(number, result)));
        }
    }
}

impl Drop for QueuedWrite {
    fn drop(&mut self) {
        self.tell(0, Err(JournalClosed.into()));
    }
}

/// Makes these writes as one batch. Where that is refused for a reason that may be one's own, each is
/// made for itself, so that one fails for itself.
pub(super) fn write_together(journal: &mut Option<Journal>, group: Vec<QueuedWrite>) {
    let Some(journal) = journal else {
        return;
    };
    let number = journal.next_batch();
    let attempt = attempt(journal, &group);
    match attempt {
        WriteAttempt::RefusedForOne(_) if group.len() > 1 => {
            for written in group {
                write_alone(journal, written);
            }
        }
        WriteAttempt::Made => tell(group, number, &Ok(())),
        WriteAttempt::Failed(failure) | WriteAttempt::RefusedForOne(failure) => {
            tell(group, number, &Err(failure));
        }
    }
}

fn write_alone(journal: &mut Journal, mut written: QueuedWrite) {
    let number = journal.next_batch();
    let result = match attempt(journal, std::slice::from_ref(&written)) {
        WriteAttempt::Made => Ok(()),
        WriteAttempt::Failed(failure) | WriteAttempt::RefusedForOne(failure) => Err(failure),
    };
    written.tell(number, result);
}

fn tell(group: Vec<QueuedWrite>, number: u64, result: &Result<(), WriteFailure>) {
    for mut written in group {
        written.tell(number, result.clone());
    }
}

/// What came of a batch.
enum WriteAttempt {
    Made,
    /// It failed for all that is in it.
    Failed(WriteFailure),
    /// It was not made, perhaps because of one that is in it.
    RefusedForOne(WriteFailure),
}

/// Tries to write; a failure says whether the batch may have been made all the same.
fn attempt(journal: &mut Journal, group: &[QueuedWrite]) -> WriteAttempt {
    let before = journal.is_in_doubt();
    let made = fault::catch(|| journal.write_all(group.iter().map(QueuedWrite::write)));
    let (why, is_of_one): (JournalDown, _) = match made {
        Ok(Ok(_)) => return WriteAttempt::Made,
        Ok(Err(error)) => ((&error).into(), is_of_one(&error)),
        Err(fault) => (
            format!("the state repo or crypto tool failed: {fault}").into(),
            true,
        ),
    };
    let unknown = !before && journal.is_in_doubt();
    let failure = WriteFailure { why, unknown };
    if is_of_one && !journal.is_in_doubt() {
        WriteAttempt::RefusedForOne(failure)
    } else {
        WriteAttempt::Failed(failure)
    }
}

/// Whether a refusal may be about one record.
fn is_of_one(error: &JournalError) -> bool {
    match error {
        JournalError::Crypto { .. }
        | JournalError::Unreadable { .. }
        | JournalError::TooLarge { .. }
        | JournalError::Incomplete { .. } => true,
        JournalError::WrongMasterKey { .. }
        | JournalError::Fenced
        | JournalError::Repo { .. }
        | JournalError::WriteUnknown { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::actors::journal_thread::JournalThread;
    use crate::crypto::aead::AeadCryptoTool;
    use crate::guard::events::Events;
    use crate::journal::database::Database;
    use crate::key::flow::SecretKeyFlow;
    use crate::key::name::KeyName;
    use crate::key::state::{Loaded, RecordChange, StateRecord};
    use crate::repo::batch::Batch;
    use crate::repo::error::RepoError;
    use crate::repo::memory::MemoryRepo;
    use crate::repo::space::Space;
    use crate::repo::state_repo::{StateRepo, Visitor};
    use crate::secret::value::SecretKeyValue;

    /// A repo that counts its batches, and fails them while it is told to.
    #[derive(Default)]
    struct Counting {
        repo: MemoryRepo,
        batches: AtomicUsize,
        broken: AtomicBool,
    }

    struct Handle(Arc<Counting>);

    impl StateRepo for Handle {
        fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
            self.0.repo.get(space, key)
        }

        fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
            self.0.repo.scan(space, prefix, visit)
        }

        fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
            self.0.batches.fetch_add(1, Ordering::SeqCst);
            if self.0.broken.load(Ordering::SeqCst) {
                let reason = "a test".to_owned();
                return Err(RepoError::Unavailable { reason });
            }
            self.0.repo.apply(batch)
        }

        fn reopen(&self) -> Result<(), RepoError> {
            self.0.repo.reopen()
        }

        fn close(&self) -> Result<(), RepoError> {
            self.0.repo.close()
        }
    }

    type Told = Arc<Mutex<Vec<(u32, Result<(), WriteFailure>)>>>;

    struct World {
        repo: Arc<Counting>,
        journal: JournalThread,
        told: Told,
    }

    impl World {
        fn new() -> Self {
            let repo = Arc::new(Counting::default());
            let database = Database::open(Arc::new(Handle(Arc::clone(&repo)))).unwrap();
            let master = SecretKeyValue::from([1; 32]);
            let crypto = AeadCryptoTool::derive(&master, &database.id()).unwrap();
            let journal = database.unlock(Arc::new(crypto)).unwrap();
            repo.batches.store(0, Ordering::SeqCst);
            Self {
                repo,
                journal: JournalThread::start(journal, Events::start().unwrap()).unwrap(),
                told: Told::default(),
            }
        }

        /// The journal does nothing more until this is dropped or told.
        fn hold(&self) -> std::sync::mpsc::Sender<()> {
            let (go, wait) = channel::<()>();
            let (held, is_held) = channel();
            let hold = move |_: &mut Journal| {
                assert!(held.send(()).is_ok());
                let _until_dropped = wait.recv();
            };
            self.journal.submit(hold, |_| ());
            is_held.recv().unwrap();
            go
        }

        fn save(&self, no: u32, value: Vec<u8>) {
            let record = StateRecord {
                flow: SecretKeyFlow::ForwardPath,
                key: Some(SecretKeyValue::new(value)),
            };
            let told = Arc::clone(&self.told);
            let then = move |result| told.lock().unwrap().push((no, result));
            self.journal.save(key(no), RecordChange::Put(record), then);
        }

        /// Waits until everything that was asked for is done.
        fn settle(&self) {
            let (done, settled): (_, Receiver<()>) = channel();
            self.journal.submit(|_| (), move |_| drop(done));
            assert!(settled.recv().is_err(), "it is dropped");
        }

        fn loaded(&self, no: u32) -> Loaded {
            let (told, loaded) = channel();
            let load = move |journal: &mut Journal| journal.load_state(&key(no));
            let tell = move |done: Result<_, _>| drop(told.send(done));
            self.journal.submit(load, tell);
            loaded.recv().unwrap().unwrap()
        }

        fn batches(&self) -> usize {
            self.repo.batches.load(Ordering::SeqCst)
        }
    }

    fn key(no: u32) -> KeyName {
        KeyName::new(&format!("k{no}")).unwrap()
    }

    #[test]
    fn what_waits_while_the_journal_is_busy_is_one_batch_and_each_is_told() {
        let world = World::new();
        let hold = world.hold();
        (0..500).for_each(|no| world.save(no, vec![1; 32]));
        drop(hold);
        world.settle();
        assert_eq!(world.batches(), 1);
        let told = world.told.lock().unwrap();
        let expected: Vec<_> = (0..500).map(|no| (no, Ok(()))).collect();
        assert_eq!(*told, expected, "in the order in which they asked");
        assert!(matches!(world.loaded(499), Loaded::Record(_)));
    }

    #[test]
    fn a_batch_that_fails_has_failed_for_all_that_is_in_it() {
        let world = World::new();
        let hold = world.hold();
        (0..20).for_each(|no| world.save(no, vec![1; 32]));
        world.repo.broken.store(true, Ordering::SeqCst);
        drop(hold);
        world.settle();
        assert_eq!(world.batches(), 1);
        let told = world.told.lock().unwrap();
        assert_eq!(told.len(), 20);
        assert!(told.iter().all(|(_, result)| result.is_err()));
        assert!((0..20).all(|no| matches!(world.loaded(no), Loaded::Absent)));
    }

    #[test]
    fn a_panic_in_what_is_told_of_a_write_ends_neither_the_thread_nor_what_others_are_told() {
        let world = World::new();
        let save_all = || {
            world.save(0, vec![1; 32]);
            for (no, what) in [(1, "one"), (2, "two")] {
                let told = move |_| panic!("{what}");
                world.journal.save(key(no), RecordChange::Delete, told);
            }
            world.save(3, vec![1; 32]);
        };
        let hold = world.hold();
        save_all();
        drop(hold);
        world.settle();
        crate::guard::this_thread::wait(world.journal.close()).unwrap();
        save_all();
        world.settle();
        let told = world.told.lock().unwrap();
        let made: Vec<_> = told.iter().map(|(no, end)| (*no, end.is_ok())).collect();
        assert_eq!(made, [(0, true), (3, true), (0, false), (3, false)]);
    }

    #[test]
    fn one_that_cannot_be_written_fails_for_itself() {
        let world = World::new();
        let hold = world.hold();
        world.save(0, vec![1; 32]);
        world.save(1, vec![1; 5 * 1024 * 1024]);
        world.save(2, vec![1; 32]);
        drop(hold);
        world.settle();
        let told = world.told.lock().unwrap();
        let made: Vec<_> = told
            .iter()
            .map(|(no, result)| (*no, result.is_ok()))
            .collect();
        assert_eq!(made, [(0, true), (1, false), (2, true)]);
    }

    #[test]
    fn what_is_read_comes_after_what_was_asked_to_be_written_before_it() {
        let world = World::new();
        let hold = world.hold();
        world.save(0, b"first".to_vec());
        let (told, seen) = channel();
        let read = move |journal: &mut Journal| journal.load_state(&key(0));
        world
            .journal
            .submit(read, move |done| drop(told.send(done)));
        world.save(0, b"second".to_vec());
        drop(hold);
        let value = |loaded: Loaded| match loaded {
            Loaded::Record(record) => record.key.unwrap().expose_str().unwrap().to_owned(),
            Loaded::Absent | Loaded::Unreadable { .. } | Loaded::Unavailable { .. } => {
                String::new()
            }
        };
        assert_eq!(value(seen.recv().unwrap().unwrap()), "first");
        assert_eq!(value(world.loaded(0)), "second");
        assert_eq!(world.batches(), 2);
    }

    #[test]
    fn no_batch_grows_without_a_bound() {
        let world = World::new();
        let hold = world.hold();
        (0..8).for_each(|no| world.save(no, vec![1; 512 * 1024]));
        drop(hold);
        world.settle();
        assert_eq!(world.batches(), 4);
    }
}
