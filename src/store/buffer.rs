//! The buffer between a file or a pipe and a key value: allocated once, never grown in place,
//! zeroized when it is dropped.

use zeroize::Zeroizing;

use crate::secret::value::{InvalidKey, MAX_VALUE_BYTES, SecretKeyValue};

/// The longest line end that may be cut from a value: `\r\n`.
const LONGEST_LINE_END: usize = 2;

/// The size of a buffer that takes the largest value with its line end, and one byte more, by which
/// it is told that there was too much.
pub(super) const FULL_SIZE: usize = MAX_VALUE_BYTES + LONGEST_LINE_END + 1;

/// Whether one final line end belongs to the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LineEnd {
    /// One final `\n` or `\r\n` is cut.
    #[default]
    Cut,
    /// Every byte is kept.
    Keep,
}

/// Plain bytes that are being read.
pub(super) struct ReadBuffer {
    bytes: Zeroizing<Vec<u8>>,
    filled: usize,
}

impl ReadBuffer {
    /// A buffer for that many bytes.
    pub(super) fn of_size(size: usize) -> Self {
        Self {
            bytes: Zeroizing::new(vec![0; size]),
            filled: 0,
        }
    }

    /// The room that is left. Empty means that the buffer is full.
    pub(super) fn free(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    /// Counts what was just read into [`free`](Self::free).
    pub(super) fn advance(&mut self, read: usize) {
        self.filled = self.filled.saturating_add(read).min(self.bytes.len());
    }

    /// Whether no room is left.
    pub(super) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// What was read so far.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// The same content in a larger buffer; this one is zeroized.
    pub(super) fn moved_to_size(self, size: usize) -> Self {
        let mut larger = Self::of_size(size);
        let content = self.filled();
        if let Some(room) = larger.free().get_mut(..content.len()) {
            room.copy_from_slice(content);
            larger.advance(content.len());
        }
        larger
    }

    /// The value that was read, in memory of its own size.
    ///
    /// # Errors
    /// [`InvalidKey::TooLong`] if the buffer has [`FULL_SIZE`] and is full: the source had more.
    pub(super) fn into_value(self, line_end: LineEnd) -> Result<SecretKeyValue, InvalidKey> {
        if self.filled >= FULL_SIZE {
            return Err(InvalidKey::TooLong { bytes: self.filled });
        }
        Ok(SecretKeyValue::from(match line_end {
            LineEnd::Cut => without_line_end(self.filled()),
            LineEnd::Keep => self.filled(),
        }))
    }
}

/// The bytes without one final line end.
pub(super) fn without_line_end(bytes: &[u8]) -> &[u8] {
    match bytes {
        [value @ .., b'\r', b'\n'] | [value @ .., b'\n'] => value,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_line_end_is_cut() {
        for (given, left) in [
            ("key\n", "key"),
            ("key\r\n", "key"),
            ("key\n\n", "key\n"),
            ("key\r", "key\r"),
            ("key\n\r", "key\n\r"),
            ("key \n", "key "),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(without_line_end(given.as_bytes()), left.as_bytes());
        }
    }

    #[test]
    fn a_larger_buffer_goes_on_with_the_same_content() {
        let mut buffer = ReadBuffer::of_size(3);
        buffer.free().copy_from_slice(b"abc");
        buffer.advance(3);
        assert!(buffer.is_full());
        let mut buffer = buffer.moved_to_size(5);
        assert!(!buffer.is_full());
        buffer.free().copy_from_slice(b"d\n");
        buffer.advance(2);
        let value = buffer.into_value(LineEnd::Cut).unwrap();
        assert_eq!(value.expose(), b"abcd");
    }
}
