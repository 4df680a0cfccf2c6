//! The socket's file, as long as it is served.

use std::fs::{self, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use rustix::process::geteuid;

use crate::guard::fork;
use crate::guard::fork::kept_file::KeptFile;
use crate::repo::error::Holder;
use crate::server::error::ServeError;
use crate::server::peer::socket_options;
use crate::server::socket::lock::{Locked, SocketLock};

/// How long the path of a socket may be: its place in the system's address has 108 bytes, with a zero at the end.
const LONGEST_PATH: usize = 107;

/// How many sockets this process has made, so that each has a temporary name of its own.
static SOCKETS: AtomicU64 = AtomicU64::new(0);

/// So many connections wait for the accept loop.
const BACKLOG: i32 = 1_024;

/// A socket's file that this process made. Dropped, it is removed, if it is still the one.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    folder: KeptFile,
    made: Made,
    mode: u32,
    _lock: SocketLock,
}

/// What tells the file that was made from every other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    device: u64,
    inode: u64,
}

/// What lies at the socket's path now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtPath {
    /// The socket's file.
    Ours,
    /// Nothing.
    Nothing,
    /// Another file.
    Another,
}

impl Made {
    fn told_by(found: &Metadata) -> Self {
        let (device, inode) = (found.dev(), found.ino());
        Self { device, inode }
    }
}

impl SocketFile {
    /// Makes the socket's file with this mode, in place of one that is not served.
    ///
    /// # Errors
    /// `socket_in_use`, `socket_path_too_long`, `socket_path_unnamed`, `socket_path_is_folder`,
    /// `socket_path_taken`, `socket_folder_missing`, `socket_not_permitted`, `socket_failed`, `forked`.
    pub fn make(path: &Path, mode: u32) -> Result<(Self, UnixListener), ServeError> {
        fork::refuse_child()?;
        let folder = folder_of(path)?;
        let failed = |doing| move |cause| failure(path, doing, cause);
        let folder = KeptFile::open(|| {
            let flags = (OFlags::DIRECTORY | OFlags::PATH).bits().cast_signed();
            OpenOptions::new()
                .read(true)
                .custom_flags(flags)
                .open(&folder)
        })
        .map_err(failed("opening its folder"))?;
        let nothing = look(path).map_err(failed("looking at its path"))?;
        if nothing.is_some_and(|found| found.is_dir()) {
            let path = path.to_owned();
            return Err(ServeError::PathIsFolder { path });
        }
        let lock = match SocketLock::take(path).map_err(failed("locking the file beside it"))? {
            Locked::Here(lock) => lock,
            Locked::ByOther(holder) => {
                let holder = server_of(path).unwrap_or(holder);
                let path = path.to_owned();
                return Err(ServeError::InUse { path, holder });
            }
        };
        refuse_what_lives(path)?;
        let (listener, made) = listen_at(path, &folder, mode).map_err(failed("making it"))?;
        let made = Self {
            path: path.to_owned(),
            folder,
            made,
            mode,
            _lock: lock,
        };
        Ok((made, listener))
    }

    /// What lies at the path now.
    ///
    /// # Errors
    /// What the system says.
    pub fn at_path(&self) -> io::Result<AtPath> {
        Ok(match look(&self.path)? {
            None => AtPath::Nothing,
            Some(found) if Made::told_by(&found) == self.made => AtPath::Ours,
            Some(_) => AtPath::Another,
        })
    }

