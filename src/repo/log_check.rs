//! Looks for damage in RocksDB's logs and manifest that RocksDB itself passes over.
//!
//! Even with `TolerateCorruptedTailRecords` RocksDB takes a record whose *length* was flipped, so
//! that it seems to go beyond the end of the file, for one that a crash has cut, and drops it and
//! what follows; a flipped *type* can end a log for it as well. Both would be a silently shorter
//! history. So the frames are read here first, with no trust in either field.
//!
//! This and `files` are all that keyward knows of RocksDB's private formats; a test holds them against
//! what RocksDB writes. The form is LevelDB's: blocks of 32 KiB, in them records of a masked CRC-32C (4 bytes), a length
//! (2), a type (1) and a payload; the CRC is of type and payload. No record goes beyond its block,
//! and fewer than 7 bytes at the end of a block are filled up.

use std::fs;
use std::path::Path;

use crc32c::{crc32c, crc32c_append};

use crate::repo::error::RepoError;
use crate::repo::failure::io_failure;

const BLOCK_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 7;

/// Checks a log or a manifest. A record that a crash has cut at the end is no damage.
pub(super) fn check(path: &Path) -> Result<(), RepoError> {
    let bytes =
        fs::read(path).map_err(|cause| io_failure("reading a log of RocksDB", path, cause))?;
    find_damage(&bytes).map_or(Ok(()), |(at, what)| {
        Err(RepoError::Damaged {
            file: path.to_owned(),
            what: format!("{what} at byte {at}"),
        })
    })
}

/// Where the first damage is, and what.
fn find_damage(bytes: &[u8]) -> Option<(usize, &'static str)> {
    let mut at = 0;
    loop {
        let block_end = (at / BLOCK_BYTES + 1) * BLOCK_BYTES;
        if block_end - at < HEADER_BYTES {
            at = block_end;
        }
        let rest = bytes.get(at..)?;
        let Some((header, payload)) = PieceHeader::read(rest) else {
            return None; // The file ends here, or in a header.
        };
        if header.kind == 0 && header.length == 0 {
            // A disk that lost its power may leave zeros for what was not written yet.
            let only_zeros = rest.iter().all(|byte| *byte == 0);
            return (!only_zeros).then_some((at, "a record was wiped out"));
        }
        let next = at + HEADER_BYTES + header.length;
        let block_end = (at / BLOCK_BYTES + 1) * BLOCK_BYTES;
        if next > block_end {
            return Some((at, "a record has an impossible length"));
        }
        match payload.get(..header.length) {
            Some(payload) if header.fits(payload) => at = next,
            Some(_) => return Some((at, "a record does not match its checksum")),
            None if header.is_longer_than_written(payload) => {
                return Some((at, "a record has a wrong length"));
            }
            None => return None,
        }
    }
}

struct PieceHeader {
    masked_crc: u32,
    length: usize,
    kind: u8,
}

impl PieceHeader {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&[a, b, c, d, low, high, kind], payload) = bytes.split_first_chunk()?;
        let header = Self {
            masked_crc: u32::from_le_bytes([a, b, c, d]),
            length: usize::from(u16::from_le_bytes([low, high])),
            kind,
        };
        Some((header, payload))
    }

    fn fits(&self, payload: &[u8]) -> bool {
        masked(crc32c_append(crc32c(&[self.kind]), payload)) == self.masked_crc
    }

    /// Whether the record is whole with fewer bytes than its length says: then the length was
    /// changed. A record that was really cut is whole with none of them.
    fn is_longer_than_written(&self, written: &[u8]) -> bool {
        let mut crc = crc32c(&[self.kind]);
        for length in 0..=written.len() {
            let (_, after) = written.split_at(length);
            if masked(crc) == self.masked_crc && is_end_or_record(after) {
                return true;
            }
            if let Some(byte) = after.first() {
                crc = crc32c_append(crc, &[*byte]);
            }
        }
        false
    }
}

/// A checksum as RocksDB stores it: changed, so that one of bytes that hold one is not special.
fn masked(crc: u32) -> u32 {
    crc.rotate_left(17).wrapping_add(0xa282_ead8)
}

