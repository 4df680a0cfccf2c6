//! Descriptors of sockets that no child of `fork()` keeps open.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::MutexGuard;

use super::{Files, files, is_child};

/// While it lives no fork happens: what is opened meanwhile can be kept from every child.
pub struct Opening(MutexGuard<'static, Files>);

/// Begins to open something that is to be kept from the children of `fork()`. It must be quick.
pub fn opening() -> Opening {
    Opening(files())
}

impl Opening {
    /// Has every child close this descriptor. What is answered has to be dropped before its owner closes it.
    pub fn keep(&mut self, descriptor: &impl AsRawFd) -> KeptDescriptor {
        let descriptor = descriptor.as_raw_fd();
        self.0.of_others.insert(descriptor);
        KeptDescriptor { descriptor }
    }
}

/// A descriptor that belongs to something else, and that no child of `fork()` keeps open.
#[derive(Debug)]
pub struct KeptDescriptor {
    descriptor: RawFd,
}

impl Drop for KeptDescriptor {
    fn drop(&mut self) {
        if !is_child() {
            files().of_others.remove(&self.descriptor);
        }
    }
}
