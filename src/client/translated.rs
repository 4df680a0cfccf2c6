//! What goes over the connection, from and to what a program knows.

use std::mem;

use crate::key::flow::SecretKeyFlow;
use crate::secret::value::{SecretKeyPair, SecretKeyValue, SecretKeys};
use crate::wire::generated::{Flow, Value, ValueOrPair};

/// A value that came.
pub(super) fn value(of: Option<Value>) -> Result<SecretKeyValue, &'static str> {
    let mut value = of.ok_or("no value")?;
    Ok(SecretKeyValue::new(mem::take(&mut value.data)))
}

/// What a store answers, that came.
pub(super) fn keys(of: Option<ValueOrPair>) -> Result<SecretKeys, &'static str> {
    let ValueOrPair {
        value: forward,
        back,
    } = of.ok_or("no keys")?;
    let forward = value(forward)?;
    Ok(match back {
        None => SecretKeys::Single(forward),
        Some(back) => SecretKeys::Pair(SecretKeyPair::new(forward, value(Some(back))?)),
    })
}

/// A value to be sent.
pub(super) fn to_value(of: &SecretKeyValue) -> Value {
    Value {
        data: of.expose().to_vec(),
    }
}

/// Keys to be sent, as they were given.
pub(super) fn to_keys(of: &SecretKeys) -> ValueOrPair {
    match of {
        SecretKeys::Single(value) => ValueOrPair {
            value: Some(to_value(value)),
            back: None,
        },
        SecretKeys::Pair(pair) => ValueOrPair {
            value: Some(to_value(pair.forward())),
            back: Some(to_value(pair.back())),
        },
    }
}

/// A flow that came; none where none was said.
pub(super) fn flow(of: Flow) -> Option<SecretKeyFlow> {
    match of {
        Flow::Unspecified => None,
        Flow::Default => Some(SecretKeyFlow::Default),
        Flow::ForwardPath => Some(SecretKeyFlow::ForwardPath),
        Flow::BackPath => Some(SecretKeyFlow::BackPath),
    }
}

/// A flow to be sent.
pub(super) fn to_flow(of: Option<SecretKeyFlow>) -> Flow {
    match of {
        None => Flow::Unspecified,
        Some(SecretKeyFlow::Default) => Flow::Default,
        Some(SecretKeyFlow::ForwardPath) => Flow::ForwardPath,
        Some(SecretKeyFlow::BackPath) => Flow::BackPath,
    }
}
