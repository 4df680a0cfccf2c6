//! The thread on which a manager starts and ends.
//!
//! All that the system may refuse is asked for on it, one after the other, so that a start that fails
//! ends there what it had begun, and waits until it is gone. The end needs a thread that may block,
//! when the system may have none to give: this one waits for it from the start.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use rustix::process::geteuid;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::actors::admission::Permits;
use crate::actors::clock::Clock;
use crate::actors::coordinator::door::CoordinatorDoor;
use crate::actors::coordinator::message::CoordinatorMessage;
use crate::actors::coordinator::part::{CoordinatorMeans, CoordinatorPart};
use crate::actors::declarer::Declarer;
use crate::actors::directory::Directory;
use crate::actors::history_thread::HistoryThread;
use crate::actors::journal_thread::JournalThread;
use crate::actors::supervision::actor::ActorThreads;
use crate::actors::supervision::slot::{ActorSlot, RestartPolicy};
use crate::actors::supervision::supervisor::Supervision;
use crate::crypto::random::fill_random;
use crate::guard::events::Events;
use crate::guard::fault::{self, Fault};
use crate::guard::fork;
use crate::guard::plugins::Plugins;
use crate::guard::this_thread;
use crate::journal::fingerprints::KeyFingerprints;
use crate::journal::load::LoadedJournal;
use crate::journal::unreadable::Unreadable;
use crate::management::builder::KeysManagementBuilder;
use crate::management::error::StartError;
use crate::management::inner::{Inner, ManagerEnd};
use crate::management::keys_management::KeysManagement;
use crate::management::opening::{self, Opened};
use crate::management::settings::Settings;
use crate::operator::actor::ActorName;
use crate::rotation::act::By;
use crate::rotation::engine::RotationEngine;
use crate::rotation::machine::RotationMachine;
use crate::secret::value::SecretKeyValue;

impl KeysManagementBuilder {
    /// Starts the manager: opens the database, checks the master key, and takes up what an earlier
    /// life left.
    ///
    /// # Errors
    /// A [`StartError`]; then nothing that was there was changed, and the data folder is free. A folder
    /// that was missing may have been made. Of the program: `no_data_folder`, `no_master_key`,
    /// `zero_bound`, `forked`. Of the master key: `store_failed`, `invalid_key`, `master_key_too_short`,
    /// `wrong_master_key`. Of the data folder: [`StartError::Repo`], as `already_open`, `loose_folder`,
    /// `damaged_files`. Of the journal: [`StartError::Journal`]. Of the system: `no_thread`,
    /// `no_descriptor`. Of the worker `main`: [`StartError::Roster`].
    pub async fn start(mut self) -> Result<KeysManagement, StartError> {
        fork::refuse_child()?;
        fork::watch()?;
        if let Some(what) = self.settings.zero_bound() {
            return Err(StartError::ZeroBound { what });
        }
        self.settings.keep_to_bounds();
        if self.crypto.is_none() && self.master_key.is_none() {
            return Err(StartError::NoMasterKey);
        }
        if self.repo.is_none() && self.folder.is_none() {
            return Err(StartError::NoDataFolder);
        }
        start(self).await
    }
}

/// Starts a manager on a thread of its own, which ends it as well.
async fn start(builder: KeysManagementBuilder) -> Result<KeysManagement, StartError> {
    // Here, because events go to the subscriber of the caller.
    let events = Events::start()?;
    let (told, started) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("keyward-manager".to_owned())
        .spawn(move || live(builder, events, told))?;
    let started = started.await.unwrap_or(Err(Fault::Gone.into()));
    if started.is_err() {
        // It has nothing more to do but to end.
        drop(thread.join());
    }
    started
}

type StartEnd = oneshot::Sender<Result<KeysManagement, StartError>>;

fn live(builder: KeysManagementBuilder, events: Events, told: StartEnd) {
    let (ending, end) = mpsc::channel();
    let end_when_asked = || end.recv().map_or((), ManagerEnd::run);
    match begin(builder, events, ending, &told) {
        Ok(manager) => {
            // Where the caller has given up, the manager is dropped here, which asks for its end.
            drop(told.send(Ok(manager)));
            end_when_asked();
        }
        Err(error) => {
            // What came so far that it can be asked for its end has been asked.
            end_when_asked();
            drop(told.send(Err(error)));
        }
    }
}

fn begin(
    builder: KeysManagementBuilder,
    events: Events,
    ending: mpsc::Sender<ManagerEnd>,
    told: &StartEnd,
) -> Result<KeysManagement, StartError> {
    let plugins = Arc::new(Plugins::start(builder.settings.threads)?);
    let begun = begin_with(&plugins, builder, events, ending, told);
    if begun.is_err() {
        plugins.end();
    }
    begun
}

