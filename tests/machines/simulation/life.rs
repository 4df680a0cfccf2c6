//! One life of a manager: what is lost with it, how it starts and ends, and its journal's thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use keyward::journal::database::Database;
use keyward::journal::error::JournalError;
use keyward::journal::fact::JournalFact;
use keyward::journal::load::LoadedJournal;
use keyward::journal::opened::Journal;
use keyward::journal::secrets::RotationSecrets;
use keyward::key::event::Ticket;
use keyward::key::state::{Effect, Loaded, RecordChange, Staged};
use keyward::rotation::durable::DurableFacts;
use keyward::rotation::engine::RotationEngine;
use keyward::rotation::event::{Declaration, Lacks, StepRef};
use keyward::rotation::id::RotationId;
use keyward::rotation::machine::RotationMachine;

use crate::simulation::asks::{Asked, Kind};
use crate::simulation::callbacks::{CallId, Lane};
use crate::simulation::keys::Shell;
use crate::simulation::plan::key_name;
use crate::simulation::presence::WorkerActor;
use crate::simulation::truth::Secrets;
use crate::simulation::world::{Of, What, World};

/// What the journal's thread has to do.
#[derive(Debug)]
pub enum Job {
    Write {
        facts: Vec<JournalFact>,
        applied: BTreeSet<StepRef>,
    },
    Reopen,
    Search(Ticket, Box<Declaration>),
    Find(Asked, RotationId),
    Load(usize, Ticket),
    Look(usize, Ticket),
    Save(usize, Option<Ticket>, RecordChange),
    Close,
}

/// How far a shutdown is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    No,
    Draining,
    Flushing,
    Closed,
}

/// What a step proposed to its key.
#[derive(Debug)]
pub struct Proposal {
    pub ticket: Ticket,
    pub key: usize,
    pub resumed: bool,
    pub answer: Option<(bool, Option<RecordChange>)>,
}

/// One life of a manager.
pub struct Life {
    pub no: u64,
    pub engine: RotationEngine,
    pub journal: Option<Journal>,
    pub jobs: VecDeque<Job>,
    pub keys: Vec<Option<Shell>>,
    /// The keys that came with declarations that are not answered yet.
    pub offered: BTreeMap<Ticket, Secrets>,
    pub secrets: BTreeMap<RotationId, RotationSecrets>,
    pub snapshots: BTreeMap<RotationId, Ticket>,
    pub prepares: BTreeMap<StepRef, (u64, Lane)>,
    /// What workers said that callbacks lack which are due.
    pub lacks: BTreeMap<StepRef, Vec<Lacks>>,
    /// The callbacks under way, with their attempts.
    pub calls: BTreeMap<StepRef, (u32, CallId)>,
    /// The steps with a callback that was called.
    pub began: BTreeSet<StepRef>,
    /// The newest attempt of each step with an end that the coordinator knows.
    pub known: BTreeMap<StepRef, u32>,
    pub done: BTreeMap<StepRef, (Effect, Vec<Staged>)>,
    pub proposals: BTreeMap<StepRef, Proposal>,
    pub asks: BTreeMap<Ticket, Asked>,
    /// The callers that do not wait any more, and their requests.
    pub gone: BTreeMap<Ticket, Kind>,
    /// The workers that are here, with their incarnations.
    pub workers: BTreeMap<usize, u64>,
    /// The actors of workers, dead workers too.
    pub actors: BTreeMap<usize, WorkerActor>,
    /// The workers that may have left or not.
    pub perhaps_left: BTreeSet<usize>,
    pub timer: Option<u64>,
    pub writing: bool,
    /// The batch with an unknown outcome, and what was found out about it.
    pub doubtful: Option<(u64, Option<bool>)>,
    /// Whether it really was.
    pub made: bool,
    pub closing: Closing,
    /// Whether a write failed, or the coordinator died, during the shutdown.
    pub troubled: bool,
    pub coordinator_busy: u64,
    pub keys_busy: Vec<u64>,
}

impl Life {
    pub fn of(&self) -> Of {
        Of::Life(self.no)
    }
}

