//! What one try to serve a request comes to, given the state, what its load found and what the
//! fetch that it waited for answered. Nothing is changed here.

use std::borrow::Cow;

use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::{FetchAnswer, FetchFailure, FetchedKeys, Request};
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::machine::KeyMachine;
use crate::key::state::{Effect, Held, KeyState, Loaded, Staged, StateChange, StateRecord};
use crate::key::versions::id::VersionId;
use crate::key::waiting::Waiter;
use crate::secret::value::InvalidKey;

/// What a request that succeeds makes of the state.
pub enum After {
    /// Nothing.
    Same,
    /// The last flow is this one; what is held stays.
    Flow(SecretKeyFlow),
    /// It is this.
    State(KeyState),
}

/// What one try to serve a request comes to.
pub enum Attempt {
    /// It succeeds.
    Done {
        /// What the asker gets.
        answer: Answer,
        /// The state after it.
        after: After,
    },
    /// It must write this record first.
    Write(StateRecord),
    /// The versions of the key must be known first.
    KnowVersions,
    /// This version must owe the asker's worker first.
    Owe(VersionId),
    /// It must load the record first.
    Load,
    /// It must ask the store first.
    Fetch,
    /// It fails.
    Fail(KeyError),
}

impl KeyMachine {
    /// Whether a request fits the key.
    pub(crate) fn fits(&self, request: &Request) -> Result<(), KeyError> {
        let back = SecretKeyFlow::BackPath;
        match request {
            Request::Save | Request::StageSave { .. } if self.is_versioned() => {
                let key = self.name().clone();
                Err(KeyError::StatelessKey { key })
            }
            Request::Candidates if self.is_versioned() => Ok(()),
            Request::Get { flow: Some(flow) } if !flow.fits(self.behaviour().use_case) => {
                Err(KeyError::InvalidFlow {
                    key: self.name().clone(),
                    flow: *flow,
                    use_case: self.behaviour().use_case,
                })
            }
            Request::Save | Request::StageSave { .. } if self.behaviour().stateless => {
                let key = self.name().clone();
                Err(KeyError::StatelessKey { key })
            }
            Request::Candidates if !back.fits(self.behaviour().use_case) => {
                Err(KeyError::InvalidFlow {
                    key: self.name().clone(),
                    flow: back,
                    use_case: self.behaviour().use_case,
                })
            }
            Request::Get { .. }
            | Request::Current { .. }
            | Request::Version { .. }
            | Request::Versions
            | Request::Candidates
            | Request::AskStore
            | Request::Save
            | Request::StageSave { .. } => Ok(()),
        }
    }

