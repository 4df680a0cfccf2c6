//! Texts of foreign code (what a callback answers, a panic's text, what a command prints) cleared of
//! the keys that they may quote, before anybody logs, stores or shows them.
//!
//! A key is found as it stands, in hex, in base64 (both alphabets, every alignment), as a list of
//! bytes, and escaped, also in several layers. Bounds and their reasons:
//! [`MAX_TEXT_BYTES`], [`MAX_SCANNED_BYTES`], [`SHORT_KEY_BYTES`].
//!
//! Not found, and not promised: a part of a key, a key in reverse, enciphered, compressed or taken
//! apart by other text.
//!
//! Never in here: what the texts mean, and any encoded copy of a key.

mod find;
mod notation;
mod read;

use std::fmt;

use zeroize::Zeroizing;

use crate::secret::value::{CENSORED, SecretKeyValue};

use find::{Search, Span};
use notation::{BACKSLASH, Notation, WEB};
use read::{Reading, base64, hex, listed, unescaped};

/// The longest text that a [`Scrubber`] answers, in bytes: 1 KiB, the mark of the cut included.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The longest text that is looked through, in bytes: 256 KiB. A longer one is withheld whole, since
/// it must be clear of keys before it may be cut.
pub const MAX_SCANNED_BYTES: usize = 256 * 1024;

/// A key of fewer bytes than this is found by chance too easily, and what is left around it tells
/// too much of it: the whole text is withheld.
pub const SHORT_KEY_BYTES: usize = 8;

/// Stands for a text that quoted a short key.
pub const WITHHELD: &str = "(withheld: the text quoted a key)";

/// Stands for a text that could not be looked through at a bounded cost.
pub const WITHHELD_UNSEEN: &str = "(withheld: the text was too large to be cleared of keys)";

/// Stands for the beginning of a longer text, where half a key could be in sight at its end.
pub const WITHHELD_END: &str = "(withheld: the text was cut, and may end in a part of a key)";

/// Stands at the end of a text that was cut.
const CUT: &str = "… (cut)";

/// How many layers of escapes with backslashes are undone: an error's `Debug` within another's.
const LAYERS: usize = 3;

/// How many bytes of text one byte of a key takes at most in any notation, with room to spare.
const LONGEST_NOTATION: usize = 16;

/// How often a text is gone over, until nothing is found in it any more.
const PASSES: usize = 4;

/// Clears texts of certain key values.
///
/// It holds the values themselves, shared and wiped with their last owner; `Debug` shows none. What
/// is looked for is made of them only where there is a text.
#[derive(Clone, Default)]
pub struct Scrubber {
    values: Vec<SecretKeyValue>,
}

/// What is looked for in a text.
struct Secrets(Vec<Secret>);

/// A key, or one of the forms that a key that is no UTF-8 gets in a text.
struct Secret {
    value: SecretKeyValue,
    /// How many of its bytes are looked for: all but its final line ends.
    length: usize,
    short: bool,
}

impl Secret {
    fn bytes(&self) -> &[u8] {
        self.value.expose().get(..self.length).unwrap_or_default()
    }
}

/// What one pass over a text found.
enum Seen {
    Nothing,
    Keys(Vec<Span>),
    ShortKey,
    TooMuch,
}

impl Scrubber {
    /// A scrubber for these keys; empty values are left out.
    pub fn new(values: impl IntoIterator<Item = SecretKeyValue>) -> Self {
        let values = values.into_iter().collect();
        Self { values }
    }

    fn secrets(&self) -> Secrets {
        let mut distinct: Vec<&SecretKeyValue> = Vec::new();
        for value in &self.values {
            if !distinct.contains(&value) {
                distinct.push(value);
            }
        }
        let mut secrets = Vec::new();
        for value in distinct {
            let bytes = value.expose();
            let length = length_without_line_ends(bytes);
            let short = length < SHORT_KEY_BYTES;
            let as_text = std::str::from_utf8(bytes).is_err().then(|| lossy(bytes));
            let as_characters = (!bytes.is_ascii()).then(|| latin(bytes));
            let forms = [as_text, as_characters].into_iter().flatten();
            for form in forms.map(SecretKeyValue::from_zeroizing) {
                secrets.push(Secret {
                    length: length_without_line_ends(form.expose()),
                    value: form,
                    short,
                });
            }
            secrets.push(Secret {
                value: value.clone(),
                length,
                short,
            });
        }
        secrets.retain(|secret| secret.length > 0);
        Secrets(secrets)
    }

