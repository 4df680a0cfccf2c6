//! The listening socket that systemd passes: socket activation.

use std::env;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType};

use crate::server::error::ServeError;

/// The first descriptor that systemd passes.
const FIRST: i32 = 3;

/// The socket that systemd passes to this process, if it passes one.
///
/// # Errors
/// `socket_passed_unusable`.
pub fn passed() -> Result<Option<UnixListener>, ServeError> {
    let told = |name| env::var(name).ok();
    let (Some(count), Some(pid)) = (told("LISTEN_FDS"), told("LISTEN_PID")) else {
        return Ok(None);
    };
    // Those of another process were inherited by mistake.
    if pid.parse() != Ok(std::process::id()) {
        return Ok(None);
    }
    match count.parse() {
        Ok(0) => Ok(None),
        Ok(1) => listener_of(FIRST).map(Some),
        Ok(more) => Err(unusable(format!(
            "{more} sockets were passed, and one is wanted"
        ))),
        Err(_) => Err(unusable("LISTEN_FDS is no number".to_owned())),
    }
}

fn unusable(why: String) -> ServeError {
    ServeError::Passed { why }
}

#[expect(unsafe_code, reason = "systemd passes descriptors by their numbers")]
fn listener_of(number: i32) -> Result<UnixListener, ServeError> {
    // SAFETY: systemd says that the descriptor is open; where it lies, the system answers an error, for
    // the descriptor is used for nothing but system calls and is never closed here.
    let passed = unsafe { BorrowedFd::borrow_raw(number) };
    let failed = |error: rustix::io::Errno| unusable(format!("descriptor {number}: {error}"));
    let flags = fcntl_getfd(passed).map_err(failed)?;
    fcntl_setfd(passed, flags | FdFlags::CLOEXEC).map_err(failed)?;
    let own = fcntl_dupfd_cloexec(passed, 0).map_err(failed)?;
    checked(own)
}

fn checked(socket: OwnedFd) -> Result<UnixListener, ServeError> {
    let failed = |error: rustix::io::Errno| unusable(format!("it is no socket: {error}"));
    let of = socket.as_fd();
    if socket_domain(of).map_err(failed)? != AddressFamily::UNIX {
        return Err(unusable("it is no Unix socket".to_owned()));
    }
    if socket_type(of).map_err(failed)? != SocketType::STREAM {
        return Err(unusable("it is no stream socket".to_owned()));
    }
    if !socket_acceptconn(of).map_err(failed)? {
        return Err(unusable("it does not listen".to_owned()));
    }
    let listener = UnixListener::from(socket);
    let told = listener.set_nonblocking(true);
    told.map_err(|error| unusable(error.to_string()))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use rustix::net::socket_with;

    use super::*;

    #[test]
    fn only_a_unix_stream_socket_that_listens_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let taken = checked(listener.into()).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        taken.accept().unwrap();
        let flags = rustix::net::SocketFlags::CLOEXEC;
        let tcp = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        let datagram = UnixDatagram::unbound().unwrap();
        let (one, _other) = UnixStream::pair().unwrap();
        for (socket, says) in [
            (tcp, "no Unix socket"),
            (datagram.into(), "no stream socket"),
            (one.into(), "does not listen"),
            (
                std::fs::File::open("/dev/null").unwrap().into(),
                "no socket",
            ),
        ] {
            let error = checked(socket).unwrap_err();
            assert_eq!(error.code(), "socket_passed_unusable");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
