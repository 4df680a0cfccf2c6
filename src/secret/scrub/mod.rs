//! Texts of foreign code (what a callback answers, a panic's text, what a command prints) looked
//! through for the keys that they may quote, before they are logged, stored or shown. A text in which a
//! key is found is withheld whole.
//!
//! A key is found as it stands, in hex, in base64 (both alphabets, every alignment), as a list of
//! bytes, and escaped, also in several layers, whatever its length: a key of one to three bytes is found
//! in nearly every text. What is left of a text has its control characters escaped
//! ([`Visible`]) and is shortened last.
//!
//! Not found, and not promised: a part of a key (but at the end of a text that was cut), a key in
//! reverse, enciphered, compressed or taken apart by other text.
//!
//! Never in here: what the texts mean, and any encoded copy of a key.

mod readings;

use std::fmt;

use memchr::memmem::Finder;
use zeroize::Zeroizing;

use crate::secret::value::SecretKeyValue;
use crate::secret::visible::Visible;

/// The longest text that a [`Scrubber`] answers, in bytes: 1 KiB, the mark of the cut included.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The longest text that is looked through, in bytes: 64 KiB. A longer one is cut there first.
pub const MAX_SCANNED_BYTES: usize = 64 * 1024;

/// Stands for a text that quotes a key.
pub const WITHHELD: &str = "(withheld: the text contains a key value)";

/// Stands for the beginning of a longer text, that ends in what a key begins with.
pub const WITHHELD_END: &str =
    "(withheld: the text was cut, and may contain a part of a key value at its end)";

/// Stands at the end of a text that was cut.
const CUT: &str = "… (cut)";

/// So many of a key's first bytes are no accident at the end of a text that was cut.
const SHORTEST_PART: usize = 4;

/// How many bytes of text one byte of a key takes at most in any notation, with room to spare.
const LONGEST_NOTATION: usize = 16;

/// A key of so many bytes is looked for without its first character, which a backslash at the end of the
/// text before it may have taken for its own escape.
const FIRST_SPARED: usize = 8;

/// Looks through texts for certain key values.
///
/// It holds the values themselves, shared and wiped with their last owner; `Debug` shows none.
#[derive(Clone, Default)]
pub struct Scrubber {
    values: Vec<SecretKeyValue>,
}

impl Scrubber {
    /// A scrubber for these keys; empty values are left out.
    pub fn new(values: impl IntoIterator<Item = SecretKeyValue>) -> Self {
        let mut distinct: Vec<SecretKeyValue> = Vec::new();
        for value in values {
            if !value.expose().is_empty() && !distinct.contains(&value) {
                distinct.push(value);
            }
        }
        Self { values: distinct }
    }

    /// The text as visible UTF-8, cut to 1 KiB; `(withheld: the text contains a key value)` if it quotes a key.
    pub fn scrub(&self, text: &[u8]) -> String {
        match text.get(..MAX_SCANNED_BYTES) {
            Some(beginning) if beginning.len() < text.len() => self.shown(beginning, true),
            Some(_) | None => self.shown(text, false),
        }
    }

    /// [`Scrubber::scrub`] for a text.
    pub fn scrub_str(&self, text: &str) -> String {
        self.scrub(text.as_bytes())
    }

    /// [`Scrubber::scrub`] for the beginning of a longer text, which is withheld also if it ends in what a
    /// key begins with.
    pub fn scrub_beginning(&self, text: &[u8]) -> String {
        self.shown(text.get(..MAX_SCANNED_BYTES).unwrap_or(text), true)
    }

    /// A scrubber for the keys of both.
    pub fn and(&self, other: &Self) -> Self {
        Self::new(self.values.iter().chain(&other.values).cloned())
    }

    fn shown(&self, text: &[u8], cut: bool) -> String {
        let forms = self.forms();
        let keys: Vec<Key<'_>> = forms.iter().filter_map(|form| Key::of(form)).collect();
        let as_text = lossy(text);
        let visible = Zeroizing::new(Visible::whole(as_text.as_str()));
        // What marks of bytes that are no text, and escapes, make of it could be a key as well.
        let mut texts = vec![text, as_text.as_bytes(), visible.as_bytes()];
        texts.dedup();
        let quoted = |text| readings::any(text, &mut |run, _| quotes(&keys, run));
        if texts.into_iter().any(quoted) {
            return WITHHELD.to_owned();
        }
        if cut && ends_in_part(&keys, text) {
            return WITHHELD_END.to_owned();
        }
        shortened(&visible)
    }

