//! The journal's thread: one job after the other, each takes its time and may fail.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use keyward::journal::error::JournalError;
use keyward::journal::opened::Journal;
use keyward::journal::secrets::RotationSecrets;
use keyward::key::event::{Event as KeyEvent, WriteFailure};
use keyward::key::state::Loaded;
use keyward::rotation::engine::Reread;
use keyward::rotation::event::{EndedRotation, Event};
use keyward::rotation::id::RotationId;

use crate::simulation::coordinator::Told;
use crate::simulation::disk::Fate;
use crate::simulation::life::Job;
use crate::simulation::plan::key_name;
use crate::simulation::world::{What, World};

impl World {
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

    /// Does a job; where it is not told, the process is gone before its end is told.
    pub fn work(&mut self, job: Job, told: bool) {
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
                    self.send(Told::Interrupted(failure.why.why.clone()));
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
                let found = self.reread(journal).map_err(|error| (&error).into());
                self.figures.failed_reopenings += u64::from(found.is_err());
                self.send(Told::Reopened(found));
            }
            Job::Search(ticket, declaration) => {
                let found = journal.find_ended(declaration.id);
                let found = found.map_err(|error| (&error).into()).map(|found| {
                    found.map(|(header, _)| EndedRotation {
                        key: header.key,
                        declared: header.declared,
                    })
                });
                self.send(Told::Happened(Event::Searched {
                    ticket,
                    declaration: *declaration,
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
        let why = why.into();
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
}
