//! A command inherits no open file: every descriptor but the standard three is marked to be closed
//! when its program is executed, those included that other libraries of this process opened without
//! close-on-exec. Marked and not closed, because std reports a failed exec through one of its own.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::process::Command;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io::{Errno, FdFlags};

use crate::store::command::child;

/// The first descriptor after the three standard ones.
const FIRST_OTHER: libc::c_uint = 3;

/// Where the system lists the descriptors of the process that asks.
const LIST: &CStr = c"/proc/self/fd";

/// How much of the list is read at once, on the stack.
const LIST_PART: usize = 2 * 1024;

/// Has the command inherit no descriptor but the standard three.
///
/// # Errors
/// Neither close_range nor the list of /proc is to be had: what was refused, in words.
pub(super) fn inherit_none(command: &mut Command) -> Result<(), String> {
    // Asked of a range that holds no descriptor: what this thread may call, its child may.
    let Err(by_range) = mark_range(libc::c_uint::MAX) else {
        child::before_exec(command, || Ok(mark_range(FIRST_OTHER)?));
        return Ok(());
    };
    // Linux before 5.11, or a profile of system calls that does not know close_range.
    if let Err(by_list) = open_list() {
        return Err(format!(
            "close_range ({by_range}) and {} ({by_list})",
            LIST.to_string_lossy()
        ));
    }
    child::before_exec(command, || Ok(mark_listed()?));
    Ok(())
}

#[expect(
    unsafe_code,
    reason = "close_range is in no safe library that is used here"
)]
fn mark_range(first: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: it touches no memory, and closes nothing in this program.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}

fn open_list() -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, LIST, flags, Mode::empty())
}

fn mark_listed() -> Result<(), Errno> {
    let list = open_list()?;
    let mut part = [MaybeUninit::uninit(); LIST_PART];
    let mut entries = RawDir::new(&list, &mut part);
    while let Some(entry) = entries.next() {
        if let Some(descriptor) = number(entry?.file_name().to_bytes()) {
            mark(descriptor)?;
        }
    }
    Ok(())
}

#[expect(unsafe_code, reason = "the list gives bare numbers")]
fn mark(descriptor: RawFd) -> Result<(), Errno> {
    // SAFETY: the child has one thread, so that what the list has is open, and stays so.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC)
}

/// The number that a name of the list is, if it is not one of the standard three.
fn number(name: &[u8]) -> Option<RawFd> {
    let number: RawFd = str::from_utf8(name).ok()?.parse().ok()?;
    let first = RawFd::try_from(FIRST_OTHER).ok()?;
    (number >= first).then_some(number)
}
