//! One life of a manager: what is lost with it, how it starts and ends, and its journal's thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use keyward::journal::database::Database;
use keyward::journal::error::JournalError;
use keyward::journal::fact::JournalFact;
use keyward::journal::load::{LoadedJournal, RotationSecrets};
use keyward::journal::opened::Journal;
use keyward::key::event::{Event as KeyEvent, Ticket, WriteFailure};
use keyward::key::name::WorkerName;
use keyward::key::state::{Effect, Loaded, RecordChange, Staged};
use keyward::rotation::engine::{Reread, RotationEngine};
use keyward::rotation::event::{Ask, Declaration, EndedRotation, Event, StepRef};
use keyward::rotation::id::RotationId;
use keyward::rotation::machine::RotationMachine;
use keyward::rotation::replay::DurableFacts;

use crate::asks::Asked;
use crate::callbacks::{CallId, Lane};
use crate::coordinator::Told;
use crate::disk::Fate;
use crate::keys::Shell;
use crate::plan::key_name;
use crate::world::{Of, What, World};

/// What the journal's thread has to do.
#[derive(Debug)]
pub enum Job {
    Write {
        facts: Vec<JournalFact>,
        applied: BTreeSet<StepRef>,
    },
    Reopen,
    Search(Ask, Declaration),
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
    pub answer: Option<(bool, Option<RecordChange>)>,
}

/// One life of a manager.
pub struct Life {
    pub no: u64,
    pub engine: RotationEngine,
    pub journal: Option<Journal>,
    pub jobs: VecDeque<Job>,
    pub keys: Vec<Option<Shell>>,
    pub secrets: BTreeMap<RotationId, RotationSecrets>,
    pub snapshots: BTreeMap<RotationId, Ticket>,
    pub prepares: BTreeMap<StepRef, (u64, Lane)>,
    /// The callbacks under way, with their attempts.
    pub calls: BTreeMap<StepRef, (u32, CallId)>,
    /// The steps of which a callback was called.
    pub began: BTreeSet<StepRef>,
    /// The newest attempt of each step of which the coordinator knows how it ended.
    pub known: BTreeMap<StepRef, u32>,
    pub done: BTreeMap<StepRef, (Effect, Vec<Staged>)>,
    pub proposals: BTreeMap<StepRef, Proposal>,
    pub asks: BTreeMap<Ask, Asked>,
    /// Whoever does not wait any more, and as which worker it joins.
    pub gone: BTreeMap<Ask, Option<WorkerName>>,
    /// The workers that are here, with their incarnations.
    pub workers: BTreeMap<usize, u64>,
    pub timer: Option<u64>,
    pub writing: bool,
    /// The batch of which it is unknown whether it was made, and what was found out about it.
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
            secrets: loaded.secrets,
            snapshots: BTreeMap::new(),
            prepares: BTreeMap::new(),
            calls: BTreeMap::new(),
            began: BTreeSet::new(),
            known: BTreeMap::new(),
            done: BTreeMap::new(),
            proposals: BTreeMap::new(),
            asks: BTreeMap::new(),
            gone: BTreeMap::new(),
            workers: BTreeMap::new(),
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

    /// The journal's thread has one more job.
    pub fn job(&mut self, job: Job) {
        let life = self.life();
        life.jobs.push_back(job);
        if life.jobs.len() == 1 {
            self.begins_a_job();
        }
    }

    fn begins_a_job(&mut self) {
        let slow = !self.calm && self.chance.percent(self.plan.faults.slow);
        let takes = if slow {
            self.chance.between(50, 4_000)
        } else {
            self.chance.below(6)
        };
        self.in_life(takes, What::JobDone);
    }

    pub fn job_done(&mut self) {
        let Some(job) = self.life().jobs.pop_front() else {
            return;
        };
        let closes = matches!(job, Job::Close);
        self.work(job, true);
        if closes {
            self.life_is_over(false);
        } else if !self.life().jobs.is_empty() {
            self.begins_a_job();
        }
    }

    /// Does a job; where it is not told, the process is gone before anybody learns of it.
    fn work(&mut self, job: Job, told: bool) {
        let (reads, shut) = (self.plan.faults.reads, self.plan.faults.reopenings);
        let unreadable = !self.calm && self.chance.per_mille(reads);
        let shut = !self.calm && self.chance.percent(shut);
        let fate = self.fate();
        {
            let mut manners = self.disk.manners();
            manners.fate = fate;
            manners.made = false;
            manners.unreadable = unreadable;
            manners.shut = shut;
        }
        self.figures.failed_reads += u64::from(unreadable);
        let mut journal = self.life().journal.take().expect("an open journal");
        let closed = matches!(job, Job::Close);
        self.work_with(&mut journal, job, told);
        {
            let mut manners = self.disk.manners();
            manners.fate = Fate::Fine;
            manners.unreadable = false;
            manners.shut = false;
        }
        if closed {
            let troubled = self.life().troubled;
            self.check_closed(troubled);
            journal.close().expect("it can be closed");
        } else {
            self.life().journal = Some(journal);
        }
    }

