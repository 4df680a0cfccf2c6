//! Finds the table whose description is damaged. RocksDB notices that, but does not say which table
//! it was, and an error at the start has to name the file.
//!
//! Only asked after RocksDB has refused a database. Of a table (block format 6 and later with
//! CRC-32C) it reads the footer, the block that it names, and the blocks which that one names; the
//! data blocks are left to RocksDB, which names the file there.

use std::fs;
use std::path::Path;

use crate::repo::crc32c::Crc32c;

/// Checksum type 1, extended magic 4, checksum 4, context 4, size 4, zeros 24, version 4, magic 8.
const FOOTER_BYTES: usize = 53;
const CRC_32C: u8 = 1;
/// The kind of compression, 1, and the checksum, 4.
const TRAILER_BYTES: usize = 5;

/// Whether the description of this table is damaged; a file that cannot be read says nothing.
pub(super) fn is_damaged(table: &Path) -> bool {
    fs::read(table).is_ok_and(|bytes| blocks_are_whole(&bytes).is_none())
}

fn blocks_are_whole(table: &[u8]) -> Option<()> {
    let (blocks, footer) = table.split_last_chunk::<FOOTER_BYTES>()?;
    let (&[CRC_32C, ..], context, size) = (footer, u32_at(footer, 9)?, u32_at(footer, 13)?) else {
        return None;
    };
    let size = usize::try_from(size).ok()?;
    let at = blocks.len().checked_sub(size + TRAILER_BYTES)?;
    let mut entries = block(blocks, at, size, context)?;
    // After the entries: where some of them begin, 4 bytes each, and how many of these there are.
    let count = usize::try_from(u32_at(entries, entries.len().checked_sub(4)?)?).ok()?;
    let beginnings = count.checked_mul(4)?.checked_add(4)?;
    entries = entries.get(..entries.len().checked_sub(beginnings)?)?;
    while !entries.is_empty() {
        let (_shared, rest) = number(entries)?;
        let (name, rest) = number(rest)?;
        let (value, rest) = number(rest)?;
        let (mine, rest) = rest.get(name..)?.split_at_checked(value)?;
        let (at, size) = number(mine)?;
        block(blocks, at, number(size)?.0, context)?;
        entries = rest;
    }
    Some(())
}

/// A block, if it is whole.
fn block(blocks: &[u8], at: usize, size: usize, context: u32) -> Option<&[u8]> {
    let (content, trailer) = blocks.get(at..)?.split_at_checked(size)?;
    let stored = u32_at(trailer, 1)?;
    let crc = Crc32c::of(content).with(trailer.get(..1)?).masked();
    // The place is added, so that a block in the place of another one is noticed.
    let at = u64::try_from(at).ok()?;
    let folded = u32::try_from(at & 0xffff_ffff)
        .ok()?
        .wrapping_add(u32::try_from(at >> 32).ok()?);
    let moved = if context == 0 { 0 } else { context ^ folded };
    (crc.wrapping_add(moved) == stored).then_some(content)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A number in groups of 7 bits, lowest first, the last one without its high bit.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    let mut rest = bytes;
    for shift in (0..63).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, rest));
        }
    }
    None
}
