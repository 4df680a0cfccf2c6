//! What happens to a key, one thing at a time.

use keyward::key::effect::Answer;
use keyward::key::error::KeyError;
use keyward::key::event::{Request, Supersede};
use keyward::key::flow::SecretKeyFlow;
use keyward::key::state::{Effect, Staged, StateChange};
use keyward::secret::value::{SecretKeyPair, SecretKeyValue, SecretKeys};

/// The text of the forward and of the back half.
pub type Halves = (String, String);

/// What a fetch answered; none if the store failed.
pub type StoreAnswer = Option<Halves>;

/// What an asker was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A key.
    Key(String, SecretKeyFlow),
    /// That the state is saved, or its save staged.
    Saved,
    /// The code of an error.
    Error(&'static str),
}

/// What happens to the key, and what was answered.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A worker asks.
    Ask {
        /// What.
        request: Request,
        /// What the fetches during its time answered.
        fetched: Vec<StoreAnswer>,
        /// What it was told; none if it did not wait for it.
        told: Option<Told>,
    },
    /// A change is declared, and its old keys are what is held.
    Held(Option<Halves>),
    /// A rotation begins, and its callbacks are told the last flow and the previous keys.
    Snapshot(Option<SecretKeyFlow>, Option<Halves>),
    /// A callback saves the state.
    StageSave {
        /// The call's number, and its callback.
        call: usize,
        /// What it staged before.
        staged: Vec<Staged>,
        /// What the fetches during its time answered.
        fetched: Vec<StoreAnswer>,
        /// What it was told.
        told: Told,
    },
    /// What a callback did takes effect.
    Effect {
        /// The call's number, and its callback.
        call: usize,
        /// The place of its rotation in the order of declarations.
        sequence: u64,
        /// What it staged and answered; a save that it staged has no half yet, and whether an
        /// effect of a later rotation has overtaken it is not known yet.
        change: StateChange,
    },
    /// A rotation ran to its end without a callback that re-encrypted.
    Supersede(Supersede),
    /// A rotation stopped, or ended with failures: it may be resumed.
    Stopped(u128),
    /// The program ends in order and lives again.
    Restart,
}

impl Told {
    /// What the machine's answer tells.
    pub fn of(answer: &Result<Answer, KeyError>) -> Self {
        match answer {
            Ok(Answer::Key { value, flow }) => Self::Key(text(value), *flow),
            Ok(
                Answer::Saved
                | Answer::Staged { .. }
                | Answer::Candidates(_)
                | Answer::OfStore(_)
                | Answer::Version { .. }
                | Answer::Versions(_),
            ) => Self::Saved,
            Err(error) => Self::Error(error.code()),
        }
    }
}

/// Keys as a store gives them: one value where both halves are the same.
pub fn given((forward, back): &Halves) -> SecretKeys {
    if forward == back {
        SecretKeys::from(forward.as_str())
    } else {
        SecretKeys::from((forward.as_str(), back.as_str()))
    }
}

/// The pair of both halves.
pub fn pair(halves: &Halves) -> SecretKeyPair {
    given(halves).to_pair()
}

/// The text of both halves.
pub fn halves(pair: &SecretKeyPair) -> Halves {
    (text(pair.forward()), text(pair.back()))
}

/// The text of a value.
pub fn text(value: &SecretKeyValue) -> String {
    value.expose_str().expect("tests use text").to_owned()
}

/// A change of state that a callback answered without staging anything.
pub fn effect(effect: Effect, new: Option<&Halves>) -> StateChange {
    StateChange {
        staged: Vec::new(),
        effect,
        new_keys: new.map(pair),
        overtaken: false,
        resumed: None,
    }
}
