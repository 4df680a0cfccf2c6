//! Secret values.

use std::fmt;
use std::mem;

use crate::secret::value::{CENSORED, SecretKeyPair, SecretKeyValue, SecretKeys};
use crate::wire::generated::{Value, ValueOrPair};
use crate::wire::invalid::{InvalidMessage, needed};

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CENSORED)
    }
}

impl Drop for Value {
    /// Wipes the bytes, wherever the message ends.
    fn drop(&mut self) {
        drop(SecretKeyValue::new(mem::take(&mut self.data)));
    }
}

impl From<&SecretKeyValue> for Value {
    fn from(value: &SecretKeyValue) -> Self {
        let data = value.expose().to_vec();
        Self { data }
    }
}

impl From<Value> for SecretKeyValue {
    fn from(mut value: Value) -> Self {
        Self::new(mem::take(&mut value.data))
    }
}

impl From<&SecretKeys> for ValueOrPair {
    fn from(keys: &SecretKeys) -> Self {
        match keys {
            SecretKeys::Single(value) => Self {
                value: Some(value.into()),
                back: None,
            },
            SecretKeys::Pair(pair) => Self {
                value: Some(pair.forward().into()),
                back: Some(pair.back().into()),
            },
        }
    }
}

impl From<&SecretKeyPair> for ValueOrPair {
    /// One value where both halves are equal.
    fn from(pair: &SecretKeyPair) -> Self {
        let back = (!pair.is_symmetric()).then(|| pair.back().into());
        let value = Some(pair.forward().into());
        Self { value, back }
    }
}

impl TryFrom<ValueOrPair> for SecretKeys {
    type Error = InvalidMessage;

    /// Their sizes are not looked at: that is done where keys are taken, and has an error of its own.
    fn try_from(keys: ValueOrPair) -> Result<Self, InvalidMessage> {
        let value = SecretKeyValue::from(needed("value", keys.value)?);
        Ok(match keys.back {
            Some(back) => Self::Pair(SecretKeyPair::new(value, back)),
            None => Self::Single(value),
        })
    }
}

/// A pair that may be missing.
pub fn pair(keys: Option<ValueOrPair>) -> Result<Option<SecretKeyPair>, InvalidMessage> {
    let keys = keys.map(SecretKeys::try_from).transpose()?;
    Ok(keys.map(|keys| keys.to_pair()))
}
