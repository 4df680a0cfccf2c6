//! Looking at one key file, or at the two of a pair, until what was read is whole.
//!
//! What is guaranteed stands at [`FileStore`](crate::store::file::FileStore). A program that rewrites
//! a file in place has no way to say when it is done; all that can be seen is that nothing changes any
//! more.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::secret::value::{InvalidKey, SecretKeyPair, SecretKeyValue};
use crate::store::error::StoreError;
use crate::store::file::key_file::{Folder, KeyFile, failure};
use crate::store::file::links::{FileTime, Links, Location, NotFollowed};
use crate::store::file::seen::Seen;
use crate::store::file::{Reading, named};
use crate::store::keys_store::{FetchResult, Fetched};

/// How long nothing may have changed before a file is taken as whole. It is more than the system's
/// clocks of files are coarse (10 ms at most), so that what is written later is seen by its time.
const QUIET: Duration = Duration::from_millis(100);

/// The same for what no key can be: most likely an empty file that a program has cut to write it
/// anew. Nothing is lost by waiting, because there is no key to give.
const QUIET_WITHOUT_KEY: Duration = Duration::from_secs(1);

/// After that long no further look is begun.
const PATIENCE: Duration = Duration::from_millis(500);

/// Reads the key, or the pair, that these one or two files have.
pub(super) fn read_settled(seen: &Seen, paths: &[PathBuf], reading: Reading) -> FetchResult {
    let begun = Instant::now();
    loop {
        if let Some(found) = look(seen, paths, reading)? {
            return found;
        }
        if begun.elapsed() >= PATIENCE {
            let files = named(paths);
            return Err(StoreError::Unsettled { files });
        }
        thread::yield_now();
    }
}

/// One look: the keys, or why there are none. `None` if something changed meanwhile.
fn look(
    seen: &Seen,
    paths: &[PathBuf],
    reading: Reading,
) -> Result<Option<FetchResult>, StoreError> {
    let mut links = Links::default();
    let files = match open_all(&mut links, paths) {
        Ok(files) => files,
        Err(_) if lead_elsewhere(&links, paths) => return Ok(None),
        Err(error) => return Err(error),
    };
    for file in &files {
        file.check(reading)?;
    }
    // A file that has no name any more was replaced, unless its path is one of /proc.
    if files.iter().any(KeyFile::is_removed) && !are_still_named(paths, &files) {
        return Ok(None);
    }
    let waited = seen.wait_for_quiet(&files, unfinished_change(&files), QUIET);
    let values = read_all(&files, reading)?;
    if !are_as_they_were(&files)? {
        return Ok(None);
    }
    let keys = match values.as_slice() {
        [Ok(value)] => value.clone().into(),
        [Ok(forward), Ok(back)] => {
            // A single file is whole, and was the key when it was opened. Two may have been replaced
            // one after the other, so both have to be still in place.
            if (waited || !share_folder_or_link(&files)) && !are_still_named(paths, &files) {
                return Ok(None);
            }
            SecretKeyPair::new(forward.clone(), back.clone()).into()
        }
        _ => return settled_without_key(seen, paths, &files, values),
    };
    Ok(Some(Ok(Fetched { keys })))
}

fn settled_without_key(
    seen: &Seen,
    paths: &[PathBuf],
    files: &[KeyFile],
    values: Vec<Result<SecretKeyValue, InvalidKey>>,
) -> Result<Option<FetchResult>, StoreError> {
    let last = files.iter().map(KeyFile::changed).max();
    seen.wait_for_quiet(files, last, QUIET_WITHOUT_KEY);
    let why = values.into_iter().find_map(Result::err);
    let settled = are_as_they_were(files)? && are_still_named(paths, files);
    Ok(why.filter(|_| settled).map(|why| Err(why.into())))
}

/// Opens all files. A folder that has both halves is opened once, so that both are of the same one.
fn open_all(links: &mut Links, paths: &[PathBuf]) -> Result<Vec<KeyFile>, StoreError> {
    let mut folder: Option<Folder> = None;
    let mut files = Vec::new();
    for (path, location) in paths.iter().zip(locations(links, paths)?) {
        let found = location.path();
        let failed = |why| failure(path, NotFollowed { at: found, why });
        let opened = match folder.take().filter(|folder| folder.is_of(&location)) {
            Some(folder) => Ok(folder),
            None => Folder::of(&location),
        };
        let opened = opened.and_then(|opened| folder.insert(opened).open(path, location));
        files.push(opened.map_err(failed)?);
    }
    Ok(files)
}

fn locations(links: &mut Links, paths: &[PathBuf]) -> Result<Vec<Location>, StoreError> {
    let location = |path: &PathBuf| links.follow(path).map_err(|why| failure(path, why));
    paths.iter().map(location).collect()
}

/// Whether the paths lead over other links now than when these were read.
fn lead_elsewhere(links: &Links, paths: &[PathBuf]) -> bool {
    let mut now = Links::default();
    drop(locations(&mut now, paths));
    now != *links
}

/// The newest change that may be one of several: what writes these files may not be done yet. `None`
/// if a link on the way is newer than everything behind it, because such a link is put in its place
/// when the files are finished.
fn unfinished_change(files: &[KeyFile]) -> Option<FileTime> {
    let changed = files.iter().map(KeyFile::changed).max();
    let placed = |file: &KeyFile| file.location().newest.map(|link| link.placed);
    let placed = files.iter().map(placed);
    match share_folder_or_link(files) {
        true => changed.filter(|_| placed.min().flatten() < changed),
        false => changed.max(placed.max().flatten()),
    }
}

/// Whether these files are in one folder, or the newest link on the way to each is the same one. If
/// not, another link or a folder that is renamed can replace one file alone, and no time of a file
/// shows that.
fn share_folder_or_link(files: &[KeyFile]) -> bool {
    let mut locations = files.iter().map(KeyFile::location);
    let Some(first) = locations.next() else {
        return true;
    };
    locations.all(|location| {
        let by_one_link = location.newest.is_some() && location.newest == first.newest;
        by_one_link || location.folder == first.folder
    })
}

fn read_all(
    files: &[KeyFile],
    reading: Reading,
) -> Result<Vec<Result<SecretKeyValue, InvalidKey>>, StoreError> {
    let read = |file: &KeyFile| file.read(reading.line_end);
    files.iter().map(read).collect()
}

fn are_as_they_were(files: &[KeyFile]) -> Result<bool, StoreError> {
    for file in files {
        if !file.is_as_it_was()? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the paths still lead to these files.
fn are_still_named(paths: &[PathBuf], files: &[KeyFile]) -> bool {
    let named = |(location, file): (&Location, &KeyFile)| {
        fs::metadata(location.path()).is_ok_and(|facts| file.is(&facts))
    };
    locations(&mut Links::default(), paths)
        .is_ok_and(|locations| locations.iter().zip(files).all(named))
}
