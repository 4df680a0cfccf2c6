//! The notations in which programs escape bytes that they print, and how one escape is read.

use super::read::{Unit, nibble};

/// A way of escaping.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// Rust and JSON: `\n`, `\xNN` is a byte, `\u{…}`, `\uNNNN`, `\0` is NUL whatever follows it.
    Rust,
    /// C and shells: as Rust, but up to three octal digits are a byte.
    Octal,
    /// Python and JavaScript texts: as Rust, but `\xNN` is a character.
    Characters,
    /// `%NN`.
    Percent,
    /// `%NN`, and a plus is a blank.
    Form,
}

/// The notations that use a backslash; they may lie several layers deep.
pub(super) const BACKSLASH: [Notation; 3] = [Notation::Rust, Notation::Octal, Notation::Characters];

/// The notations of web addresses and forms.
pub(super) const WEB: [Notation; 2] = [Notation::Percent, Notation::Form];

/// One to four bytes.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    bytes: [u8; 4],
    len: usize,
}

impl Bytes {
    fn one(byte: u8) -> Self {
        Self {
            bytes: [byte, 0, 0, 0],
            len: 1,
        }
    }

    fn of(character: char) -> Self {
        let mut bytes = [0; 4];
        let len = character.encode_utf8(&mut bytes).len();
        Self { bytes, len }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// The bytes that the units at the front of a row stand for.
pub(super) struct Token<'a> {
    pub(super) bytes: Bytes,
    pub(super) units: &'a [Unit],
}

impl Notation {
    /// The first token of a row; `None` only for an empty row. What is no escape is itself.
    pub(super) fn token(self, units: &[Unit]) -> Option<Token<'_>> {
        let (first, rest) = units.split_first()?;
        let escape = match (self, first.byte) {
            (Self::Percent | Self::Form, b'%') => {
                byte_of_hex(rest).map(|byte| (Bytes::one(byte), 3))
            }
            (Self::Form, b'+') => Some((Bytes::one(b' '), 1)),
            (Self::Rust | Self::Octal | Self::Characters, b'\\') => self.backslash(rest),
            _ => None,
        };
        let (bytes, length) = escape.unwrap_or((Bytes::one(first.byte), 1));
        let units = units.get(..length)?;
        Some(Token { bytes, units })
    }

    /// What follows a backslash, and the length of the escape with it.
    fn backslash(self, rest: &[Unit]) -> Option<(Bytes, usize)> {
        let (letter, rest) = rest.split_first()?;
        let byte = match letter.byte {
            b'x' | b'u' | b'U' => return self.numbered(letter.byte, rest),
            b'0'..=b'7' if self == Self::Octal => return octal(letter.byte, rest),
            b'0' => 0,
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            b'e' => 27,
            other if other.is_ascii_punctuation() || other == b' ' => other,
            _ => return None,
        };
        Some((Bytes::one(byte), 2))
    }

    fn numbered(self, letter: u8, rest: &[Unit]) -> Option<(Bytes, usize)> {
        if let Some((character, length)) = braced(rest) {
            return Some((Bytes::of(character), length.saturating_add(2)));
        }
        match (letter, self) {
            (b'x', Self::Characters) => Some((Bytes::of(char::from(byte_of_hex(rest)?)), 4)),
            (b'x', _) => Some((Bytes::one(byte_of_hex(rest)?), 4)),
            (b'U', _) => Some((Bytes::of(char::from_u32(number(rest, 8)?)?), 10)),
            _ => utf16(rest),
        }
    }
}

/// `{…}` with one to six hex digits, and its length.
fn braced(units: &[Unit]) -> Option<(char, usize)> {
    let (open, rest) = units.split_first()?;
    let digits = rest.iter().take(7).position(|unit| unit.byte == b'}')?;
    if open.byte != b'{' || digits == 0 {
        return None;
    }
    let character = char::from_u32(number(rest, digits)?)?;
    Some((character, digits.saturating_add(2)))
}

/// `NNNN`, or a pair of surrogates `NNNN\uNNNN`. A low surrogate alone is how Python keeps a byte
/// that is no text.
fn utf16(units: &[Unit]) -> Option<(Bytes, usize)> {
    let first = number(units, 4)?;
    if let Some(character) = char::from_u32(first) {
        return Some((Bytes::of(character), 6));
    }
    if (0xdc80..=0xdcff).contains(&first) {
        return Some((Bytes::one(u8::try_from(first & 0xff).ok()?), 6));
    }
    let [backslash, letter, rest @ ..] = units.get(4..)? else {
        return None;
    };
    if (backslash.byte, letter.byte) != (b'\\', b'u') {
        return None;
    }
    let pair = [first, number(rest, 4)?].map(|half| u16::try_from(half).unwrap_or(0));
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((Bytes::of(character), 12))
}

fn octal(first: u8, rest: &[Unit]) -> Option<(Bytes, usize)> {
    let mut value = u32::from(first.checked_sub(b'0')?);
    let mut length = 2_usize;
    for digit in rest
        .iter()
        .take(2)
        .map_while(|unit| char::from(unit.byte).to_digit(8))
    {
        value = value.checked_mul(8)?.checked_add(digit)?;
        length = length.saturating_add(1);
    }
    let byte = u8::try_from(value & 0xff).ok()?;
    Some((Bytes::one(byte), length))
}

fn byte_of_hex(units: &[Unit]) -> Option<u8> {
    u8::try_from(number(units, 2)?).ok()
}

/// The number that the first `digits` hex digits stand for.
fn number(units: &[Unit], digits: usize) -> Option<u32> {
    units.get(..digits)?.iter().try_fold(0_u32, |value, unit| {
        value
            .checked_mul(16)?
            .checked_add(u32::from(nibble(unit.byte)?))
    })
}
