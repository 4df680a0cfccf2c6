//! A write beyond the allowed size of a file (`ulimit -f`, RLIMIT_FSIZE) is an error there.
//!
//! The system also sends SIGXFSZ to the thread that writes, which ends the process unless the
//! program handles it. The signal is kept from this thread while keyward writes; what the program
//! set for it is not touched.

use std::mem::MaybeUninit;
use std::ptr;

/// While it is there, the signal does not reach this thread.
pub(super) struct NoSignal {
    /// The signals that were kept from the thread before.
    before: libc::sigset_t,
    /// Not for another thread.
    _here: std::marker::PhantomData<*const ()>,
}

impl NoSignal {
    /// Keeps the signal from this thread.
    #[expect(
        unsafe_code,
        reason = "a thread's signal mask is set through libc only"
    )]
    pub(super) fn begin() -> Self {
        let (mut file_size, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: each set is written in full by the call that takes it first; the signal exists, and
        // with these arguments none of the calls can fail.
        let before = unsafe {
            libc::sigemptyset(file_size.as_mut_ptr());
            libc::sigaddset(file_size.as_mut_ptr(), libc::SIGXFSZ);
            libc::pthread_sigmask(libc::SIG_BLOCK, file_size.as_ptr(), before.as_mut_ptr());
            before.assume_init()
        };
        Self {
            before,
            _here: std::marker::PhantomData,
        }
    }
}

impl Drop for NoSignal {
    #[expect(
        unsafe_code,
        reason = "a thread's signal mask is set through libc only"
    )]
    fn drop(&mut self) {
        // SAFETY: as in `begin`; no time to wait means that `sigtimedwait` only looks.
        unsafe {
            if libc::sigismember(&raw const self.before, libc::SIGXFSZ) == 1 {
                return;
            }
            let mut file_size = MaybeUninit::uninit();
            libc::sigemptyset(file_size.as_mut_ptr());
            libc::sigaddset(file_size.as_mut_ptr(), libc::SIGXFSZ);
            let now = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            // One that was sent meanwhile would come now.
            libc::sigtimedwait(file_size.as_ptr(), ptr::null_mut(), &raw const now);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
        }
    }
}
