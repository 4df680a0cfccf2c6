//! Which core a thread runs on. Waking a thread takes 5 µs where it shares the core of who wakes it,
//! and 50 µs where its own core sleeps: which of the two a system chose says nothing about a program.

use std::io;
use std::mem;

use crate::Outcome;

/// The cores that a thread may run on; back to what they were when this is dropped.
pub struct Cores {
    all: libc::cpu_set_t,
}

impl Cores {
    /// This thread's.
    pub fn of_this_thread() -> Outcome<Self> {
        // SAFETY: a set of no cores is all zeroes, and the call fills no more than its size.
        let (all, answer) = unsafe {
            let mut all: libc::cpu_set_t = mem::zeroed();
            let answer = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut all);
            (all, answer)
        };
        check(answer)?;
        Ok(Self { all })
    }

    /// This thread, and those that it starts from now on, stay on the first core.
    pub fn stay_on_first(&self) -> Outcome<()> {
        let most = usize::try_from(libc::CPU_SETSIZE)?;
        // SAFETY: a set of no cores is all zeroes, and every number is below the size of a set.
        let first = unsafe {
            let first = (0..most).find(|core| libc::CPU_ISSET(*core, &self.all));
            let mut one: libc::cpu_set_t = mem::zeroed();
            libc::CPU_SET(first.ok_or("a thread without a core")?, &mut one);
            one
        };
        allow(&first)
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        drop(allow(&self.all));
    }
}

fn allow(cores: &libc::cpu_set_t) -> Outcome<()> {
    // SAFETY: the call reads no more than the size of the set.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), cores) })
}

fn check(answer: libc::c_int) -> Outcome<()> {
    if answer == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error().into())
}