    /// Makes the file anew where it was removed.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_again(&mut self) -> io::Result<UnixListener> {
        let (listener, made) = listen_at(&self.path, &self.folder, self.mode)?;
        self.made = made;
        Ok(listener)
    }

    /// Gives the file another mode.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mode(&mut self, mode: u32) -> io::Result<()> {
        self.mode = mode;
        if self.at_path()? == AtPath::Ours {
            fs::set_permissions(&self.path, Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !fork::is_child() && self.at_path().is_ok_and(|at| at == AtPath::Ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn folder_of(path: &Path) -> Result<PathBuf, ServeError> {
    let bytes = path.as_os_str().len();
    if bytes > LONGEST_PATH {
        return Err(ServeError::PathTooLong {
            path: path.to_owned(),
            bytes,
            most: LONGEST_PATH,
        });
    }
    if path.as_os_str().as_bytes().ends_with(b"/") && path.is_dir() {
        let path = path.to_owned();
        return Err(ServeError::PathIsFolder { path });
    }
    match (path.file_name(), path.parent()) {
        (Some(_), Some(folder)) if folder.as_os_str().is_empty() => Ok(PathBuf::from(".")),
        (Some(_), Some(folder)) => Ok(folder.to_owned()),
        _ if path.is_dir() => {
            let path = path.to_owned();
            Err(ServeError::PathIsFolder { path })
        }
        _ => {
            let path = path.to_owned();
            Err(ServeError::NoFileName { path })
        }
    }
}

fn failure(path: &Path, doing: &'static str, cause: io::Error) -> ServeError {
    let path = path.to_owned();
    match cause.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ServeError::NoFolder { path },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            let user = geteuid().as_raw();
            ServeError::NotPermitted { path, user, cause }
        }
        _ => ServeError::Failed { path, doing, cause },
    }
}

/// What lies at a path, if anything does. A link is not followed.
fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses a path at which something lies that must not be replaced.
fn refuse_what_lives(path: &Path) -> Result<(), ServeError> {
    let found = look(path).map_err(|cause| failure(path, "looking at its path", cause))?;
    let Some(found) = found else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        let path = path.to_owned();
        return Err(ServeError::PathTaken { path });
    }
    match server_of(path) {
        Some(holder) => {
            let path = path.to_owned();
            Err(ServeError::InUse { path, holder })
        }
        None => Ok(()),
    }
}

/// The process that listens at a path, if one does, as far as the system names it. The connection is blocking: a
/// server whose backlog is full is a living one too, so it must not be waited for.
fn server_of(path: &Path) -> Option<Option<Holder>> {
    match connect(path) {
        Ok(stream) => {
            let who = socket_options::credentials(&stream).ok();
            let pid = who.map(|who| who.pid).filter(|pid| *pid > 0);
            Some(pid.map(Holder::of_process))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Some(None),
        // Another user's, or one of another kind: something that is not to be replaced is behind it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Some(None),
        Err(_) => None,
    }
}

/// Connects, and does not wait where the backlog is full.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

/// Listens at a path: under a name of its own first, so that no connection comes before it has its mode.
fn listen_at(path: &Path, folder: &KeptFile, mode: u32) -> io::Result<(UnixListener, Made)> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    folder.with(|folder| {
        // By the descriptor, so that the temporary path is short enough however long the folder's is.
        let here = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        let number = SOCKETS.fetch_add(1, Ordering::Relaxed);
        let temporary = here.join(format!(".keyward-{}-{number}", std::process::id()));
        let _left_by_an_earlier_process_of_this_id = fs::remove_file(&temporary);
        let listening = bound(&temporary, mode).and_then(|(socket, made)| {
            fs::rename(&temporary, here.join(name))?;
            Ok((UnixListener::from(socket), made))
        });
        if listening.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        listening
    })
}

