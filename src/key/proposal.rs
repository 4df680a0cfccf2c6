//! How a rotation changes a key's state: what it finds when it begins, the change that a succeeded
//! step proposes, adopted only when it is durable, and what its end supersedes.

use std::collections::{HashMap, VecDeque};

use crate::key::effect::KeyEffect;
use crate::key::event::{Supersede, Ticket};
use crate::key::flow::SecretKeyUseCase;
use crate::key::journal_down::JournalDown;
use crate::key::machine::KeyMachine;
use crate::key::state::{KeyState, Loaded, RecordChange, Snapshot, StateChange, StateRecord};
use crate::key::waiting::For;

/// A change that a succeeded step proposes, until it is durable or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proposal {
    ticket: Ticket,
    change: StateChange,
    allowed: bool,
    base: Option<StateRecord>,
    record: Option<RecordChange>,
    /// The state before the first forward get that was answered while this was out, if that must
    /// come after it.
    before_forward: Option<KeyState>,
    /// Why it may stay out for long, if it may: the repo does not answer.
    doubt: Option<String>,
}

/// What a look at the record is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    Snapshot,
    Proposal,
}

/// The proposal that is out, and what waits for its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposals {
    out: Option<Proposal>,
    later: VecDeque<(Ticket, StateChange)>,
    snapshots: VecDeque<Ticket>,
    looking: HashMap<Ticket, Look>,
}

impl Proposals {
    /// Whether a proposal is out: until it ends, the record is neither loaded nor written.
    pub fn is_one_out(&self) -> bool {
        self.out.is_some()
    }

    /// The rotations that wait to be told what the key has.
    pub fn take_snapshots(&mut self) -> VecDeque<Ticket> {
        std::mem::take(&mut self.snapshots)
    }

    /// Why no asker should wait for the end of the one that is out.
    pub fn doubt(&self) -> Option<&str> {
        self.out.as_ref()?.doubt.as_deref()
    }
}

impl KeyMachine {
    /// Answers what the key has, as soon as no proposal is out: a rotation that begins sees what
    /// the one before it did.
    pub(crate) fn snapshot(&mut self, ticket: Ticket, effects: &mut VecDeque<KeyEffect>) {
        if self.is_versioned() && self.versions.is_none() {
            self.proposals.snapshots.push_back(ticket);
        } else if self.is_versioned() {
            let snapshot = self.version_snapshot();
            effects.push_back(KeyEffect::Snapped { ticket, snapshot });
        } else if self.proposals.is_one_out() {
            self.proposals.snapshots.push_back(ticket);
        } else if self.state.flow.is_none() && self.behaviour().has_record() {
            self.proposals.looking.insert(ticket, Look::Snapshot);
            effects.push_back(KeyEffect::Look { ticket });
        } else {
            effects.push_back(snapped(ticket, &self.state));
        }
    }

    pub(crate) fn looked(
        &mut self,
        ticket: Ticket,
        found: Loaded,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        match self.proposals.looking.remove(&ticket) {
            None => {}
            Some(Look::Snapshot) => effects.push_back(self.snapped_with(ticket, found)),
            Some(Look::Proposal) => {
                let out = self.proposals.out.as_mut().filter(|p| p.ticket == ticket);
                if let Some(proposal) = out {
                    proposal.doubt = None;
                    if let Loaded::Record(record) = found {
                        proposal.base = Some(record);
                    }
                }
                self.answer_proposal(effects);
            }
        }
    }

    /// The answer to a snapshot after a look; a flow that has become known meanwhile is newer than
    /// the record.
    fn snapped_with(&self, ticket: Ticket, found: Loaded) -> KeyEffect {
        let mut state = self.state.clone();
        if state.flow.is_none() {
            match found {
                Loaded::Absent => {}
                Loaded::Record(record) => state.load(&record),
                Loaded::Unreadable { why }
                | Loaded::Unavailable {
                    why: JournalDown { why, .. },
                } => {
                    let snapshot = Snapshot::Unreadable { why };
                    return KeyEffect::Snapped { ticket, snapshot };
                }
            }
        }
        snapped(ticket, &state)
    }

