//! What a get answers.

use crate::key::flow::SecretKeyFlow;
use crate::secret::value::SecretKeyValue;

/// What a request for a key answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyAnswer {
    /// The value; `Debug` and `Display` do not show it.
    pub value: SecretKeyValue,
    /// The flow that it was answered on, which the key may have found by itself.
    pub flow: SecretKeyFlow,
}

impl KeyAnswer {
    /// The plain bytes of the value.
    pub fn expose(&self) -> &[u8] {
        self.value.expose()
    }

    /// The plain text of the value, if it is UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        self.value.expose_str()
    }
}