fn begin_with(
    plugins: &Arc<Plugins>,
    mut builder: KeysManagementBuilder,
    events: Events,
    ending: mpsc::Sender<ManagerEnd>,
    told: &StartEnd,
) -> Result<KeysManagement, StartError> {
    let master = match (&builder.crypto, builder.master_key.take()) {
        (None, Some(store)) => {
            let (plugins, events) = (Arc::clone(plugins), events.clone());
            let fetched = this_thread::wait(opening::master_key(plugins, events, store));
            Some(fetched.unwrap_or(Err(StartError::MustNotBlock))?)
        }
        (Some(_), _) | (None, None) => None,
    };
    if told.is_closed() {
        return Err(Fault::Gone.into());
    }
    let settings = builder.settings.clone();
    let actors = ActorThreads::start()?;
    let clock = Clock::start();
    let opened = fault::catch(|| opening::open(builder, master, &events));
    let stands = opened
        .map_err(StartError::from)
        .and_then(|opened| Stands::on(opened?, &settings, clock, events));
    match stands {
        Ok(stands) => {
            let inner = stands.inner(actors, Arc::clone(plugins), clock, settings, ending);
            let begun = this_thread::wait(KeysManagement::begin(inner));
            begun.unwrap_or(Err(StartError::MustNotBlock))
        }
        Err(error) => {
            actors.close();
            Err(error)
        }
    }
}

/// An open journal and the threads on it.
struct Stands {
    journal: JournalThread,
    history: HistoryThread,
    events: Events,
    database: [u8; 16],
    fingerprints: KeyFingerprints,
    unreadable: Unreadable,
    loaded: LoadedJournal,
}

impl Stands {
    fn on(
        opened: Opened,
        settings: &Settings,
        clock: Clock,
        events: Events,
    ) -> Result<Self, StartError> {
        let fingerprints = opened.journal.fingerprints();
        let unreadable = opened.journal.unreadable().clone();
        unreadable.keep_replaced(true);
        let journal = JournalThread::start(opened.journal, events.clone())?;
        match HistoryThread::start(journal.clone(), settings.history, clock, events.clone()) {
            Ok(history) => Ok(Self {
                journal,
                history,
                events,
                database: opened.database,
                fingerprints,
                unreadable,
                loaded: opened.loaded,
            }),
            Err(refused) => {
                let _closed = this_thread::wait(journal.close());
                Err(refused.into())
            }
        }
    }

    /// From here on nothing can be refused.
    fn inner(
        self,
        actors: ActorThreads,
        plugins: Arc<Plugins>,
        clock: Clock,
        settings: Settings,
        ending: mpsc::Sender<ManagerEnd>,
    ) -> Inner {
        let machine = RotationMachine::replay(settings.rotation.clone(), self.loaded.facts);
        let engine = RotationEngine::new(machine);
        let thread = actors.supervisor();
        let events = self.events.clone();
        let supervision = Supervision::new(thread, settings.restarts, clock, events);
        let means = CoordinatorMeans {
            journal: self.journal.clone(),
            history: self.history.clone(),
            events: self.events.clone(),
            plugins: Arc::clone(&plugins),
            clock,
            thread: actors.coordinator(),
            supervision: supervision.clone(),
            database: self.database,
        };
        let directory = Arc::new(Directory::default());
        let own = By::process(geteuid().as_raw(), std::process::id());
        let by = own.clone();
        let (beginnings, values) = (self.loaded.beginnings, self.loaded.values);
        let (of_callbacks, prints) = (Arc::clone(&directory), self.fingerprints.clone());
        let (of_declarer, limit) = (Arc::clone(&plugins), settings.call_time_limit);
        let coordinator = ActorSlot::take(
            ActorName::Coordinator,
            RestartPolicy::Permanent,
            actors.coordinator(),
            supervision.clone(),
            move |slot| {
                // What callbacks declare has permits of its own.
                let declarer = Declarer {
                    coordinator: CoordinatorDoor::new(
                        Arc::clone(slot) as _,
                        Arc::clone(&of_callbacks),
                    ),
                    directory: of_callbacks,
                    fingerprints: prints,
                    clock,
                    plugins: of_declarer,
                    events: means.events.clone(),
                    own: by,
                    limit,
                    make_value,
                };
                CoordinatorPart::new(
                    engine,
                    beginnings,
                    values,
                    means,
                    declarer,
                    Arc::clone(slot),
                )
            },
        );
        coordinator.make_known();
        let of_keeper = Arc::downgrade(&coordinator);
        self.history.tell_doubts(move |why| {
            if let Some(coordinator) = of_keeper.upgrade() {
                coordinator.post(CoordinatorMessage::InDoubt(why));
            }
        });
        let declarer = Declarer {
            coordinator: CoordinatorDoor::new(coordinator, Arc::clone(&directory)),
            directory,
            fingerprints: self.fingerprints,
            clock,
            plugins: Arc::clone(&plugins),
            events: self.events.clone(),
            own,
            limit,
            make_value,
        };
        Inner {
            declarer,
            journal: self.journal,
            history: self.history,
            events: self.events,
            plugins,
            clock,
            supervision,
            unreadable: self.unreadable,
            settings,
            backup: Permits::new(1),
            phases: Arc::default(),
            actors: Mutex::new(Some(actors)),
            ending,
            keys: AtomicUsize::default(),
        }
    }
}

/// A value of so many random bytes.
fn make_value(bytes: usize) -> Result<SecretKeyValue, String> {
    let mut value = Zeroizing::new(vec![0; bytes]);
    fill_random(&mut value).map_err(|error| error.to_string())?;
    Ok(SecretKeyValue::from_zeroizing(value))
}