    pub(crate) fn propose(
        &mut self,
        ticket: Ticket,
        change: StateChange,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        if self.proposals.is_one_out() {
            self.proposals.later.push_back((ticket, change));
            return;
        }
        let forward_since_stop = |rotation: u128| {
            let at_stop = self.forward_answers_at_stop.get(&rotation);
            self.forward_answers > at_stop.copied().unwrap_or(0)
        };
        let allowed = self.behaviour().use_case == SecretKeyUseCase::RoundTrip
            && !self.is_versioned()
            && !change.overtaken
            && !change.resumed.is_some_and(forward_since_stop);
        let looks = change.builds_on_record()
            && allowed
            && self.state.flow.is_none()
            && self.behaviour().has_record();
        self.proposals.out = Some(Proposal {
            ticket,
            change,
            allowed,
            base: None,
            record: None,
            before_forward: None,
            doubt: None,
        });
        if looks {
            self.proposals.looking.insert(ticket, Look::Proposal);
            effects.push_back(KeyEffect::Look { ticket });
            return;
        }
        self.answer_proposal(effects);
    }

    fn answer_proposal(&mut self, effects: &mut VecDeque<KeyEffect>) {
        let Some(mut proposal) = self.proposals.out.take() else {
            return;
        };
        let (_, record) = self.after(&proposal);
        proposal.record = record.clone();
        effects.push_back(KeyEffect::Proposed {
            ticket: proposal.ticket,
            applies: proposal.allowed && proposal.change.changes_state(),
            record,
        });
        self.proposals.out = Some(proposal);
    }

    /// A forward get is about to be answered. After it nothing of a resumed rotation may change the
    /// state: what is out and was allowed before comes before it.
    pub(crate) fn forward_comes(&mut self) {
        let state = &self.state;
        if let Some(out) = &mut self.proposals.out
            && out.change.resumed.is_some()
        {
            out.before_forward.get_or_insert_with(|| state.clone());
        }
    }

    /// The state after a proposal, as things are now, and what becomes of the record.
    fn after(&self, proposal: &Proposal) -> (KeyState, Option<RecordChange>) {
        let before = proposal.before_forward.as_ref();
        let mut state = before.unwrap_or(&self.state).clone();
        if let (None, Some(base)) = (state.flow, &proposal.base) {
            state.load(base);
        }
        let record = proposal.change.apply(proposal.allowed, &mut state);
        (state, record.filter(|_| self.behaviour().has_record()))
    }

    pub(crate) fn adopt(&mut self, ticket: Ticket, effects: &mut VecDeque<KeyEffect>) {
        let Some(proposal) = self.proposals.out.take_if(|p| p.ticket == ticket) else {
            return;
        };
        let (state, record) = self.after(&proposal);
        // What a forward get leaves does not depend on what was there before it.
        let stays = proposal.before_forward.is_some();
        if self.behaviour().use_case == SecretKeyUseCase::RoundTrip && !stays {
            self.state = state;
        }
        if let Some(change) = &proposal.record {
            self.owed = None;
            self.waiting.reload(&Loaded::from(change));
        }
        if let Some(change) = record.filter(|record| proposal.record.as_ref() != Some(record)) {
            self.write(None, change, effects);
        }
        self.go_on_after_proposal(effects);
    }

    pub(crate) fn withdraw(&mut self, ticket: Ticket, effects: &mut VecDeque<KeyEffect>) {
        self.proposals.later.retain(|(later, _)| *later != ticket);
        self.proposals.looking.remove(&ticket);
        if self.proposals.out.take_if(|p| p.ticket == ticket).is_some() {
            self.go_on_after_proposal(effects);
        }
    }

    /// The end of the proposal may be long in coming: an asker that would wait for it is told why.
    pub(crate) fn in_doubt(
        &mut self,
        ticket: Ticket,
        why: String,
        effects: &mut VecDeque<KeyEffect>,
    ) {
        let out = self.proposals.out.as_mut().filter(|p| p.ticket == ticket);
        if let Some(proposal) = out {
            proposal.doubt = Some(why);
            for waiter in self.waiting.take_all(For::Proposal) {
                self.serve(waiter, None, effects);
            }
        }
    }

    fn go_on_after_proposal(&mut self, effects: &mut VecDeque<KeyEffect>) {
        if let Some((ticket, change)) = self.proposals.later.pop_front() {
            self.propose(ticket, change, effects);
            return;
        }
        for ticket in self.proposals.take_snapshots() {
            self.snapshot(ticket, effects);
        }
        for waiter in self.waiting.take_all(For::Proposal) {
            self.serve(waiter, None, effects);
        }
    }

    pub(crate) fn supersede(&mut self, which: &Supersede) {
        if let Some(held) = &mut self.state.held {
            held.superseded |= match which {
                Supersede::Any => true,
                Supersede::Only(old) => old.as_ref() == Some(&held.pair),
            };
        }
    }
}

fn snapped(ticket: Ticket, state: &KeyState) -> KeyEffect {
    let snapshot = Snapshot::Known {
        flow: state.flow,
        previous: state.held.as_ref().map(|held| held.pair.clone()),
    };
    KeyEffect::Snapped { ticket, snapshot }
}
