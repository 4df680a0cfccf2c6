//! The ways in which a text may be read: as it stands, with its escapes undone, as hex digits, as a
//! list of numbers, as base64.
//!
//! A key is looked for in the readings, so that no encoded copy of a key is ever made, and whatever
//! mixture of cases, separators and alphabets a text uses needs no needle of its own. A reading is as
//! secret as the text, and is wiped.

use zeroize::Zeroizing;

/// No escape has more bytes: a pair of surrogates, `\uNNNN\uNNNN`.
pub(super) const LONGEST_ESCAPE: usize = 12;

/// How many layers of escapes are undone: an error's `Debug` within another's, and one layer of markup
/// less: `&amp;lt;`.
const LAYERS: usize = 3;

/// What is asked of each run of bytes in a reading, and whether it reaches the text's end.
type Test<'a> = dyn FnMut(&[u8], bool) -> bool + 'a;

/// The bytes of a reading, or of a part of it.
type Reading = Zeroizing<Vec<u8>>;

/// Whether the answer is yes for a run of bytes in any reading of the text: as it stands, and with
/// the markup undone that is around everything else, as of a page that shows JSON.
pub(super) fn any(text: &[u8], asked: &mut Test<'_>) -> bool {
    if escaped(text, asked) {
        return true;
    }
    let mut layer = unescaped(text, Notation::Markup);
    for _ in 1..LAYERS {
        let Some(open) = layer else {
            break;
        };
        if escaped(&open, asked) {
            return true;
        }
        layer = unescaped(&open, Notation::Markup);
    }
    false
}

/// With the escapes of backslashes, and without.
fn escaped(text: &[u8], asked: &mut Test<'_>) -> bool {
    if web(text, asked) {
        return true;
    }
    for notation in [Notation::Rust, Notation::Octal, Notation::Characters] {
        let mut layer = unescaped(text, notation);
        for _ in 0..LAYERS {
            let Some(open) = layer else {
                break;
            };
            if web(&open, asked) {
                return true;
            }
            layer = unescaped(&open, notation);
        }
    }
    false
}

/// With the escapes of web addresses, of forms, of markup and of quotes, and without.
fn web(text: &[u8], asked: &mut Test<'_>) -> bool {
    use Notation::{Doubled, Form, Markup, Percent};
    digits(text, asked)
        || [Percent, Form, Markup, Doubled(b'\''), Doubled(b'"')]
            .into_iter()
            .filter_map(|notation| unescaped(text, notation))
            .any(|open| digits(&open, asked))
}

fn digits(text: &[u8], asked: &mut Test<'_>) -> bool {
    asked(text, true)
        || [false, true].into_iter().any(|skip| hex(text, skip, asked))
        || [10, 16].into_iter().any(|radix| listed(text, radix, asked))
        || (0..4).any(|skip| base64(text, skip, asked))
}

/// No reading has more bytes than what it was read from, so a buffer never grows.
fn room(text: &[u8]) -> Reading {
    Zeroizing::new(Vec::with_capacity(text.len()))
}

/// Hex digits in pairs, whatever stands between them (blanks, colons, commas, `0x`); with `skip`,
/// the first digit of every run belongs to something else.
fn hex(text: &[u8], skip: bool, asked: &mut Test<'_>) -> bool {
    let mut run = room(text);
    let (mut high, mut skipping, mut after_digit) = (None, skip, false);
    let mut rest = text.iter().peekable();
    while let Some(byte) = rest.next() {
        let is_prefix = *byte == b'0' && !after_digit;
        if is_prefix && rest.next_if(|next| matches!(next, b'x' | b'X')).is_some() {
            continue;
        }
        let digit = nibble(*byte);
        after_digit = digit.is_some();
        match (digit, high) {
            (Some(_), _) if skipping => skipping = false,
            (Some(digit), None) => high = Some(digit),
            (Some(digit), Some(first)) => {
                run.push((first << 4) | digit);
                high = None;
            }
            (None, _) if b" \t\r\n:-_,;.|".contains(byte) => {}
            (None, _) => {
                if asked(&run, false) {
                    return true;
                }
                run.clear();
                (high, skipping) = (None, skip);
            }
        }
    }
    asked(&run, true)
}

