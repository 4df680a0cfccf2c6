//! What a file of scenarios says.

use keyward::{OnKeyChangedCallbackErrorStrategy, SecretKeyFlow, SecretKeyUseCase, SecretKeys};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A scenario that could be read, or its name and what is wrong with it.
pub type Read = Result<Scenario, (String, String)>;

/// Reads a file of scenarios. One that cannot be understood does not keep the others from running.
///
/// # Errors
/// The file is no JSON list.
pub fn scenarios(content: &str) -> Result<Vec<Read>, String> {
    let all: Vec<Value> =
        serde_json::from_str(content).map_err(|error| format!("no list of scenarios: {error}"))?;
    Ok(all.into_iter().enumerate().map(read).collect())
}

fn read((index, value): (usize, Value)) -> Read {
    let name = value.get("name").and_then(Value::as_str);
    let name = name.map_or_else(|| format!("number {}", index + 1), str::to_owned);
    Scenario::deserialize(value).map_err(|error| (name, format!("not understood: {error}")))
}

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The key.
    pub key: Key,
    /// What its store answers at the start; none for a store that fails.
    #[serde(deserialize_with = "Option::deserialize")]
    pub store: Option<Keys>,
    /// The record in the state repo at the start.
    #[serde(default)]
    pub state: Option<State>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What must be seen, one entry a step.
    #[serde(default)]
    pub expect: Option<Value>,
    /// How many calls of the store must be seen.
    #[serde(default)]
    pub store_calls: Option<u64>,
    /// How many loads of a state record must be seen.
    #[serde(default)]
    pub state_reads: Option<u64>,
}

/// A key's definition.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// One flow or two.
    #[serde(deserialize_with = "use_case")]
    pub use_case: SecretKeyUseCase,
    /// Not given: keyward's default.
    #[serde(default)]
    pub stateless: Option<bool>,
    /// Not given: keyward's default.
    #[serde(default)]
    pub keep_in_cache: Option<bool>,
    /// Not given: keyward's default.
    #[serde(default, deserialize_with = "strategy")]
    pub error_strategy: Option<OnKeyChangedCallbackErrorStrategy>,
    /// In the order of registration.
    #[serde(default)]
    pub callbacks: Vec<Callback>,
}

/// A callback.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// Its name.
    pub name: String,
    /// The worker that has it.
    #[serde(default = "first_worker")]
    pub worker: String,
    /// What it does when it is called.
    pub does: Does,
}

fn first_worker() -> String {
    "w0".to_owned()
}

/// What a callback does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// Returns.
    Succeed,
    /// Returns an error.
    Fail,
    /// Panics.
    Panic,
    /// Says that the data is plain.
    Decrypted,
    /// Says that the data is under the new keys.
    Reencrypted,
    /// Ends the life of everything in its first attempt of each rotation, and returns in the second.
    Crash,
}

/// One value or a pair.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "keys are a string or a list of two strings")]
pub enum Keys {
    /// One value.
    One(String),
    /// The forward half and the back half.
    Pair([String; 2]),
}

impl From<Keys> for SecretKeys {
    fn from(keys: Keys) -> Self {
        match keys {
            Keys::One(value) => value.into(),
            Keys::Pair([forward, back]) => (forward, back).into(),
        }
    }
}

/// The record in the state repo at the start.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "a state is {\"flow\": …, \"key\": …} or \"corrupt\""
)]
pub enum State {
    /// A record that can be read.
    Record(Record),
    /// One that cannot.
    Corrupt(Corrupt),
}

/// A record that can be read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The last flow.
    #[serde(deserialize_with = "flow")]
    pub flow: SecretKeyFlow,
    /// The back half.
    #[serde(default)]
    pub key: Option<String>,
}

/// The word for a record that cannot be read.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corrupt {
    /// The word.
    Corrupt,
}

/// One thing that is done.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// The key is asked for.
    Get {
        /// On this flow; none for the one that the key finds by itself.
        #[serde(default, deserialize_with = "some_flow")]
        flow: Option<SecretKeyFlow>,
    },
    /// The store answers something else from now on.
    SetStore {
        /// What; none for a failure.
        #[serde(deserialize_with = "Option::deserialize")]
        keys: Option<Keys>,
    },
    /// A change is declared and waited for.
    KeyChanged {
        /// The declared old keys.
        #[serde(default)]
        old: Option<Keys>,
        /// The declared new keys.
        #[serde(default)]
        new: Option<Keys>,
    },
    /// The key's state is saved.
    SaveState {},
    /// The process ends and starts again.
    Restart {},
}

fn use_case<'de, D: Deserializer<'de>>(from: D) -> Result<SecretKeyUseCase, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        OneWayTrip,
        RoundTrip,
    }
    Ok(match Word::deserialize(from)? {
        Word::OneWayTrip => SecretKeyUseCase::OneWayTrip,
        Word::RoundTrip => SecretKeyUseCase::RoundTrip,
    })
}

fn strategy<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<OnKeyChangedCallbackErrorStrategy>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Halt,
        RaiseImmediately,
        Skip,
        SkipAndRaise,
    }
    let word = Option::<Word>::deserialize(from)?;
    Ok(word.map(|word| match word {
        Word::Halt => OnKeyChangedCallbackErrorStrategy::Halt,
        Word::RaiseImmediately => OnKeyChangedCallbackErrorStrategy::RaiseImmediately,
        Word::Skip => OnKeyChangedCallbackErrorStrategy::Skip,
        Word::SkipAndRaise => OnKeyChangedCallbackErrorStrategy::SkipAndRaise,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FlowWord {
    Default,
    ForwardPath,
    BackPath,
}

impl From<FlowWord> for SecretKeyFlow {
    fn from(word: FlowWord) -> Self {
        match word {
            FlowWord::Default => Self::Default,
            FlowWord::ForwardPath => Self::ForwardPath,
            FlowWord::BackPath => Self::BackPath,
        }
    }
}

fn flow<'de, D: Deserializer<'de>>(from: D) -> Result<SecretKeyFlow, D::Error> {
    FlowWord::deserialize(from).map(SecretKeyFlow::from)
}

fn some_flow<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretKeyFlow>, D::Error> {
    let word = Option::<FlowWord>::deserialize(from)?;
    Ok(word.map(SecretKeyFlow::from))
}
