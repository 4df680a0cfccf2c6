//! What one try to serve a request comes to, given the state, what its load found and what the
//! fetch that it waited for answered. Nothing is changed here.

use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::{FetchFailure, Fetched, Request};
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::machine::KeyMachine;
use crate::key::state::{Effect, Held, KeyState, Loaded, Staged, StateChange, StateRecord};
use crate::key::waiting::Waiter;
use crate::secret::value::InvalidKey;

/// What the store answered to a fetch.
pub type FetchAnswer = Result<Fetched, FetchFailure>;

/// What one try to serve a request comes to.
pub enum Attempt {
    /// It succeeds: the answer, and the state after it.
    Done {
        /// What the asker gets.
        answer: Answer,
        /// The state after it.
        state: KeyState,
    },
    /// It must write this record first.
    Write(StateRecord),
    /// It must load the record first.
    Load,
    /// It must ask the store first.
    Fetch,
    /// It fails.
    Fail(KeyError),
}

impl KeyMachine {
    pub(crate) fn attempt(&self, waiter: &Waiter, fetched: Option<&FetchAnswer>) -> Attempt {
        let loaded = waiter.loaded.as_ref();
        match (&waiter.ask.request, self.behaviour().use_case) {
            (Request::Get { .. }, SecretKeyUseCase::OneWayTrip) => self.one_way(fetched),
            (Request::Get { flow }, SecretKeyUseCase::RoundTrip) => {
                self.round_trip(*flow, loaded, fetched)
            }
            (Request::Save, _) => self.save(fetched),
            (Request::StageSave { staged }, _) => self.stage_save(staged, fetched),
        }
    }

    fn one_way(&self, fetched: Option<&FetchAnswer>) -> Attempt {
        match self.store_answer(fetched) {
            Err(attempt) => attempt,
            Ok(fetched) => Attempt::Done {
                answer: Answer::Key {
                    value: fetched.keys.to_pair().forward().clone(),
                    flow: SecretKeyFlow::Default,
                },
                state: self.state().clone(),
            },
        }
    }

    fn round_trip(
        &self,
        flow: Option<SecretKeyFlow>,
        loaded: Option<&Loaded>,
        fetched: Option<&FetchAnswer>,
    ) -> Attempt {
        let mut state = self.state().clone();
        let mut has_loaded = false;
        let flow = match flow {
            Some(flow) => flow,
            None => {
                if state.flow.is_none() && self.behaviour().has_record() {
                    if let Err(attempt) = self.load(&mut state, loaded) {
                        return attempt;
                    }
                    has_loaded = true;
                }
                if state.flow == Some(SecretKeyFlow::ForwardPath) {
                    SecretKeyFlow::BackPath
                } else {
                    SecretKeyFlow::ForwardPath
                }
            }
        };
        if flow == SecretKeyFlow::ForwardPath {
            return self.answer_of_store(fetched, flow, state);
        }
        let worth_loading = self.state().flow.is_none() || !self.behaviour().keep_in_cache;
        if state.held.is_none()
            && self.behaviour().has_record()
            && worth_loading
            && !has_loaded
            && let Err(attempt) = self.load(&mut state, loaded)
        {
            return attempt;
        }
        let Some(held) = state.held.clone() else {
            return self.answer_of_store(fetched, flow, state);
        };
        if held.superseded || !self.behaviour().keep_in_cache {
            state.held = None;
        }
        state.flow = Some(flow);
        let value = held.pair.back().clone();
        Attempt::Done {
            answer: Answer::Key { value, flow },
            state,
        }
    }

    fn load(&self, state: &mut KeyState, loaded: Option<&Loaded>) -> Result<(), Attempt> {
        let key = self.name().clone();
        match loaded {
            None => Err(Attempt::Load),
            Some(Loaded::Absent) => Ok(()),
            Some(Loaded::Record(record)) => {
                state.load(record);
                Ok(())
            }
            Some(Loaded::Unreadable { why }) => {
                let why = why.clone();
                Err(Attempt::Fail(KeyError::StateUnreadable { key, why }))
            }
            Some(Loaded::Unavailable { why }) => {
                let why = why.clone();
                Err(Attempt::Fail(KeyError::RepoUnavailable { key, why }))
            }
        }
    }

    fn answer_of_store(
        &self,
        fetched: Option<&FetchAnswer>,
        flow: SecretKeyFlow,
        mut state: KeyState,
    ) -> Attempt {
        let pair = match self.store_answer(fetched) {
            Err(attempt) => return attempt,
            Ok(fetched) => fetched.keys.to_pair(),
        };
        let half = match flow {
            SecretKeyFlow::ForwardPath | SecretKeyFlow::Default => pair.forward(),
            SecretKeyFlow::BackPath => pair.back(),
        };
        let value = half.clone();
        state.flow = Some(flow);
        state.held = self.behaviour().keep_in_cache.then(|| Held::fresh(pair));
        Attempt::Done {
            answer: Answer::Key { value, flow },
            state,
        }
    }

    fn store_answer<'a>(&self, fetched: Option<&'a FetchAnswer>) -> Result<&'a Fetched, Attempt> {
        let key = self.name().clone();
        let invalid = |why| {
            Err(Attempt::Fail(KeyError::InvalidKey {
                key: self.name().clone(),
                why,
            }))
        };
        match fetched {
            None => Err(Attempt::Fetch),
            Some(Err(FetchFailure::Failed { why })) => {
                let why = why.clone();
                Err(Attempt::Fail(KeyError::StoreFailed { key, why }))
            }
            Some(Err(FetchFailure::Invalid(why))) => invalid(*why),
            Some(Ok(fetched)) => match self.shape(fetched) {
                Ok(()) => Ok(fetched),
                Err(why) => invalid(why),
            },
        }
    }

    fn shape(&self, fetched: &Fetched) -> Result<(), InvalidKey> {
        fetched.keys.check()?;
        match self.behaviour().use_case {
            SecretKeyUseCase::OneWayTrip if fetched.keys.is_pair() => {
                Err(InvalidKey::PairForOneWay)
            }
            SecretKeyUseCase::OneWayTrip | SecretKeyUseCase::RoundTrip => Ok(()),
        }
    }

    fn save(&self, fetched: Option<&FetchAnswer>) -> Attempt {
        let Some(mut record) = self.state().record() else {
            return Attempt::Done {
                answer: Answer::Saved,
                state: self.state().clone(),
            };
        };
        if record.flow == SecretKeyFlow::ForwardPath && record.key.is_none() {
            match self.store_answer(fetched) {
                Err(attempt) => return attempt,
                Ok(fetched) => record.key = Some(fetched.keys.to_pair().back().clone()),
            }
        }
        Attempt::Write(record)
    }

    fn stage_save(&self, staged: &[Staged], fetched: Option<&FetchAnswer>) -> Attempt {
        let change = StateChange {
            staged: staged.to_vec(),
            effect: Effect::Nothing,
            new_keys: None,
            overtaken: false,
            resumed: None,
        };
        let mut after = self.state().clone();
        change.apply(true, &mut after);
        let lacks_half = after.flow == Some(SecretKeyFlow::ForwardPath) && after.held.is_none();
        let asked = match lacks_half.then(|| self.store_answer(fetched)) {
            None => None,
            Some(Err(attempt)) => return attempt,
            Some(Ok(fetched)) => Some(fetched.keys.to_pair().back().clone()),
        };
        Attempt::Done {
            answer: Answer::Staged { asked },
            state: self.state().clone(),
        }
    }
}
