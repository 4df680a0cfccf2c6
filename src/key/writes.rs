//! What the machine of a key writes, and what becomes of it: which requests wait for the end of a write, and
//! what is owed to the record after one that failed.

use std::collections::VecDeque;

use crate::key::effect::{Answer, KeyEffect};
use crate::key::error::KeyError;
use crate::key::event::{Ticket, WriteFailure};
use crate::key::machine::KeyMachine;
use crate::key::state::{Loaded, RecordChange};
use crate::key::waiting::For;

impl KeyMachine {
    pub(crate) fn write(
        &mut self,
        ticket: Option<Ticket>,
        change: RecordChange,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        self.writing += 1;
        effects.push_back(KeyEffect::Write { ticket, change });
    }

    pub(crate) fn max_journal_jobs(&self) -> usize {
        self.behaviour().max_requests
    }

    pub(crate) fn saved(
        &mut self,
        ticket: Option<Ticket>,
        change: RecordChange,
        result: Result<(), WriteFailure>,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        self.writing = self.writing.saturating_sub(1);
        if ticket.is_some() {
            self.journal_jobs = self.journal_jobs.saturating_sub(1);
        }
        self.waiting.reload(&match &result {
            Ok(()) => Loaded::from(&change),
            Err(failure) => Loaded::Unavailable {
                why: failure.why.clone(),
            },
        });
        if let Some(waiter) = ticket.and_then(|ticket| self.waiting.take(ticket)) {
            let key = self.name().clone();
            effects.push_back(KeyEffect::Answer {
                ticket: waiter.ask.ticket,
                answer: match result {
                    Ok(()) => Ok(Answer::Saved),
                    Err(WriteFailure { why, unknown: true }) => {
                        let why = why.why;
                        Err(KeyError::Unwritten { key, why })
                    }
                    Err(WriteFailure { why, .. }) => Err(KeyError::of_journal(key, why)),
                },
            });
        } else if ticket.is_none()
            && let Err(failure) = result
            && !failure.why.is_for_good()
        {
            self.owed = Some(change);
            effects.push_back(KeyEffect::WriteLater);
        }
        if self.writing == 0 {
            for mut waiter in self.waiting.take_all(For::Writes) {
                let fetched = waiter.fetched.take();
                self.serve(waiter, fetched.as_ref(), effects);
            }
        }
    }

    pub(crate) fn write_again(&mut self, effects: &mut VecDeque<KeyEffect>) {
        if self.proposals.is_one_out() {
            effects.push_back(KeyEffect::WriteLater);
        } else if let Some(change) = self.owed.take() {
            self.write(None, change, effects);
        }
    }
}
