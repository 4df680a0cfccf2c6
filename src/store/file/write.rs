//! Putting new keys into key files: each new file is finished beside the old one, read back and renamed over it.
//!
//! Of a pair the back half goes first. A program that finds the new back half and the old forward half can
//! still read all that was written, and nothing is written with a half that cannot be read.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatxAttributes, StatxFlags, accessat, statx};
use rustix::process::geteuid;

use crate::secret::value::{SecretKeyPair, SecretKeyValue, SecretKeys};
use crate::store::buffer::LineEnd;
use crate::store::error::StoreError;
use crate::store::file::Reading;
use crate::store::file::key_file::failure;
use crate::store::file::links::{Links, Location, NotFollowed};
use crate::store::file::look::read_settled;
use crate::store::file::seen::Seen;
use crate::store::keys_store::{FetchResult, Fetched, Swap};

/// What this process alone may do with a file that holds a key.
const OURS: u32 = 0o600;

/// What these files have, each looked at by itself, if they could be replaced.
///
/// # Errors
/// `store_not_writable` where one cannot be replaced; where one cannot be read, as a fetch.
pub(super) fn look(seen: &Seen, paths: &[PathBuf], reading: Reading) -> FetchResult {
    for path in paths {
        place(path)?;
    }
    let halves = paths.iter().map(|path| read_one(seen, path, reading));
    let keys = joined(halves.collect::<Result<_, _>>()?)?;
    Ok(Fetched { keys })
}

/// Puts new keys in the place of those that the files had at a look; answers what they have then. Files that
/// have others meanwhile stay as they are.
///
/// # Errors
/// As [`look`], and what the system says.
pub(super) fn replace(
    seen: &Seen,
    paths: &[PathBuf],
    reading: Reading,
    swap: &Swap,
) -> FetchResult {
    let (expected, new) = (
        halves(&swap.expected, paths.len()),
        halves(&swap.new, paths.len()),
    );
    let mut changes = Vec::new();
    for ((path, expected), new) in paths.iter().zip(expected).zip(new) {
        let place = place(path)?;
        let found = read_one(seen, path, reading)?;
        if found == new {
            continue;
        }
        if found != expected {
            return look(seen, paths, reading);
        }
        let beside = place.folder.join(beside(&place, &swap.name));
        changes.push(Change {
            path,
            place,
            beside,
            expected,
            new,
        });
    }
    let finished = finish(seen, reading, &changes);
    for change in &changes {
        // What was renamed is not there any more, and what was not is of no use.
        drop(fs::remove_file(&change.beside));
    }
    finished?;
    look(seen, paths, reading)
}

/// A file that is to have another value.
struct Change<'a> {
    path: &'a Path,
    place: Location,
    beside: PathBuf,
    expected: SecretKeyValue,
    new: SecretKeyValue,
}

impl Change<'_> {
    fn failed(&self, why: io::Error) -> StoreError {
        let at = self.beside.clone();
        failure(self.path, NotFollowed { at, why })
    }
}

fn finish(seen: &Seen, reading: Reading, changes: &[Change<'_>]) -> Result<(), StoreError> {
    for change in changes {
        write_beside(change, reading).map_err(|why| change.failed(why))?;
        let own = Reading {
            shared_allowed: false,
            ..reading
        };
        let back = read_one(seen, &change.beside, own)?;
        if back != change.new {
            let why = io::Error::other("what was written is not what was read back");
            return Err(change.failed(why));
        }
    }
    // The back half is the last one.
    for change in changes.iter().rev() {
        if read_one(seen, change.path, reading)? != change.expected {
            return Ok(());
        }
        fs::rename(&change.beside, change.place.path()).map_err(|why| change.failed(why))?;
        let folder = File::open(&change.place.folder);
        let synced = folder.and_then(|folder| folder.sync_all());
        synced.map_err(|why| change.failed(why))?;
    }
    Ok(())
}

fn write_beside(change: &Change<'_>, reading: Reading) -> io::Result<()> {
    match fs::remove_file(&change.beside) {
        // An earlier attempt ended in the middle.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(OURS)
        .open(&change.beside)?;
    let value = change.new.expose();
    file.write_all(value)?;
    if reading.line_end == LineEnd::Cut && value.ends_with(b"\n") {
        // One line end at the end is no part of the key.
        file.write_all(b"\n")?;
    }
    file.sync_all()
}

/// The name of a file beside another one, which tells what it is for.
fn beside(place: &Location, of: &str) -> OsString {
    let mut name = OsString::from(".");
    name.push(&place.name);
    name.push(".keyward-");
    name.push(of);
    name
}

fn read_one(seen: &Seen, path: &Path, reading: Reading) -> Result<SecretKeyValue, StoreError> {
    let fetched = read_settled(seen, &[path.to_owned()], reading)?;
    Ok(fetched.keys.to_pair().forward().clone())
}

/// The value of each file, the forward half's first.
fn halves(keys: &SecretKeys, files: usize) -> Vec<SecretKeyValue> {
    let pair = keys.to_pair();
    let both = [pair.forward().clone(), pair.back().clone()];
    both.into_iter().take(files).collect()
}

fn joined(mut values: Vec<SecretKeyValue>) -> Result<SecretKeys, StoreError> {
    let last = values.pop().ok_or(StoreError::Nothing)?;
    Ok(match values.pop() {
        Some(forward) => SecretKeyPair::new(forward, last).into(),
        None => last.into(),
    })
}

/// Where a key file is, if another one can be renamed over it.
fn place(path: &Path) -> Result<Location, StoreError> {
    let place = Links::default().follow(path);
    let place = place.map_err(|why| failure(path, why))?;
    match fault(path, &place) {
        Ok(None) => Ok(place),
        Ok(Some(why)) => Err(StoreError::NotWritable {
            path: path.to_owned(),
            why,
        }),
        Err(why) => {
            let at = place.path();
            Err(failure(path, NotFollowed { at, why }))
        }
    }
}

/// Why a file cannot be replaced, if it cannot.
fn fault(path: &Path, place: &Location) -> io::Result<Option<&'static str>> {
    let file = place.path();
    if place.newest.is_some() || file != path {
        return Ok(Some("a link is on its path"));
    }
    let facts = fs::symlink_metadata(&file)?;
    if !facts.is_file() {
        return Ok(Some("it is not a regular file"));
    }
    if is_mounted(&file)? {
        return Ok(Some("it is a mount point"));
    }
    if facts.nlink() > 1 {
        return Ok(Some("it has several names"));
    }
    if facts.uid() != geteuid().as_raw() {
        return Ok(Some("another user owns it"));
    }
    let may = Access::WRITE_OK | Access::EXEC_OK;
    if accessat(CWD, &place.folder, may, AtFlags::EACCESS).is_err() {
        return Ok(Some("its folder cannot be written"));
    }
    Ok(None)
}

fn is_mounted(file: &Path) -> io::Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let facts = statx(CWD, file, flags, StatxFlags::BASIC_STATS)?;
    Ok(facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