    /// The keys, and what those that are no UTF-8 become in a text.
    fn forms(&self) -> Vec<Zeroizing<Vec<u8>>> {
        let mut forms = Vec::new();
        for value in &self.values {
            let bytes = value.expose();
            if std::str::from_utf8(bytes).is_err() {
                forms.push(Zeroizing::new(lossy(bytes).as_bytes().to_vec()));
            }
            if !bytes.is_ascii() {
                forms.push(latin(bytes));
            }
            forms.push(Zeroizing::new(bytes.to_vec()));
        }
        forms
    }
}

/// A key, or one of the forms that a key that is no UTF-8 gets in a text.
struct Key<'a> {
    bytes: &'a [u8],
    search: Finder<'a>,
}

impl<'a> Key<'a> {
    fn of(form: &'a [u8]) -> Option<Self> {
        let bytes = without_line_ends(form);
        if bytes.is_empty() {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok();
        let first = text.and_then(|text| text.chars().next());
        let first = first.map_or(1, char::len_utf8);
        let sought = match bytes.get(first..) {
            Some(rest) if bytes.len() >= FIRST_SPARED => rest,
            Some(_) | None => bytes,
        };
        let search = Finder::new(sought);
        Some(Self { bytes, search })
    }

    /// Whether these bytes end in a beginning of the key.
    fn begins_at_end_of(&self, run: &[u8]) -> bool {
        let longest = self.bytes.len().saturating_sub(1);
        let shortest = SHORTEST_PART.min(longest).max(1);
        (shortest..=longest.min(run.len())).any(|length| {
            self.bytes
                .get(..length)
                .is_some_and(|part| run.ends_with(part))
        })
    }
}

fn quotes(keys: &[Key<'_>], run: &[u8]) -> bool {
    keys.iter().any(|key| key.search.find(run).is_some())
}

/// Whether a text that goes on ends in the beginning of a key. It may be cut in the middle of an escape
/// or of a number.
fn ends_in_part(keys: &[Key<'_>], text: &[u8]) -> bool {
    let longest = keys.iter().map(|key| key.bytes.len()).max().unwrap_or(0);
    let room = longest.saturating_add(1).saturating_mul(LONGEST_NOTATION);
    let tail = text.get(text.len().saturating_sub(room)..).unwrap_or(text);
    (0..=readings::LONGEST_ESCAPE).any(|less| {
        let end = tail
            .get(..tail.len().saturating_sub(less))
            .unwrap_or_default();
        readings::any(end, &mut |run, at_end| {
            at_end && keys.iter().any(|key| key.begins_at_end_of(run))
        })
    })
}

/// A text that quotes a key from a file has mostly cut its final line ends off. Of nothing but line
/// ends it is the whole.
fn without_line_ends(bytes: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let last = bytes.iter().rposition(|byte| !is_end(byte));
    last.and_then(|last| bytes.get(..=last)).unwrap_or(bytes)
}

/// What `String::from_utf8_lossy` makes of bytes, in one buffer of full size.
fn lossy(bytes: &[u8]) -> Zeroizing<String> {
    const MARK: char = char::REPLACEMENT_CHARACTER;
    let room = bytes.utf8_chunks().fold(0_usize, |room, part| {
        room.saturating_add(part.valid().len())
            .saturating_add(MARK.len_utf8())
    });
    let mut text = Zeroizing::new(String::with_capacity(room));
    for part in bytes.utf8_chunks() {
        text.push_str(part.valid());
        if !part.invalid().is_empty() {
            text.push(MARK);
        }
    }
    text
}

/// A key with each byte taken for a character, as programs print binary strings.
fn latin(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len().saturating_mul(2)));
    for byte in bytes {
        let mut room = Zeroizing::new([0; 4]);
        text.extend_from_slice(char::from(*byte).encode_utf8(&mut *room).as_bytes());
    }
    text
}

fn shortened(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let length = text.floor_char_boundary(MAX_TEXT_BYTES.saturating_sub(CUT.len()));
    let beginning = text.get(..length).unwrap_or_default();
    format!("{beginning}{CUT}")
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