    /// The text as UTF-8, with `***` in place of each key, cut to [`MAX_TEXT_BYTES`].
    ///
    /// A text that quotes a key of fewer than [`SHORT_KEY_BYTES`] is [`WITHHELD`], and one of more
    /// than [`MAX_SCANNED_BYTES`] is [`WITHHELD_UNSEEN`].
    pub fn scrub(&self, text: &[u8]) -> String {
        self.secrets().scrub(text)
    }

    /// [`Scrubber::scrub`] for a text.
    pub fn scrub_str(&self, text: &str) -> String {
        self.scrub(text.as_bytes())
    }

    /// [`Scrubber::scrub`] for the beginning of a longer text, at whose end a part of a key may stand
    /// that no scrubber finds. It is in sight only if the text looks different without its last key's
    /// length, and then the text is [`WITHHELD_END`].
    pub fn scrub_beginning(&self, text: &[u8]) -> String {
        let secrets = self.secrets();
        let longest = secrets.0.iter().map(|secret| secret.length).max();
        let margin = longest.unwrap_or(0).saturating_mul(LONGEST_NOTATION);
        let scrubbed = secrets.scrub(text);
        match text.get(..text.len().saturating_sub(margin)) {
            Some(beginning) if secrets.scrub(beginning) == scrubbed => scrubbed,
            Some(_) | None => WITHHELD_END.to_owned(),
        }
    }

    /// A scrubber for the keys of both.
    pub fn and(&self, other: &Self) -> Self {
        Self::new(self.values.iter().chain(&other.values).cloned())
    }
}

impl Secrets {
    fn scrub(&self, text: &[u8]) -> String {
        match self.clear(text) {
            Ok(clear) => shortened(clear),
            Err(notice) => notice.to_owned(),
        }
    }

    /// The text with nothing left to find. What took a key's place may make up another key with
    /// what stood around it, and so may the marks of bytes that are no UTF-8; hence the passes.
    fn clear(&self, text: &[u8]) -> Result<String, &'static str> {
        let mut current = match self.pass(text)? {
            Some(replaced) => lossy(&replaced),
            None if std::str::from_utf8(text).is_err() => lossy(text),
            None => return as_text(text),
        };
        for _ in 1..PASSES {
            match self.pass(&current)? {
                None => return as_text(&current),
                Some(replaced) => current = lossy(&replaced),
            }
        }
        Err(WITHHELD)
    }

    /// The text with its keys replaced, `None` if it has none. Until the last pass has found nothing
    /// the text is as secret as a key.
    fn pass(&self, text: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
        if self.0.is_empty() {
            return Ok(None);
        }
        if text.len() > MAX_SCANNED_BYTES {
            return Err(WITHHELD_UNSEEN);
        }
        match self.look(text) {
            Seen::Nothing => Ok(None),
            Seen::Keys(spans) => Ok(Some(replaced(text, spans))),
            Seen::ShortKey => Err(WITHHELD),
            Seen::TooMuch => Err(WITHHELD_UNSEEN),
        }
    }

    fn look(&self, text: &[u8]) -> Seen {
        let mut budget = text.len().saturating_add(256).saturating_mul(256);
        let searches: Vec<(Search<'_>, bool)> = self
            .0
            .iter()
            .filter(|secret| secret.length <= text.len())
            .map(|secret| (Search::new(secret.bytes()), secret.short))
            .collect();
        if searches.is_empty() {
            return Seen::Nothing;
        }
        let mut look = Look {
            searches,
            budget: &mut budget,
            found: Vec::new(),
            short: false,
        };
        let plain = Reading::plain(text);
        look.through_web(&plain);
        for notation in BACKSLASH {
            look.through_layers(&plain, notation, LAYERS);
        }
        let Look { found, short, .. } = look;
        match (short, budget) {
            (true, _) => Seen::ShortKey,
            (false, 0) => Seen::TooMuch,
            (false, _) if found.is_empty() => Seen::Nothing,
            (false, _) => Seen::Keys(found),
        }
    }
}

/// One pass under way.
struct Look<'a> {
    searches: Vec<(Search<'a>, bool)>,
    budget: &'a mut usize,
    found: Vec<Span>,
    short: bool,
}

