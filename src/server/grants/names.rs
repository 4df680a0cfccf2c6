//! Users and groups of the system by their names.

use std::ffi::{CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use crate::server::grants::error::InvalidGrant;

/// The largest entry that is read: a group of very many members.
const MOST: usize = 16 << 20;

/// The number that stands for none.
const NONE: u32 = u32::MAX;

/// The id of a user, by name or number.
pub(super) fn user_id(user: &str) -> Result<u32, InvalidGrant> {
    let found = number_or(user, |name| look_up(name, call_for_user));
    found
        .map_err(|cause| unavailable(user, cause))?
        .ok_or_else(|| InvalidGrant::UnknownUser {
            user: user.to_owned(),
        })
}

/// The id of a group, by name or number.
pub(super) fn group_id(group: &str) -> Result<u32, InvalidGrant> {
    let found = number_or(group, |name| look_up(name, call_for_group));
    found
        .map_err(|cause| unavailable(group, cause))?
        .ok_or_else(|| InvalidGrant::UnknownGroup {
            group: group.to_owned(),
        })
}

fn unavailable(name: &str, cause: io::Error) -> InvalidGrant {
    let name = name.to_owned();
    InvalidGrant::Unavailable { name, cause }
}

fn number_or(
    name: &str,
    look_up: impl FnOnce(CString) -> io::Result<Option<u32>>,
) -> io::Result<Option<u32>> {
    if let Ok(number) = name.parse::<u32>() {
        return Ok((number != NONE).then_some(number));
    }
    // No name of the system has a zero in it.
    CString::new(name).map_or(Ok(None), look_up)
}

/// One look into the system's table, with a buffer for the entry: the error's number, and the id.
type LookUp = fn(&CString, &mut [c_char]) -> (c_int, Option<u32>);

fn look_up(name: CString, call: LookUp) -> io::Result<Option<u32>> {
    let mut room = 1_024;
    loop {
        let mut buffer = vec![0; room];
        match call(&name, &mut buffer) {
            (libc::ERANGE, _) if room < MOST => room *= 4,
            (libc::EINTR, _) => {}
            (0 | libc::ENOENT | libc::ESRCH, found) => return Ok(found),
            (error, _) => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

#[expect(unsafe_code, reason = "only the C library asks all sources of users")]
fn call_for_user(name: &CString, buffer: &mut [c_char]) -> (c_int, Option<u32>) {
    let mut entry = MaybeUninit::uninit();
    let mut found: *mut libc::passwd = ptr::null_mut();
    // SAFETY: all of them live until it returns, and the buffer is as long as it is told.
    let error = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    // SAFETY: null, or the entry, which is filled then.
    let id = unsafe { found.as_ref() }.map(|found| found.pw_uid);
    (error, id)
}

#[expect(unsafe_code, reason = "only the C library asks all sources of groups")]
fn call_for_group(name: &CString, buffer: &mut [c_char]) -> (c_int, Option<u32>) {
    let mut entry = MaybeUninit::uninit();
    let mut found: *mut libc::group = ptr::null_mut();
    // SAFETY: all of them live until it returns, and the buffer is as long as it is told.
    let error = unsafe {
        libc::getgrnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    // SAFETY: null, or the entry, which is filled then.
    let id = unsafe { found.as_ref() }.map(|found| found.gr_gid);
    (error, id)
}