/// That something plausible follows keeps the chance that a cut record is taken for damage at one
/// in 2^32, whatever its size.
fn is_end_or_record(bytes: &[u8]) -> bool {
    PieceHeader::read(bytes).is_none_or(|(header, payload)| {
        payload
            .get(..header.length)
            .is_some_and(|payload| header.fits(payload))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::batch::Batch;
    use crate::repo::space::Space;
    use crate::repo::{files, rocks_calls};

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        let crc = masked(crc32c_append(crc32c(&[kind]), payload));
        let length = u16::try_from(payload.len()).unwrap();
        [
            &crc.to_le_bytes()[..],
            &length.to_le_bytes(),
            &[kind],
            payload,
        ]
        .concat()
    }

    fn log() -> Vec<u8> {
        [
            record(1, b"first"),
            record(1, &[7; 300]),
            record(1, b"last"),
        ]
        .concat()
    }

    #[test]
    fn a_whole_log_and_one_cut_anywhere_are_no_damage() {
        let log = log();
        for end in 0..=log.len() {
            assert_eq!(find_damage(&log[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn every_flipped_bit_is_damage() {
        let log = log();
        for at in 0..log.len() {
            for bit in 0..8 {
                let mut flipped = log.clone();
                flipped[at] ^= 1 << bit;
                assert!(find_damage(&flipped).is_some(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn zeros_at_the_end_are_no_damage_and_zeros_in_the_middle_are() {
        let mut log = log();
        let middle = record(1, b"first").len();
        log.extend([0; 40_000]);
        assert_eq!(find_damage(&log), None);
        log[middle..middle + 307].fill(0);
        assert!(find_damage(&log).is_some());
    }

    #[test]
    fn records_in_several_blocks_are_read_over_the_fill_at_a_blocks_end() {
        let first = record(2, &vec![1; BLOCK_BYTES - HEADER_BYTES - 3]);
        let mut log = [first, vec![0; 3], record(4, &[2; 50])].concat();
        assert_eq!(find_damage(&log), None);
        let last = log.len() - 1;
        log[last] ^= 1;
        assert_eq!(find_damage(&log).unwrap().0, BLOCK_BYTES);
    }

    /// What is known here and in `files` of RocksDB's private formats is true of the RocksDB that is
    /// linked. Where this fails after an update, RocksDB writes its logs in another form (its
    /// `db/log_format.h`), and an undamaged folder would be refused: learn that form first.
    #[test]
    fn the_form_of_logs_and_manifests_is_the_one_of_the_rocksdb_that_is_linked() {
        let folder = tempfile::tempdir().unwrap();
        let db = rocks_calls::create(folder.path()).unwrap();
        let values: [usize; 4] = [1, 300, BLOCK_BYTES, 3 * BLOCK_BYTES];
        for bytes in values {
            let batch = Batch::new().put(Space::States, "key", vec![7; bytes]);
            db.write(rocks_calls::write_batch(&db, &batch).unwrap())
                .unwrap();
        }
        let reached = rocks_calls::reached(&db).unwrap();
        let manifest = format!("MANIFEST-{:06}", reached.manifest);
        let logs = files::numbered(folder.path(), "log").unwrap();
        assert_eq!(logs.len(), 1);
        for (path, records) in [(logs[0].clone(), 8), (folder.path().join(manifest), 2)] {
            let bytes = fs::read(&path).unwrap();
            assert_eq!(find_damage(&bytes), None, "{path:?}");
            // Of every record each bit counts; `1` to `4` are a whole one and the parts of one.
            let (mut at, mut kinds) = (0, Vec::new());
            while let Some((header, _)) = bytes.get(at..).and_then(PieceHeader::read) {
                kinds.push(header.kind);
                let next = at + HEADER_BYTES + header.length;
                let left = BLOCK_BYTES - next % BLOCK_BYTES;
                at = next + if left < HEADER_BYTES { left } else { 0 };
            }
            assert_eq!(at, bytes.len(), "{path:?}: records to the very end");
            assert!(kinds.iter().all(|kind| (1..=4).contains(kind)), "{kinds:?}");
            assert!(kinds.len() >= records, "{path:?} {kinds:?}");
        }
    }
}
