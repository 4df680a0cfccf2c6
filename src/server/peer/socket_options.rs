//! What the kernel says of a socket's peer. The libraries in use have no safe calls for these.

use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;

/// Not in the crate libc for every C library; the number is that of all architectures but four, which
/// keyward is not built for.
const SO_PEERPIDFD: libc::c_int = 77;

/// So many groups a process has at most (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 65_536;

/// The process at the other end, when it connected.
#[derive(Debug, Clone, Copy)]
pub struct Credentials {
    /// Its id, 0 where it cannot be seen from here.
    pub pid: u32,
    /// Its user.
    pub user: u32,
    /// Its first group.
    pub group: u32,
}

/// Why there is no descriptor of the peer's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPeerDescriptor {
    /// The kernel does not know the question (before Linux 6.5).
    NotKnown,
    /// The process has ended and was waited for.
    Ended,
    /// Something else, which may be different later: no descriptor is left, for example.
    Refused(Errno),
}

/// The process, user and first group of the peer.
///
/// # Errors
/// What the system says.
pub fn credentials(stream: &UnixStream) -> Result<Credentials, Errno> {
    let mut found = [MaybeUninit::<libc::ucred>::uninit()];
    let bytes = ask(stream, libc::SO_PEERCRED, &mut found)?;
    let [found] = found;
    if bytes < size_of::<libc::ucred>() {
        return Err(Errno::INVAL);
    }
    #[expect(unsafe_code, reason = "the system has filled it")]
    // SAFETY: the system wrote all bytes of it, and each value of them is valid.
    let found = unsafe { found.assume_init() };
    Ok(Credentials {
        pid: u32::try_from(found.pid).unwrap_or_default(),
        user: found.uid,
        group: found.gid,
    })
}

/// The further groups of the peer.
///
/// # Errors
/// What the system says.
pub fn groups(stream: &UnixStream) -> Result<Vec<u32>, Errno> {
    let mut room = 64;
    loop {
        let mut found = vec![MaybeUninit::<u32>::uninit(); room];
        match ask(stream, libc::SO_PEERGROUPS, &mut found) {
            Err(Errno::RANGE) if room < MOST_GROUPS => room = MOST_GROUPS,
            Err(error) => return Err(error),
            Ok(bytes) => {
                found.truncate(bytes / size_of::<u32>());
                #[expect(unsafe_code, reason = "the system has filled it")]
                // SAFETY: the system wrote so many bytes, and each value of them is valid.
                let groups = found.iter().map(|group| unsafe { group.assume_init() });
                return Ok(groups.collect());
            }
        }
    }
}

/// A descriptor of the peer's process.
///
/// # Errors
/// See [`NoPeerDescriptor`].
pub fn pidfd(stream: &UnixStream) -> Result<OwnedFd, NoPeerDescriptor> {
    let mut found = [MaybeUninit::<libc::c_int>::uninit()];
    match ask(stream, SO_PEERPIDFD, &mut found) {
        Ok(bytes) if bytes == size_of::<libc::c_int>() => {
            let [found] = found;
            #[expect(
                unsafe_code,
                reason = "the system answers a new descriptor as a number"
            )]
            // SAFETY: the system wrote all bytes of it; the descriptor is open, and nothing else owns it.
            Ok(unsafe { OwnedFd::from_raw_fd(found.assume_init()) })
        }
        Ok(_) => Err(NoPeerDescriptor::NotKnown),
        Err(Errno::NOPROTOOPT) => Err(NoPeerDescriptor::NotKnown),
        Err(Errno::SRCH | Errno::INVAL | Errno::NODATA) => Err(NoPeerDescriptor::Ended),
        Err(error) => Err(NoPeerDescriptor::Refused(error)),
    }
}

/// Asks for an option of a socket; answers how many bytes were written.
fn ask<T: Copy>(
    stream: &UnixStream,
    option: libc::c_int,
    found: &mut [MaybeUninit<T>],
) -> Result<usize, Errno> {
    let room = size_of_val(found);
    let mut bytes = libc::socklen_t::try_from(room).map_err(|_| Errno::INVAL)?;
    #[expect(
        unsafe_code,
        reason = "the libraries in use have no safe call for these options"
    )]
    // SAFETY: the buffer has as many bytes as the call is told, and is the caller's alone.
    let answer = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            found.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    if answer != 0 {
        let error = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&error).unwrap_or(Errno::INVAL));
    }
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= room)
        .ok_or(Errno::RANGE)
}
