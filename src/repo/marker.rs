//! The file `KEYWARD` in a data folder: that a database lies here, in which layout, and how far
//! it has come at least.
//!
//! Without it RocksDB would take a folder whose `CURRENT` was removed for a new one, and a log or a
//! manifest that was cut for a shorter history.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::repo::error::RepoError;
use crate::repo::failure::io_failure;

pub(super) const MARKER_FILE: &str = "KEYWARD";
/// What is written first and then renamed; one that is left over says nothing.
pub(super) const NEXT_MARKER_FILE: &str = "KEYWARD.next";
/// The layout of the folder: which spaces there are, and what RocksDB is told.
pub(super) const SCHEMA: u32 = 1;

const TITLE: &str = "keyward database";
const LONGEST: u64 = 4096;

/// What the marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// The database is being created; no caller was ever told that it is open.
    Creating,
    /// A database lies here, and it had come this far.
    Ready(Reached),
}

/// How far a database had come at least; one that ends before that was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    /// RocksDB's sequence number.
    pub(super) history: u64,
    /// The number of RocksDB's manifest, which only goes up.
    pub(super) manifest: u64,
    /// How long that manifest was, in bytes; it only grows.
    pub(super) manifest_bytes: u64,
}

/// Reads the marker; `None` if there is none.
pub(super) fn read(folder: &Path) -> Result<Option<Marker>, RepoError> {
    let path = folder.join(MARKER_FILE);
    let mut bytes = Vec::new();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path);
    let read = opened.and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(io_failure("reading the marker", &path, cause)),
    }
    let (schema, state) = parse(&bytes).ok_or_else(|| RepoError::Damaged {
        file: path,
        what: "it does not hold what keyward writes there".to_owned(),
    })?;
    if schema != SCHEMA {
        return Err(RepoError::OtherSchema {
            folder: folder.to_owned(),
            found: schema,
            known: SCHEMA,
        });
    }
    match state {
        Some(marker) => Ok(Some(marker)),
        None => Err(RepoError::Damaged {
            file: folder.join(MARKER_FILE),
            what: "it does not hold what keyward writes there".to_owned(),
        }),
    }
}

/// Writes the marker, durably and whole: the old one stands until the new one does.
pub(super) fn write(folder: &Path, marker: Marker) -> Result<(), RepoError> {
    let next = folder.join(NEXT_MARKER_FILE);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&next)
        .and_then(|mut file| {
            file.write_all(render(marker).as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&next, folder.join(MARKER_FILE)))
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|cause| io_failure("writing the marker", &next, cause))
}

/// The first two lines and the last are for every later schema to keep.
fn render(marker: Marker) -> String {
    let state = match marker {
        Marker::Creating => "creating".to_owned(),
        Marker::Ready(reached) => format!(
            "history {}\nmanifest {}\nbytes {}",
            reached.history, reached.manifest, reached.manifest_bytes
        ),
    };
    let text = format!("{TITLE}\nschema {SCHEMA}\n{state}\n");
    let check = checksum(&text);
    format!("{text}check {check:016x}\n")
}

/// The schema, and what is said in it, if this is it and that can be read.
fn parse(bytes: &[u8]) -> Option<(u32, Option<Marker>)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let (said, check) = text.rsplit_once('\n')?;
    let said = format!("{said}\n");
    let check = check.strip_prefix("check ")?;
    if check != format!("{:016x}", checksum(&said)) {
        return None;
    }
    let mut lines = said.lines();
    if lines.next()? != TITLE {
        return None;
    }
    let schema = lines.next()?.strip_prefix("schema ")?.parse().ok()?;
    let state = match lines.next() {
        Some("creating") => Some(Marker::Creating),
        first => read_reached(first, &mut lines).map(Marker::Ready),
    };
    Some((schema, state))
}

fn read_reached<'a>(
    first: Option<&'a str>,
    rest: &mut impl Iterator<Item = &'a str>,
) -> Option<Reached> {
    let field = |line: Option<&str>, name: &str| line?.strip_prefix(name)?.parse().ok();
    Some(Reached {
        history: field(first, "history ")?,
        manifest: field(rest.next(), "manifest ")?,
        manifest_bytes: field(rest.next(), "bytes ")?,
    })
}

/// FNV-1a: it finds accidents. An attacker that can write here can do anything anyway.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(history: u64) -> Marker {
        Marker::Ready(Reached {
            history,
            manifest: 5,
            manifest_bytes: 678,
        })
    }

    #[test]
    fn a_marker_reads_back_and_a_missing_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        for marker in [Marker::Creating, ready(0), ready(u64::MAX)] {
            write(folder.path(), marker).unwrap();
            assert_eq!(read(folder.path()).unwrap(), Some(marker));
        }
    }

    #[test]
    fn a_marker_with_any_flipped_bit_or_cut_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MARKER_FILE);
        let whole = render(ready(1234)).into_bytes();
        for at in 0..whole.len() {
            let mut variants = vec![whole[..at].to_vec()];
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                variants.push(flipped);
            }
            for bytes in variants {
                fs::write(&path, &bytes).unwrap();
                let error = read(folder.path()).unwrap_err();
                assert_eq!(error.code(), "damaged_files", "{bytes:?}");
                assert!(error.to_string().contains(MARKER_FILE));
            }
        }
    }

    #[test]
    fn a_later_schema_is_named_even_if_it_says_other_things() {
        let folder = tempfile::tempdir().unwrap();
        let said = "keyward database\nschema 7\nsomething new\nand more\n";
        let text = format!("{said}check {:016x}\n", checksum(said));
        fs::write(folder.path().join(MARKER_FILE), text).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(matches!(
            error,
            RepoError::OtherSchema {
                found: 7,
                known: SCHEMA,
                ..
            }
        ));
    }
}