impl Look<'_> {
    /// Undoes up to `layers` layers of escapes, and looks at the text after each.
    fn through_layers(&mut self, source: &Reading, notation: Notation, layers: usize) {
        let Some(layers) = layers.checked_sub(1) else {
            return;
        };
        let Some(open) = unescaped(source, notation) else {
            return;
        };
        // Most texts read the same in all notations with a backslash.
        let seen = notation != Notation::Rust
            && unescaped(source, Notation::Rust)
                .is_some_and(|rust| rust.reading.same_as(&open.reading));
        if !seen {
            self.inside(source, notation, &open);
            self.through_web(&open.reading);
        }
        self.through_layers(&open.reading, notation, layers);
    }

    fn through_web(&mut self, source: &Reading) {
        self.through_digits(source);
        for notation in WEB {
            if let Some(open) = unescaped(source, notation) {
                self.inside(source, notation, &open);
                self.through_digits(&open.reading);
            }
        }
    }

    fn inside(&mut self, source: &Reading, notation: Notation, open: &read::Unescaped) {
        for (search, short) in &self.searches {
            let before = self.found.len();
            search.find_inside((source, notation), open, self.budget, &mut self.found);
            self.short |= *short && self.found.len() > before;
        }
    }

    fn through_digits(&mut self, source: &Reading) {
        self.find(source);
        for skip in [false, true] {
            self.find(&hex(source, skip));
        }
        for radix in [10, 16] {
            self.find(&listed(source, radix));
        }
        for skip in 0..4 {
            self.find(&base64(source, skip));
        }
    }

    fn find(&mut self, reading: &Reading) {
        for (search, short) in &self.searches {
            let before = self.found.len();
            search.find(reading, &mut self.found);
            self.short |= *short && self.found.len() > before;
        }
    }
}

/// The length without final line ends, which a text that quotes a key from a file mostly has cut
/// off. Of nothing but line ends it is the whole.
fn length_without_line_ends(bytes: &[u8]) -> usize {
    let ends = bytes
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'\n' | b'\r'))
        .count();
    match bytes.len().saturating_sub(ends) {
        0 => bytes.len(),
        length => length,
    }
}

/// A text that nothing was found in any more.
fn as_text(clear: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(clear).map_err(|_| WITHHELD_UNSEEN)?;
    Ok(text.to_owned())
}

/// What `String::from_utf8_lossy` makes of bytes, in one buffer of full size.
fn lossy(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mark = char::REPLACEMENT_CHARACTER
        .encode_utf8(&mut [0; 4])
        .to_owned();
    let parts = || bytes.utf8_chunks();
    let room = parts().fold(0_usize, |room, part| {
        room.saturating_add(part.valid().len())
            .saturating_add(mark.len())
    });
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    for part in parts() {
        text.extend_from_slice(part.valid().as_bytes());
        if !part.invalid().is_empty() {
            text.extend_from_slice(mark.as_bytes());
        }
    }
    text
}

/// A key each byte of which was taken for a character, as programs print binary strings.
fn latin(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len().saturating_mul(2)));
    for byte in bytes {
        let mut room = Zeroizing::new([0; 4]);
        text.extend_from_slice(char::from(*byte).encode_utf8(&mut *room).as_bytes());
    }
    text
}

/// The text with one mark for each part of it that keys cover.
fn replaced(text: &[u8], mut spans: Vec<Span>) -> Zeroizing<Vec<u8>> {
    spans.sort_unstable();
    // A mark may be longer than what it stands for.
    let room = spans.len().saturating_mul(CENSORED.len());
    let mut clear = Zeroizing::new(Vec::with_capacity(text.len().saturating_add(room)));
    let mut done = 0_usize;
    let mut marked = false;
    for (start, end) in spans {
        let (start, end) = (start as usize, end as usize);
        if start > done || !marked {
            clear.extend_from_slice(text.get(done..start).unwrap_or_default());
            clear.extend_from_slice(CENSORED.as_bytes());
            marked = true;
        }
        done = done.max(end);
    }
    clear.extend_from_slice(text.get(done..).unwrap_or_default());
    clear
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let length = text.floor_char_boundary(MAX_TEXT_BYTES.saturating_sub(CUT.len()));
        text.truncate(length);
        text.push_str(CUT);
    }
    text
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