impl World {
    /// A manager starts on what is durable.
    pub fn start(&mut self) {
        if self.life.is_some() {
            return;
        }
        let delay = self.chance.between(1, 500);
        let faults = &self.plan.faults;
        let (reopenings, reads) = (faults.reopenings, faults.reads);
        let fails = !self.calm && self.chance.percent(reopenings / 2);
        let unreadable = !self.calm && (fails || self.chance.per_mille(reads));
        {
            let mut manners = self.disk.manners();
            manners.refuses = false;
            manners.unreadable = unreadable;
        }
        let opened = self.open();
        self.disk.manners().unreadable = false;
        let (journal, loaded) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                assert!(unreadable, "a good disk cannot be opened: {error}");
                self.figures.failed_starts += 1;
                self.after(delay, Of::World, What::Start);
                return;
            }
        };
        self.check_loaded(&journal, &loaded);
        self.figures.lives += 1;
        self.lives += 1;
        let machine = RotationMachine::replay(self.plan.config.clone(), loaded.facts);
        let keys = self.plan.keys.len();
        self.life = Some(Life {
            no: self.lives,
            engine: RotationEngine::new(machine),
            journal: Some(journal),
            jobs: VecDeque::new(),
            keys: (0..keys).map(|_| None).collect(),
            offered: BTreeMap::new(),
            secrets: loaded.secrets,
            snapshots: BTreeMap::new(),
            prepares: BTreeMap::new(),
            lacks: BTreeMap::new(),
            calls: BTreeMap::new(),
            began: BTreeSet::new(),
            known: BTreeMap::new(),
            done: BTreeMap::new(),
            proposals: BTreeMap::new(),
            asks: BTreeMap::new(),
            gone: BTreeMap::new(),
            workers: BTreeMap::new(),
            actors: BTreeMap::new(),
            perhaps_left: BTreeSet::new(),
            timer: None,
            writing: false,
            doubtful: None,
            made: false,
            closing: Closing::No,
            troubled: false,
            coordinator_busy: 0,
            keys_busy: vec![0; keys],
        });
        self.program_starts();
    }

    fn open(&self) -> Result<(Journal, LoadedJournal), JournalError> {
        let database = Database::open(Arc::new(self.disk.another()))?;
        let journal = database.unlock(Arc::clone(&self.seal) as Arc<_>)?;
        let loaded = journal.load()?;
        Ok((journal, loaded))
    }

    /// What the journal has is what was written.
    pub fn check_loaded(&self, journal: &Journal, loaded: &LoadedJournal) {
        assert!(loaded.unreadable.is_empty(), "{:?}", loaded.unreadable);
        assert_eq!(
            in_order(loaded.facts.clone()),
            in_order(self.truth.journal.facts()),
            "the journal has other facts than were written"
        );
        let secrets =
            |(id, s): (&RotationId, &RotationSecrets)| (*id, (s.old.clone(), s.new.clone()));
        let found: BTreeMap<_, _> = loaded.secrets.iter().map(secrets).collect();
        assert_eq!(found, self.truth.secrets, "keys of rotations differ");
        let snapshots = loaded.secrets.iter();
        let snapshots = snapshots.filter_map(|(id, s)| Some((*id, s.snapshot.clone()?)));
        assert_eq!(
            snapshots.collect::<BTreeMap<_, _>>(),
            self.truth.snapshots,
            "what keys had at the beginning of rotations differs"
        );
        for key in 0..self.plan.keys.len() {
            let name = key_name(key);
            let record = self.truth.records.get(&name).cloned();
            let durable = record.map_or(Loaded::Absent, Loaded::Record);
            assert_eq!(journal.load_state(&name), durable, "the record of {name}");
        }
        for id in self.accepted.keys() {
            assert!(self.truth.has(*id), "accepted rotation {id} is lost");
        }
    }

    /// The process is gone: only the disk survives it.
    pub fn crash(&mut self) {
        if self.calm {
            return;
        }
        self.figures.crashes += 1;
        if let Some(job) = self.life.as_mut().and_then(|life| life.jobs.pop_front())
            && self.chance.percent(50)
        {
            let writes = matches!(job, Job::Write { .. } | Job::Save(..));
            self.figures.crashes_in_a_write += u64::from(writes);
            if writes {
                self.work(job, false);
            }
        }
        let every = self.plan.faults.crash_every;
        if every > 0 {
            let next = self.chance.about(every) + 1;
            self.processes += 1;
            self.after(next, Of::Process(self.processes), What::Crash);
        } else {
            self.processes += 1;
        }
        self.life_is_over(true);
    }

    pub fn life_is_over(&mut self, crashed: bool) {
        self.clear_lanes(crashed);
        if let Some(life) = self.life.take() {
            for asked in life.asks.into_values() {
                self.life_is_over_for(asked);
            }
        }
        let delay = self.chance.between(1, 2_000);
        self.after(delay, Of::World, What::Start);
    }

    /// A shutdown leaves nothing in progress, unless it could not write.
    pub fn check_closed(&self, troubled: bool) {
        let life = self.life.as_ref().expect("a life");
        let left = self.truth.in_progress().into_iter();
        let left: Vec<StepRef> = left.filter(|step| life.began.contains(step)).collect();
        assert!(
            troubled || left.is_empty(),
            "a shutdown left these in progress: {left:?}"
        );
    }
}

fn in_order(mut facts: DurableFacts) -> DurableFacts {
    facts.members.sort_by_key(|member| member.joined);
    facts.callbacks.sort_by_key(|callback| callback.registered);
    facts.rotations.sort_by_key(|(header, _)| header.seq);
    facts
}
