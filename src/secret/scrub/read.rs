//! The ways in which a text may be read: as it stands, with its escapes undone, as hex digits, as a
//! list of numbers, as base64.
//!
//! A reading is a row of bytes, each with the place in the text that it stands for. A key is then
//! looked for in the readings, so that no encoded copy of a key is ever made, and whatever mixture
//! of cases, separators and alphabets a text uses needs no needle of its own.

use zeroize::{Zeroize, Zeroizing};

use super::notation::{Notation, Token};

/// One byte of a reading and the part of the text, `start..end`, that it stands for.
#[derive(Clone, Copy, Zeroize)]
pub(super) struct Unit {
    pub(super) byte: u8,
    /// Nothing before this byte belongs with it.
    pub(super) fresh: bool,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A text, read in one way. It is as secret as the text.
pub(super) struct Reading {
    pub(super) units: Zeroizing<Vec<Unit>>,
}

impl Reading {
    /// The text as it stands. A text that is too long for it is read up to 4 GiB.
    pub(super) fn plain(text: &[u8]) -> Self {
        let mut reading = Self::with_room(text.len());
        for (place, byte) in (0..u32::MAX).zip(text) {
            reading.push(*byte, place, place.saturating_add(1), false);
        }
        reading
    }

    /// No reading has more bytes than what it was read from, so a buffer never grows.
    fn with_room(bytes: usize) -> Self {
        Self {
            units: Zeroizing::new(Vec::with_capacity(bytes)),
        }
    }

    fn push(&mut self, byte: u8, start: u32, end: u32, fresh: bool) {
        self.units.push(Unit {
            byte,
            fresh,
            start,
            end,
        });
    }

    /// Whether both hold the same bytes for the same places.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.units.len() == other.units.len()
            && self
                .units
                .iter()
                .zip(other.units.iter())
                .all(|(mine, theirs)| (mine.byte, mine.start) == (theirs.byte, theirs.start))
    }
}

/// A reading with escapes undone.
pub(super) struct Unescaped {
    pub(super) reading: Reading,
    /// The places, in what it was read from, that lie inside an escape: a key may begin at one of
    /// them, when the text before it ends in half an escape.
    pub(super) inside: Vec<usize>,
}

/// The escapes of one notation undone; `None` where there are none.
pub(super) fn unescaped(source: &Reading, notation: Notation) -> Option<Unescaped> {
    let mut reading = Reading::with_room(source.units.len());
    let mut inside = Vec::new();
    let mut at = 0_usize;
    while let Some(Token { bytes, units }) = notation.token(source.units.get(at..)?) {
        let next = at.saturating_add(units.len());
        if let (Some(first), Some(last)) = (units.first(), units.last()) {
            for byte in bytes.as_slice() {
                reading.push(*byte, first.start, last.end, false);
            }
        }
        inside.extend(at.saturating_add(1)..next);
        at = next;
    }
    (!inside.is_empty()).then_some(Unescaped { reading, inside })
}