    fn fate(&mut self) -> Fate {
        if self.calm || !self.chance.per_mille(self.plan.faults.writes) {
            return Fate::Fine;
        }
        self.chance.pick(&[
            Fate::Refused,
            Fate::Refused,
            Fate::Lost,
            Fate::Lost,
            Fate::Kept,
            Fate::Kept,
            Fate::PanicsBefore,
            Fate::PanicsAfter,
        ])
    }

    fn work_with(&mut self, journal: &mut Journal, job: Job, told: bool) {
        match job {
            Job::Write { facts, applied } => {
                let number = journal.next_batch();
                let result = self.attempt(journal, |journal| journal.write(&facts).map(drop));
                let made = self.disk.manners().made;
                if made {
                    self.truth.batch(&facts, &applied);
                    self.figures.batches += 1;
                }
                self.life().made = made;
                if told {
                    self.send(Told::Written(number, result));
                }
            }
            Job::Save(key, ticket, change) => {
                let name = key_name(key);
                let result = self.attempt(journal, |journal| journal.save_state(&name, &change));
                if self.disk.manners().made {
                    self.truth.save(&name, &change);
                }
                if !told {
                    return;
                }
                if let Err(failure) = &result
                    && failure.unknown
                {
                    self.figures.unknown_saves += 1;
                    self.send(Told::Interrupted(failure.why.clone()));
                }
                self.tell_key(
                    key,
                    KeyEvent::Saved {
                        ticket,
                        change,
                        result,
                    },
                );
            }
            Job::Reopen => {
                let found = self.reread(journal).map_err(|error| error.to_string());
                self.figures.failed_reopenings += u64::from(found.is_err());
                self.send(Told::Reopened(found));
            }
            Job::Search(ask, declaration) => {
                let found = journal.find_ended(declaration.id);
                let found = found.map_err(|error| error.to_string()).map(|found| {
                    found.map(|(header, _)| EndedRotation {
                        key: header.key,
                        declared: header.declared,
                    })
                });
                self.send(Told::Happened(Event::Searched {
                    ask,
                    declaration,
                    found,
                }));
            }
            Job::Find(asked, id) => {
                let found = journal.find_ended(id).map(|found| found.is_some());
                self.found(&asked, id, found.ok());
            }
            Job::Load(key, ticket) => {
                let found = journal.load_state(&key_name(key));
                self.tell_key(key, KeyEvent::Loaded { ticket, found });
            }
            Job::Look(key, ticket) => match journal.load_state(&key_name(key)) {
                Loaded::Unavailable { .. } => self.in_life(1_000, What::LookAgain(key, ticket)),
                found => self.tell_key(key, KeyEvent::Looked { ticket, found }),
            },
            Job::Close => {}
        }
    }

    /// Tries to write; a failure says whether the write may have been made all the same.
    fn attempt(
        &mut self,
        journal: &mut Journal,
        write: impl FnOnce(&mut Journal) -> Result<(), JournalError>,
    ) -> Result<(), WriteFailure> {
        let before = journal.is_in_doubt();
        let result = catch_unwind(AssertUnwindSafe(|| write(journal)));
        let made = self.disk.manners().made;
        let why = match result {
            Ok(Ok(())) => {
                assert!(made, "a write was told that was not made");
                return Ok(());
            }
            Ok(Err(error @ (JournalError::WriteUnknown { .. } | JournalError::Repo { .. }))) => {
                error.to_string()
            }
            Ok(Err(error)) => panic!("the journal refuses what the engine wants: {error}"),
            Err(_) => {
                self.figures.panics += 1;
                "the repo panicked".to_owned()
            }
        };
        let unknown = !before && journal.is_in_doubt();
        assert!(unknown || !made, "a write was refused that was made");
        *match (unknown, made) {
            (true, true) => &mut self.figures.unknown_made,
            (true, false) => &mut self.figures.unknown_unmade,
            (false, _) => &mut self.figures.refused,
        } += 1;
        Err(WriteFailure { why, unknown })
    }

    fn reread(
        &mut self,
        journal: &mut Journal,
    ) -> Result<(Reread, BTreeMap<RotationId, RotationSecrets>), JournalError> {
        if journal.is_in_doubt() {
            journal.reopen()?;
        }
        let made = self.life().made;
        let batch_was_made = match &mut self.life().doubtful {
            None => false,
            Some((_, Some(known))) => *known,
            // That can be told only until the next write takes the number.
            Some((number, known)) => {
                let found = journal.was_written(*number)?;
                assert_eq!(found, made, "an unknown batch was made, or was not");
                *known.insert(found)
            }
        };
        let loaded = journal.load()?;
        self.check_loaded(journal, &loaded);
        let reread = Reread {
            facts: loaded.facts,
            batch_was_made,
        };
        Ok((reread, loaded.secrets))
    }

    /// A shutdown leaves nothing in progress, unless it could not write.
    fn check_closed(&self, troubled: bool) {
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
