//! Whether this process is told how its children end.

use std::mem::MaybeUninit;
use std::ptr;

/// Whether the system throws away how children of this process end, since it ignores SIGCHLD or has
/// set SA_NOCLDWAIT. A shell or supervisor that ignores the signal hands that on to what it starts.
#[expect(
    unsafe_code,
    reason = "no safe call reads a signal's disposition; /proc does not show SA_NOCLDWAIT"
)]
pub(super) fn ends_are_thrown_away() -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is set, and `now` has room for what is read. All zeroes are a `sigaction`.
    let now = unsafe {
        libc::sigaction(libc::SIGCHLD, ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == libc::SIG_IGN || now.sa_flags & libc::SA_NOCLDWAIT != 0
}
