//! Following a path to its file, link by link.
//!
//! A mounted Kubernetes secret is replaced by one link (`..data`) on the way to all its files. Each link
//! is read once for both halves of a pair, so that both halves are of the same generation.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{PROC_SUPER_MAGIC, statfs};
use rustix::io::Errno;

/// As many links as the system follows for one path.
const MOST_LINKS: usize = 40;

/// A time of the file system, in nanoseconds since 1970.
pub(super) type FileTime = i128;

/// When a file, or its entry in a folder, was last changed. Unlike the time of the last write, no
/// program can set it.
pub(super) fn changed(facts: &Metadata) -> FileTime {
    i128::from(facts.ctime()) * 1_000_000_000 + i128::from(facts.ctime_nsec())
}

/// The links that were read in one look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    read: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    path: PathBuf,
    target: PathBuf,
    placed: FileTime,
}

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Location {
    /// The folder; no link is on its path.
    pub(super) folder: PathBuf,
    /// The file's name there.
    pub(super) name: OsString,
    /// The newest link on the way.
    pub(super) newest: Option<Newest>,
}

/// The newest link on the way of a path to its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Newest {
    /// When it was put in its place.
    pub(super) placed: FileTime,
    /// Which one it is of those that were read.
    number: usize,
}

/// The part of a path that cannot be followed, and what the system says of it.
#[derive(Debug)]
pub(super) struct NotFollowed {
    pub(super) at: PathBuf,
    pub(super) why: io::Error,
}

impl Location {
    /// The file's path.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }
}

impl Links {
    /// Follows a path. A link that was read before leads where it led then.
    ///
    /// # Errors
    /// A part of the path does not exist, or may not be looked at.
    pub(super) fn follow(&mut self, path: &Path) -> Result<Location, NotFollowed> {
        let (mut gone, mut left) = (PathBuf::new(), parts(path));
        let (mut newest, mut links) = (None, 0);
        while let Some(part) = left.pop() {
            if part == ".." {
                gone.pop();
                continue;
            }
            // The root takes the place of all before it.
            gone.push(part);
            let found = match links {
                ..=MOST_LINKS => self.link_at(&gone),
                _ => Err(Errno::LOOP.into()),
            };
            match found {
                Ok(None) => {}
                Ok(Some((number, link))) => {
                    links += 1;
                    let placed = link.placed;
                    newest = newest.max(Some(Newest { placed, number }));
                    left.extend(parts(&link.target));
                    gone.pop();
                }
                Err(why) => return Err(NotFollowed { at: gone, why }),
            }
        }
        Ok(Location {
            name: gone.file_name().unwrap_or(".".as_ref()).to_owned(),
            folder: gone.parent().unwrap_or(&gone).to_owned(),
            newest,
        })
    }

    /// The link at a path and its number, if there is one.
    fn link_at(&mut self, path: &Path) -> io::Result<Option<(usize, &Link)>> {
        let known = self.read.iter().position(|link| link.path == path);
        let number = match known {
            Some(number) => number,
            None => {
                let facts = fs::symlink_metadata(path)?;
                if !facts.is_symlink() || is_of_proc(path)? {
                    return Ok(None);
                }
                self.read.push(Link {
                    path: path.to_owned(),
                    target: fs::read_link(path)?,
                    placed: changed(&facts),
                });
                self.read.len() - 1
            }
        };
        Ok(self.read.get(number).map(|link| (number, link)))
    }
}

/// Whether a link is one of /proc, which only the system can follow: what it reads like is not where
/// it leads.
fn is_of_proc(link: &Path) -> io::Result<bool> {
    let folder = link.parent().unwrap_or(link);
    Ok(statfs(folder)?.f_type == PROC_SUPER_MAGIC)
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    let parts = parts.filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}