/// Numbers of one byte each with something between them, as `[107, 101, 121]`, `6b 5 79` or
/// `[0x6b, 0x5]`; negative ones too, as languages with signed bytes print them.
fn listed(text: &[u8], radix: u32, asked: &mut Test<'_>) -> bool {
    let mut run = room(text);
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let negative = *byte == b'-' && radix == 10;
        let mut ends = false;
        if byte.is_ascii_alphanumeric() || negative {
            let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric();
            let digits = after.iter().take_while(is_digit).count();
            let (number, after) = rest.split_at(digits.saturating_add(1));
            match number_of_one_byte(number, radix) {
                Some(byte) => run.push(byte),
                None => ends = true,
            }
            rest = after;
        } else {
            ends = !b" \t\r\n,;:|-".contains(byte);
            rest = after;
        }
        if ends {
            if asked(&run, false) {
                return true;
            }
            run.clear();
        }
    }
    asked(&run, true)
}

fn number_of_one_byte(number: &[u8], radix: u32) -> Option<u8> {
    let (negative, digits) = match number.split_first()? {
        (b'-', rest) => (true, rest),
        (b'0', [b'x' | b'X', rest @ ..]) if radix == 16 => (false, rest),
        _ => (false, number),
    };
    if digits.is_empty() || digits.len() > 3 {
        return None;
    }
    let value = digits.iter().try_fold(0_u32, |value, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        value.checked_mul(radix)?.checked_add(digit)
    })?;
    if negative {
        let value = 0_i64.checked_sub(i64::from(value))?;
        return Some(i8::try_from(value).ok()?.cast_unsigned());
    }
    u8::try_from(value).ok()
}