fn bound(at: &Path, mode: u32) -> io::Result<(OwnedFd, Made)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(at)?)?;
    // Before it listens: until then a connection is refused.
    fs::set_permissions(at, Permissions::from_mode(mode))?;
    listen(&socket, BACKLOG)?;
    let made = Made::told_by(&fs::symlink_metadata(at)?);
    Ok((socket, made))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn refused(path: &Path) -> ServeError {
        SocketFile::make(path, 0o600).unwrap_err()
    }

    #[test]
    fn a_socket_is_made_with_its_mode_and_removed_at_the_end() {
        let folder = folder();
        let path = folder.path().join("s");
        for mode in [0o600, 0o666] {
            let (file, _listener) = SocketFile::make(&path, mode).unwrap();
            let found = fs::symlink_metadata(&path).unwrap();
            assert!(found.file_type().is_socket());
            assert_eq!(found.permissions().mode() & 0o777, mode);
            UnixStream::connect(&path).unwrap();
            drop(file);
            assert!(!path.exists());
        }
        let left = fs::read_dir(folder.path()).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["s.lock"]);
    }

    #[test]
    fn a_stale_socket_is_replaced() {
        let folder = folder();
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_file, _listener) = SocketFile::make(&path, 0o600).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_living_socket_is_in_use_with_the_process() {
        let folder = folder();
        let path = folder.path().join("s");
        let (_file, _listener) = SocketFile::make(&path, 0o600).unwrap();
        let own = format!("process {}", std::process::id());
        let error = refused(&path);
        assert_eq!(error.code(), "socket_in_use");
        assert!(error.to_string().contains(&own), "{error}");
        // Of another program, which locks nothing.
        let other = folder.path().join("other");
        let _listener = UnixListener::bind(&other).unwrap();
        let error = refused(&other);
        assert_eq!(error.code(), "socket_in_use");
        assert!(error.to_string().contains(&own), "{error}");
        UnixStream::connect(&other).unwrap();
    }

    #[test]
    fn a_living_socket_whose_lock_or_file_was_removed_lets_no_second_one_in() {
        let folder = folder();
        let path = folder.path().join("s");
        let (_file, _listener) = SocketFile::make(&path, 0o600).unwrap();
        fs::remove_file(folder.path().join("s.lock")).unwrap();
        assert_eq!(refused(&path).code(), "socket_in_use");
        let path = folder.path().join("t");
        let (_file, _listener) = SocketFile::make(&path, 0o600).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(refused(&path).code(), "socket_in_use");
    }

    #[test]
    fn a_socket_whose_backlog_is_full_is_a_living_one() {
        let folder = folder();
        let path = folder.path().join("s");
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&socket, 0).unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = connect(&path) {
            waiting.push(stream);
        }
        assert_eq!(refused(&path).code(), "socket_in_use");
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = folder();
        let path = folder.path().join("s");
        fs::write(&path, "mine").unwrap();
        assert_eq!(refused(&path).code(), "socket_path_taken");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(refused(&link).code(), "socket_path_taken");
        assert_eq!(refused(folder.path()).code(), "socket_path_is_folder");
        let slash = folder.path().join("");
        assert_eq!(refused(&slash).code(), "socket_path_is_folder");
        assert_eq!(refused(Path::new("/")).code(), "socket_path_is_folder");
    }

    #[test]
    fn a_path_that_cannot_be_is_told_clearly() {
        let folder = folder();
        let missing = folder.path().join("none").join("s");
        assert_eq!(refused(&missing).code(), "socket_folder_missing");
        fs::write(folder.path().join("file"), "").unwrap();
        let below = folder.path().join("file").join("s");
        assert_eq!(refused(&below).code(), "socket_folder_missing");
        assert_eq!(refused(Path::new("")).code(), "socket_path_unnamed");
        let long = folder.path().join("s".repeat(108));
        let error = refused(&long);
        assert_eq!(error.code(), "socket_path_too_long");
        assert!(error.to_string().contains("107"), "{error}");
    }

    #[test]
    fn a_path_of_the_longest_length_works_whatever_its_folder() {
        let folder = folder();
        let left = LONGEST_PATH - folder.path().as_os_str().len() - 3;
        let deep = folder.path().join("f".repeat(left));
        fs::create_dir(&deep).unwrap();
        let path = deep.join("s");
        assert_eq!(path.as_os_str().len(), LONGEST_PATH);
        let (_file, _listener) = SocketFile::make(&path, 0o600).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_file_that_was_removed_is_made_again_and_another_ones_is_left() {
        let folder = folder();
        let path = folder.path().join("s");
        let (mut file, _listener) = SocketFile::make(&path, 0o666).unwrap();
        assert_eq!(file.at_path().unwrap(), AtPath::Ours);
        fs::remove_file(&path).unwrap();
        assert_eq!(file.at_path().unwrap(), AtPath::Nothing);
        let _listener = file.make_again().unwrap();
        assert_eq!(file.at_path().unwrap(), AtPath::Ours);
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        UnixStream::connect(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another").unwrap();
        assert_eq!(file.at_path().unwrap(), AtPath::Another);
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"another");
    }
}
