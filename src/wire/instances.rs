//! Instances of workers: how a name is shared, and what a callback changes.

use crate::operator::status;
use crate::rotation::instance;
use crate::wire::generated::{CallbackKind, InstanceStatus, Sharing};
use crate::wire::invalid::{InvalidMessage, enumerated};
use crate::wire::keys::{narrow, wide};

impl From<instance::Sharing> for Sharing {
    fn from(sharing: instance::Sharing) -> Self {
        match sharing {
            instance::Sharing::Sole => Self::Sole,
            instance::Sharing::Shared => Self::Shared,
        }
    }
}

/// How a name is shared; unspecified: it is not.
pub fn sharing(field: &'static str, number: i32) -> Result<instance::Sharing, InvalidMessage> {
    Ok(match enumerated(field, number)? {
        Sharing::Unspecified | Sharing::Sole => instance::Sharing::Sole,
        Sharing::Shared => instance::Sharing::Shared,
    })
}

impl From<instance::CallbackOf> for CallbackKind {
    fn from(of: instance::CallbackOf) -> Self {
        match of {
            instance::CallbackOf::Data => Self::Data,
            instance::CallbackOf::Memory => Self::Memory,
        }
    }
}

/// What a callback changes; unspecified: data.
pub fn callback_of(number: i32) -> Result<instance::CallbackOf, InvalidMessage> {
    Ok(match enumerated("kind", number)? {
        CallbackKind::Unspecified | CallbackKind::Data => instance::CallbackOf::Data,
        CallbackKind::Memory => instance::CallbackOf::Memory,
    })
}

impl From<&status::InstanceStatus> for InstanceStatus {
    fn from(instance: &status::InstanceStatus) -> Self {
        Self {
            instance: instance.instance,
            process: instance.process,
            user: instance.user,
            connected: instance.connected,
            ready: instance.ready,
            may_be_called_twice: instance.may_be_called_twice,
            calls: wide(instance.calls),
        }
    }
}

impl From<InstanceStatus> for status::InstanceStatus {
    fn from(instance: InstanceStatus) -> Self {
        Self {
            instance: instance.instance,
            process: instance.process,
            user: instance.user,
            connected: instance.connected,
            ready: instance.ready,
            may_be_called_twice: instance.may_be_called_twice,
            calls: narrow(instance.calls),
        }
    }
}
