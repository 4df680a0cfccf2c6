//! What a command prints: its output up to the largest key, its standard error up to a bound.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::secret::scrub::Scrubber;
use crate::secret::text::ForeignText;
use crate::secret::value::{InvalidKey, SecretKeyValue};
use crate::store::buffer::{FULL_SIZE, LineEnd, ReadBuffer};
use crate::store::error::StoreError;

/// How much of the standard error is kept, in bytes; the rest is read and forgotten.
const KEPT_ERROR_BYTES: usize = 64 * 1024;

/// How much of the last line of the standard output is kept, in bytes.
const KEPT_LINE_BYTES: usize = 1024;

/// The size of the buffer for what is forgotten.
const FORGOTTEN_BYTES: usize = 4 * 1024;

/// The standard error of a failed command is withheld if it quotes a line of the output, of so many
/// lines at most; beyond that it is withheld anyway.
const SCRUBBED_LINES: usize = 64;

/// What a text that cannot be looked through with certainty is replaced by.
const WITHHELD: &str = "(withheld: it may contain a key value that the command printed)";

/// The standard output. Read up to the largest key with a line end, and one byte more.
pub(super) struct Output {
    buffer: ReadBuffer,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            buffer: ReadBuffer::of_size(FULL_SIZE),
        }
    }

    /// Reads to the end. What was read stays when this is dropped at an await.
    ///
    /// # Errors
    /// [`InvalidKey::TooLong`] as soon as there is too much. A read that fails is an end.
    pub(super) async fn read(
        &mut self,
        mut pipe: impl AsyncRead + Unpin,
    ) -> Result<(), InvalidKey> {
        while !self.buffer.is_full() {
            match pipe.read(self.buffer.free()).await {
                Ok(0) | Err(_) => return Ok(()),
                Ok(read) => self.buffer.advance(read),
            }
        }
        Err(InvalidKey::TooLong { bytes: FULL_SIZE })
    }

    /// The value that was printed.
    pub(super) fn into_value(self, line_end: LineEnd) -> Result<SecretKeyValue, StoreError> {
        Ok(self.buffer.into_value(line_end)?)
    }

    /// Everything in it that may be a key: the whole, and each line. `None` if it is too many.
    fn possible_keys(&self) -> Option<Vec<SecretKeyValue>> {
        let printed = self.buffer.filled();
        let lines = printed.split(|byte| *byte == b'\n');
        let keys: Vec<_> = lines
            .chain([printed])
            .map(<[u8]>::trim_ascii)
            .filter(|part| !part.is_empty())
            .take(SCRUBBED_LINES + 1)
            .map(SecretKeyValue::from)
            .collect();
        (keys.len() <= SCRUBBED_LINES).then_some(keys)
    }
}

/// The standard output of a command that prints no key: its last line is kept.
pub(super) struct LastLine {
    line: ReadBuffer,
    /// Whether a line end was the last that was read: the next byte begins a new line.
    over: bool,
    /// Whether the line is longer than what is kept.
    long: bool,
}

impl LastLine {
    pub(super) fn new() -> Self {
        Self {
            line: ReadBuffer::of_size(KEPT_LINE_BYTES),
            over: false,
            long: false,
        }
    }

    /// Reads to the end, however much it is.
    pub(super) async fn read(&mut self, mut pipe: impl AsyncRead + Unpin) {
        loop {
            let mut part = ReadBuffer::of_size(FORGOTTEN_BYTES);
            match pipe.read(part.free()).await {
                Ok(0) | Err(_) => return,
                Ok(read) => part.advance(read),
            }
            self.take(part.filled());
        }
    }

    fn take(&mut self, part: &[u8]) {
        for line in part.split_inclusive(|byte| *byte == b'\n') {
            if self.over {
                *self = Self::new();
            }
            let ended = line.strip_suffix(b"\n");
            self.over = ended.is_some();
            let line = ended.unwrap_or(line);
            match self.line.free().get_mut(..line.len()) {
                Some(room) => {
                    room.copy_from_slice(line);
                    self.line.advance(line.len());
                }
                None => self.long = true,
            }
        }
    }

    /// The line, none if it was too long.
    pub(super) fn into_value(self) -> SecretKeyValue {
        SecretKeyValue::from(if self.long { &[] } else { self.line.filled() })
    }
}

/// The standard error: its beginning is kept.
pub(super) struct ErrorOutput {
    kept: ReadBuffer,
    more: bool,
}

impl ErrorOutput {
    pub(super) fn new() -> Self {
        Self {
            kept: ReadBuffer::of_size(KEPT_ERROR_BYTES),
            more: false,
        }
    }

    /// Reads to the end, however much it is, so that the program never waits for a reader.
    pub(super) async fn read(&mut self, mut pipe: impl AsyncRead + Unpin) {
        let mut forgotten = ReadBuffer::of_size(FORGOTTEN_BYTES);
        loop {
            let full = self.kept.is_full();
            let room = if full {
                forgotten.free()
            } else {
                self.kept.free()
            };
            match pipe.read(room).await {
                Ok(0) | Err(_) => return,
                Ok(_) if full => self.more = true,
                Ok(read) => self.kept.advance(read),
            }
        }
    }

    /// The text, and what it must not quote: what the same command printed on its standard output.
    pub(super) fn into_text(self, output: &Output) -> ForeignText {
        let Some(keys) = output.possible_keys() else {
            return ForeignText::from(WITHHELD);
        };
        self.into_whole_text().quoting(Scrubber::new(keys))
    }

    /// The text of a command that printed no keys.
    pub(super) fn into_whole_text(self) -> ForeignText {
        let text = ForeignText::from(self.kept.filled().trim_ascii_end().to_vec());
        if self.more { text.cut() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_line(parts: &[&str]) -> Vec<u8> {
        let mut output = LastLine::new();
        for part in parts {
            output.take(part.as_bytes());
        }
        output.into_value().expose().to_vec()
    }

    #[test]
    fn the_last_line_is_kept_wherever_the_parts_end() {
        for parts in [
            &["one\ntwo\neffect: nothing\n"] as &[&str],
            &["one\ntwo\nef", "fect: ", "nothing", "\n"],
            &["effect: nothing"],
            &["one\n", "effect: nothing\n"],
        ] {
            assert_eq!(last_line(parts), b"effect: nothing", "{parts:?}");
        }
        assert_eq!(last_line(&[]), b"");
        assert_eq!(last_line(&["one\n\n"]), b"");
    }

    #[test]
    fn a_line_that_is_too_long_is_none_and_the_next_one_is_kept() {
        let long = "x".repeat(KEPT_LINE_BYTES);
        assert_eq!(last_line(&[&long]), long.as_bytes());
        assert_eq!(last_line(&[&long, "x"]), b"");
        assert_eq!(last_line(&[&long, "x\nshort"]), b"short");
    }
}