    pub(crate) fn attempt(&self, waiter: &Waiter, fetched: Option<&FetchAnswer>) -> Attempt {
        let loaded = waiter.loaded.as_ref();
        match (&waiter.ask.request, self.behaviour().use_case) {
            (Request::Get { .. }, SecretKeyUseCase::OneWayTrip) => self.one_way(fetched),
            (Request::Get { flow }, SecretKeyUseCase::RoundTrip) => {
                self.round_trip(*flow, loaded, fetched)
            }
            (Request::Current { worker }, _) => self.current_for(worker),
            (Request::Version { id }, _) => self.version(*id),
            (Request::Versions, _) => self.version_listing(),
            (Request::Candidates, _) if self.is_versioned() => self.version_candidates(),
            (Request::Candidates, _) => self.candidates(loaded, fetched),
            (Request::AskStore, _) => match self.store_answer(fetched) {
                Err(attempt) => attempt,
                Ok(fetched) => Attempt::Done {
                    answer: Answer::OfStore(fetched.clone()),
                    after: After::Same,
                },
            },
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
                after: After::Same,
            },
        }
    }

    fn round_trip(
        &self,
        flow: Option<SecretKeyFlow>,
        loaded: Option<&Loaded>,
        fetched: Option<&FetchAnswer>,
    ) -> Attempt {
        let mut state = Cow::Borrowed(self.state());
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
            return self.answer_of_store(fetched, flow);
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
        let Some(held) = &state.held else {
            return self.answer_of_store(fetched, flow);
        };
        let value = held.pair.back().clone();
        let drops = held.superseded || !self.behaviour().keep_in_cache;
        let after = match state {
            Cow::Borrowed(_) if !drops => After::Flow(flow),
            Cow::Borrowed(_) | Cow::Owned(_) => {
                let held = state.into_owned().held.filter(|_| !drops);
                let flow = Some(flow);
                After::State(KeyState { flow, held })
            }
        };
        Attempt::Done {
            answer: Answer::Key { value, flow },
            after,
        }
    }

    fn load(&self, state: &mut Cow<'_, KeyState>, loaded: Option<&Loaded>) -> Result<(), Attempt> {
        match loaded {
            None => Err(Attempt::Load),
            Some(Loaded::Absent) => Ok(()),
            Some(Loaded::Record(record)) => {
                state.to_mut().load(record);
                Ok(())
            }
            Some(Loaded::Unreadable { why }) => {
                let (key, why) = (self.name().clone(), why.clone());
                Err(Attempt::Fail(KeyError::StateUnreadable { key, why }))
            }
            Some(Loaded::Unavailable { why }) => {
                let (key, why) = (self.name().clone(), why.clone());
                Err(Attempt::Fail(KeyError::of_journal(key, why)))
            }
        }
    }

    fn answer_of_store(&self, fetched: Option<&FetchAnswer>, flow: SecretKeyFlow) -> Attempt {
        let pair = match self.store_answer(fetched) {
            Err(attempt) => return attempt,
            Ok(fetched) => fetched.keys.to_pair(),
        };
        let half = match flow {
            SecretKeyFlow::ForwardPath | SecretKeyFlow::Default => pair.forward(),
            SecretKeyFlow::BackPath => pair.back(),
        };
        let value = half.clone();
        let state = KeyState {
            flow: Some(flow),
            held: self.behaviour().keep_in_cache.then(|| Held::fresh(pair)),
        };
        Attempt::Done {
            answer: Answer::Key { value, flow },
            after: After::State(state),
        }
    }

    fn store_answer<'a>(
        &self,
        fetched: Option<&'a FetchAnswer>,
    ) -> Result<&'a FetchedKeys, Attempt> {
        let invalid = |why| {
            Err(Attempt::Fail(KeyError::InvalidKey {
                key: self.name().clone(),
                why,
            }))
        };
        match fetched {
            None => Err(Attempt::Fetch),
            Some(Err(FetchFailure::Failed { why })) => {
                let (key, why) = (self.name().clone(), why.clone());
                Err(Attempt::Fail(KeyError::StoreFailed { key, why }))
            }
            Some(Err(FetchFailure::Invalid(why))) => invalid(*why),
            Some(Ok(fetched)) => match self.shape(fetched) {
                Ok(()) => Ok(fetched),
                Err(why) => invalid(why),
            },
        }
    }

    fn shape(&self, fetched: &FetchedKeys) -> Result<(), InvalidKey> {
        fetched.keys.check()?;
        match self.behaviour().use_case {
            SecretKeyUseCase::OneWayTrip if fetched.keys.is_pair() => {
                Err(InvalidKey::PairForOneWay)
            }
            SecretKeyUseCase::OneWayTrip | SecretKeyUseCase::RoundTrip => Ok(()),
        }
    }

    /// What a back-path get would answer now, and what is held. A record or a store that fails leaves
    /// out what it would have told.
    fn candidates(&self, loaded: Option<&Loaded>, fetched: Option<&FetchAnswer>) -> Attempt {
        let get = self.round_trip(Some(SecretKeyFlow::BackPath), loaded, fetched);
        let value = match get {
            Attempt::Load
            | Attempt::Fetch
            | Attempt::Write(_)
            | Attempt::Owe(_)
            | Attempt::KnowVersions => return get,
            Attempt::Done {
                answer: Answer::Key { value, .. },
                ..
            } => Some(value),
            Attempt::Done { .. } | Attempt::Fail(_) => None,
        };
        let held = self.state().held.as_ref();
        let held = held.map(|held| held.pair.back().clone());
        Attempt::Done {
            answer: Answer::Candidates(value.into_iter().chain(held).collect()),
            after: After::Same,
        }
    }

    /// The answer to a request that cannot have what it still lacks: candidates are answered without
    /// it, anything else fails.
    pub(crate) fn without(&self, waiter: &Waiter, error: KeyError) -> Result<Answer, KeyError> {
        if waiter.ask.request != Request::Candidates || self.is_versioned() {
            return Err(error);
        }
        let why = String::new();
        let none = Err(FetchFailure::Failed { why: why.clone() });
        let fetched = waiter.fetched.as_ref().unwrap_or(&none);
        let unavailable = Loaded::Unavailable { why: why.into() };
        let loaded = waiter.loaded.as_ref().unwrap_or(&unavailable);
        match self.candidates(Some(loaded), Some(fetched)) {
            Attempt::Done { answer, .. } => Ok(answer),
            Attempt::Load
            | Attempt::Fetch
            | Attempt::Write(_)
            | Attempt::Owe(_)
            | Attempt::KnowVersions
            | Attempt::Fail(_) => Err(error),
        }
    }

    fn save(&self, fetched: Option<&FetchAnswer>) -> Attempt {
        let Some(mut record) = self.state().record() else {
            return Attempt::Done {
                answer: Answer::Saved,
                after: After::Same,
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
            after: After::Same,
        }
    }
}