/// Base64 in both alphabets, line breaks left out; the first `skip` digits of every run belong to
/// something else. With 0 to 3 of them every alignment of a key in a longer text is met.
fn base64(text: &[u8], skip: usize, asked: &mut Test<'_>) -> bool {
    let mut run = room(text);
    let (mut skipping, mut bits, mut held) = (skip, 0_u32, 0_u32);
    for byte in text {
        let Some(digit) = sextet(*byte) else {
            if !b" \t\r\n".contains(byte) {
                if asked(&run, false) {
                    return true;
                }
                run.clear();
                (skipping, bits, held) = (skip, 0, 0);
            }
            continue;
        };
        if skipping > 0 {
            skipping = skipping.saturating_sub(1);
            continue;
        }
        bits = ((bits << 6) | u32::from(digit)) & 0x3fff;
        held = held.saturating_add(6);
        if held >= 8 {
            held = held.saturating_sub(8);
            let byte = bits.checked_shr(held).unwrap_or(0) & 0xff;
            run.push(u8::try_from(byte).unwrap_or(0));
        }
    }
    asked(&run, true)
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => byte.checked_sub(b'A'),
        b'a'..=b'z' => byte.checked_sub(b'a')?.checked_add(26),
        b'0'..=b'9' => byte.checked_sub(b'0')?.checked_add(52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// A way of escaping.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notation {
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
    /// HTML and XML: `&lt;`, `&#NN;`, `&#xNN;`.
    Markup,
    /// SQL and CSV: this quote inside quotes is two.
    Doubled(u8),
}

/// The escapes of one notation undone; `None` where there are none. What is no escape is itself.
fn unescaped(text: &[u8], notation: Notation) -> Option<Reading> {
    let mut open = room(text);
    let mut rest = text;
    let mut any = false;
    while let Some((first, after)) = rest.split_first() {
        let escape = match (notation, first) {
            (Notation::Percent | Notation::Form, b'%') => Some(Escape::byte(byte_of(after), 3)),
            (Notation::Form, b'+') => Some(Escape::byte(Some(b' '), 1)),
            (Notation::Markup, b'&') => Some(entity(after)),
            (Notation::Doubled(quote), first)
                if *first == quote && after.first() == Some(first) =>
            {
                Some(Escape::byte(Some(quote), 2))
            }
            (Notation::Percent | Notation::Form | Notation::Markup | Notation::Doubled(_), _) => {
                None
            }
            (_, b'\\') => Some(backslash(after, notation)),
            (_, _) => None,
        };
        match escape.flatten() {
            Some(Escape { means, length }) => {
                match means {
                    Means::Byte(byte) => open.push(byte),
                    Means::Character(character) => {
                        let mut room = Zeroizing::new([0; 4]);
                        open.extend_from_slice(character.encode_utf8(&mut *room).as_bytes());
                    }
                }
                rest = rest.get(length..).unwrap_or_default();
                any = true;
            }
            None => {
                open.push(*first);
                rest = after;
            }
        }
    }
    any.then_some(open)
}

enum Means {
    Byte(u8),
    Character(char),
}

struct Escape {
    means: Means,
    /// How many bytes of the text it takes, the first one included.
    length: usize,
}

impl Escape {
    fn byte(byte: Option<u8>, length: usize) -> Option<Self> {
        let means = Means::Byte(byte?);
        Some(Self { means, length })
    }

    fn character(character: Option<char>, length: usize) -> Option<Self> {
        let means = Means::Character(character?);
        Some(Self { means, length })
    }
}

/// The escape that goes on after an ampersand: a name, or a number of seven digits at most.
fn entity(after: &[u8]) -> Option<Escape> {
    let end = after.iter().take(9).position(|byte| *byte == b';')?;
    let character = match after.get(..end)? {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, digits.len())?)?,
        [b'#', digits @ ..] => char::from_u32(str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    Escape::character(Some(character), end.checked_add(2)?)
}

/// The escape that goes on after a backslash.
fn backslash(after: &[u8], notation: Notation) -> Option<Escape> {
    let (letter, rest) = after.split_first()?;
    let byte = match letter {
        b'x' | b'u' | b'U' => return numbered(*letter, rest, notation),
        b'0'..=b'7' if notation == Notation::Octal => return octal(after),
        b'0' => 0,
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        b'e' => 27,
        other if other.is_ascii_punctuation() || *other == b' ' => *other,
        _ => return None,
    };
    Escape::byte(Some(byte), 2)
}

fn numbered(letter: u8, rest: &[u8], notation: Notation) -> Option<Escape> {
    if let [b'{', rest @ ..] = rest {
        let digits = rest.iter().take(7).position(|byte| *byte == b'}')?;
        let length = digits.checked_add(4)?;
        let number = number(rest, digits).filter(|_| digits > 0);
        return Escape::character(char::from_u32(number?), length);
    }
    match (letter, notation) {
        (b'x', Notation::Characters) => Escape::character(byte_of(rest).map(char::from), 4),
        (b'x', _) => Escape::byte(byte_of(rest), 4),
        (b'U', _) => Escape::character(char::from_u32(number(rest, 8)?), 10),
        _ => utf16(rest),
    }
}

/// `NNNN`, or a pair of surrogates `NNNN\uNNNN`. A low surrogate alone is how Python keeps a byte
/// that is no text.
fn utf16(rest: &[u8]) -> Option<Escape> {
    let first = number(rest, 4)?;
    if let Some(character) = char::from_u32(first) {
        return Escape::character(Some(character), 6);
    }
    if (0xdc80..=0xdcff).contains(&first) {
        return Escape::byte(u8::try_from(first & 0xff).ok(), 6);
    }
    let [b'\\', b'u', rest @ ..] = rest.get(4..)? else {
        return None;
    };
    let pair = [first, number(rest, 4)?].map(|half| u16::try_from(half).unwrap_or(0));
    let character = char::decode_utf16(pair).next()?.ok();
    Escape::character(character, LONGEST_ESCAPE)
}

fn octal(digits: &[u8]) -> Option<Escape> {
    let mut value = 0_u32;
    let mut length = 1_usize;
    let octals = digits.iter().take(3);
    for digit in octals.map_while(|byte| char::from(*byte).to_digit(8)) {
        value = value.checked_mul(8)?.checked_add(digit)?;
        length = length.checked_add(1)?;
    }
    Escape::byte(u8::try_from(value & 0xff).ok(), length)
}

fn byte_of(digits: &[u8]) -> Option<u8> {
    u8::try_from(number(digits, 2)?).ok()
}

/// The number that the first so many hex digits stand for.
fn number(text: &[u8], digits: usize) -> Option<u32> {
    text.get(..digits)?.iter().try_fold(0_u32, |value, byte| {
        value
            .checked_mul(16)?
            .checked_add(u32::from(nibble(*byte)?))
    })
}

fn nibble(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}