/// The value of a hex digit in either case.
pub(super) fn nibble(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Hex digits in pairs, whatever stands between them (blanks, colons, commas, `0x`); with `skip`,
/// the first digit of every run belongs to something else.
pub(super) fn hex(source: &Reading, skip: bool) -> Reading {
    let mut reading = Reading::with_room(source.units.len());
    let (mut fresh, mut skipping) = (true, skip);
    let mut high: Option<(u8, u32)> = None;
    let mut after_digit = false;
    let mut units = source.units.iter().peekable();
    while let Some(unit) = units.next() {
        let prefix = unit.byte == b'0' && !after_digit;
        if prefix
            && units
                .next_if(|next| matches!(next.byte, b'x' | b'X'))
                .is_some()
        {
            continue;
        }
        let digit = nibble(unit.byte);
        after_digit = digit.is_some();
        match (digit, high) {
            (Some(_), _) if skipping => skipping = false,
            (Some(value), None) => high = Some((value, unit.start)),
            (Some(value), Some((first, start))) => {
                reading.push((first << 4) | value, start, unit.end, fresh);
                fresh = false;
                high = None;
            }
            (None, _)
                if matches!(unit.byte, b' ' | b'\t' | b'\r' | b'\n' | b':' | b'-' | b'_')
                    || matches!(unit.byte, b',' | b';' | b'.' | b'|') => {}
            (None, _) => (fresh, skipping, high) = (true, skip, None),
        }
    }
    reading
}

/// Numbers of one byte each with something between them, as `[107, 101, 121]`, `6b 5 79` or
/// `[0x6b, 0x5]`; negative ones too, as languages with signed bytes print them.
pub(super) fn listed(source: &Reading, radix: u32) -> Reading {
    let mut reading = Reading::with_room(source.units.len());
    let mut fresh = true;
    let starts_number = |unit: &Unit| unit.byte.is_ascii_alphanumeric();
    let mut rest = source.units.as_slice();
    while let Some((unit, after)) = rest.split_first() {
        let negative = unit.byte == b'-' && radix == 10;
        if !starts_number(unit) && !negative {
            fresh |= !matches!(unit.byte, b' ' | b'\t' | b'\r' | b'\n')
                && !matches!(unit.byte, b',' | b';' | b':' | b'|' | b'-');
            rest = after;
            continue;
        }
        let digits = after.iter().take_while(|unit| starts_number(unit)).count();
        let (number, after) = rest
            .split_at_checked(digits.saturating_add(1))
            .unwrap_or((rest, &[]));
        match (number_of_one_byte(number, radix), number.last()) {
            (Some(byte), Some(last)) => {
                reading.push(byte, unit.start, last.end, fresh);
                fresh = false;
            }
            _ => fresh = true,
        }
        rest = after;
    }
    reading
}

fn number_of_one_byte(units: &[Unit], radix: u32) -> Option<u8> {
    let mut digits = units;
    let negative = matches!(digits, [first, ..] if first.byte == b'-');
    if negative {
        digits = digits.split_first()?.1;
    }
    if let [zero, x, rest @ ..] = digits
        && radix == 16
        && zero.byte == b'0'
        && matches!(x.byte, b'x' | b'X')
    {
        digits = rest;
    }
    if digits.is_empty() || digits.len() > 3 {
        return None;
    }
    let value = digits.iter().try_fold(0_u32, |value, unit| {
        let digit = char::from(unit.byte).to_digit(radix)?;
        value.checked_mul(radix)?.checked_add(digit)
    })?;
    if negative {
        let value = i8::try_from(0_i64.checked_sub(i64::from(value))?).ok()?;
        return Some(value.cast_unsigned());
    }
    u8::try_from(value).ok()
}

/// Base64 in both alphabets, line breaks left out; the first `skip` digits of every run belong to
/// something else. With 0 to 3 of them every alignment of a key in a longer text is met.
pub(super) fn base64(source: &Reading, skip: usize) -> Reading {
    let mut reading = Reading::with_room(source.units.len());
    let (mut fresh, mut skipping) = (true, skip);
    let (mut bits, mut held): (u32, u32) = (0, 0);
    let mut start = 0;
    for unit in source.units.iter() {
        let Some(digit) = sextet(unit.byte) else {
            if !matches!(unit.byte, b' ' | b'\t' | b'\r' | b'\n') {
                (fresh, skipping, bits, held) = (true, skip, 0, 0);
            }
            continue;
        };
        if skipping > 0 {
            skipping = skipping.saturating_sub(1);
            continue;
        }
        if held == 0 {
            start = unit.start;
        }
        bits = ((bits << 6) | u32::from(digit)) & 0x3fff;
        held = held.saturating_add(6);
        if held >= 8 {
            held = held.saturating_sub(8);
            let byte = bits.checked_shr(held).unwrap_or(0) & 0xff;
            reading.push(u8::try_from(byte).unwrap_or(0), start, unit.end, fresh);
            fresh = false;
            start = unit.start;
        }
    }
    reading
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => byte.checked_sub(b'A'),
        b'a'..=b'z' => byte
            .checked_sub(b'a')
            .and_then(|digit| digit.checked_add(26)),
        b'0'..=b'9' => byte
            .checked_sub(b'0')
            .and_then(|digit| digit.checked_add(52)),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
