//! Secret values.

use std::fmt;
use std::mem;

use crate::secret::value::{CENSORED, SecretKeyValue};
use crate::wire::generated::Value;

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
