//! Keys from environment variables of this process.

use std::env;
use std::os::unix::ffi::OsStringExt;

use crate::secret::value::{SecretKeyPair, SecretKeyValue};
use crate::store::error::StoreError;
use crate::store::keys_store::{FetchResult, Fetching, KeysStore, StoreRequest};
use crate::store::origin::{AskedByKeyward, StoreOrigin};

/// A store that reads one environment variable, or two for a pair, each time it is asked.
///
/// Every byte of the value belongs to the key, and it need not be UTF-8. keyward zeroizes its own
/// copy; the environment itself keeps the plain value, and other programs of the same user can read
/// it. A variable that is not set is `store_failed`, an empty one `invalid_key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvStore {
    variables: Variables,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Variables {
    One(String),
    Two { forward: String, back: String },
}

impl EnvStore {
    /// A store of one value.
    pub fn new(variable: impl Into<String>) -> Self {
        Self {
            variables: Variables::One(variable.into()),
        }
    }

    /// A store of a pair: the forward half's variable and the back half's.
    pub fn pair(forward: impl Into<String>, back: impl Into<String>) -> Self {
        Self {
            variables: Variables::Two {
                forward: forward.into(),
                back: back.into(),
            },
        }
    }
}

impl KeysStore for EnvStore {
    fn fetch(&self, _request: &StoreRequest) -> Fetching {
        let variables = self.variables.clone();
        Fetching::future(async move { read_all(&variables) })
    }

    fn origin(&self, _: AskedByKeyward) -> StoreOrigin {
        StoreOrigin::Environment
    }

    fn source(&self, _: AskedByKeyward) -> String {
        match &self.variables {
            Variables::One(name) => format!("the environment variable {name}"),
            Variables::Two { forward, back } => {
                format!("the environment variables {forward} and {back}")
            }
        }
    }
}

fn read_all(variables: &Variables) -> FetchResult {
    match variables {
        Variables::One(name) => read(name).map(Into::into),
        Variables::Two { forward, back } => {
            Ok(SecretKeyPair::new(read(forward)?, read(back)?).into())
        }
    }
}

fn read(name: &str) -> Result<SecretKeyValue, StoreError> {
    env::var_os(name)
        .map(|value| SecretKeyValue::new(value.into_vec()))
        .ok_or_else(|| StoreError::Missing {
            what: format!("the environment variable {name}"),
        })
}
