//! The end of a child of `fork()` that calls `exit`.

use std::sync::Once;

use super::is_child;

/// Has a child of `fork()` that calls `exit` skip all exit handlers that were registered before this
/// call. RocksDB's destructors are among those, and would wait for threads that a child has not got.
/// Handlers that are registered later run in a child too, and files of the C library are flushed.
///
/// Further calls with the same `moment` do nothing.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "only the C library's handlers run at that time")]
pub fn end_children_here(moment: &Once) {
    // SAFETY: the function lives as long as the program and does not unwind. Where there is no memory
    // for it, a child ends as it would without.
    moment.call_once(|| {
        let _refused = unsafe { on_exit(at_exit, std::ptr::null_mut()) };
    });
}

/// Other C libraries than GNU's do not tell a handler the status that the process ends with.
#[cfg(not(target_env = "gnu"))]
pub fn end_children_here(_: &Once) {}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the crate libc does not have it")]
unsafe extern "C" {
    fn on_exit(
        handler: extern "C" fn(libc::c_int, *mut libc::c_void),
        argument: *mut libc::c_void,
    ) -> libc::c_int;
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "they are functions of the C library")]
extern "C" fn at_exit(status: libc::c_int, _: *mut libc::c_void) {
    if is_child() {
        // SAFETY: null is every open file; and a handler may end the process.
        unsafe {
            libc::fflush(std::ptr::null_mut());
            libc::_exit(status)
        }
    }
}
