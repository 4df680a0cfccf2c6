//! CRC-32C, the checksum that RocksDB's logs and tables use.

/// A checksum of the bytes so far.
#[derive(Clone, Copy)]
pub(super) struct Crc32c(u32);

impl Crc32c {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(!0).with(bytes)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a byte is less than 256, and indexing is what makes this fast enough"
    )]
    pub(super) fn with(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |crc, byte| {
            let [low, ..] = crc.to_le_bytes();
            TABLE[usize::from(low ^ byte)] ^ (crc >> 8)
        }))
    }

    /// As RocksDB stores it: changed, so that a checksum of bytes that hold one is not special.
    pub(super) fn masked(self) -> u32 {
        (!self.0).rotate_left(17).wrapping_add(0xa282_ead8)
    }
}

static TABLE: [u32; 256] = table();

/// For the reflected polynomial of Castagnoli.
#[expect(clippy::indexing_slicing, reason = "run by the compiler")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut entry = index as u32;
        let mut bit = 0;
        while bit < 8 {
            let shifted = entry >> 1;
            entry = if entry & 1 == 1 {
                0x82f6_3b78 ^ shifted
            } else {
                shifted
            };
            bit += 1;
        }
        table[index] = entry;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_checksum_of_the_digits_is_met() {
        let unmasked = Crc32c::of(b"1234").with(b"56789").masked();
        assert_eq!(
            unmasked.wrapping_sub(0xa282_ead8).rotate_right(17),
            0xe306_9283
        );
    }
}
