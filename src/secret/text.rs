//! Texts of foreign code as they came: what a store or a callback answers, what a panic says, what a
//! command prints. They may quote keys, so they are wiped like keys and shown only scrubbed.

use std::fmt::{self, Write};

use zeroize::Zeroizing;

use crate::secret::scrub::Scrubber;
use crate::secret::value::CENSORED;

/// A text of foreign code. Neither `Debug` nor anything else but [`scrubbed`](Self::scrubbed) shows
/// it, and its bytes are wiped when it is dropped.
///
/// ```
/// use keyward::secret::{scrub::Scrubber, text::ForeignText, value::SecretKeyValue};
///
/// let text = ForeignText::from("the vault says no to correct horse");
/// let scrubber = Scrubber::new([SecretKeyValue::from("correct horse")]);
/// assert_eq!(text.scrubbed(&scrubber), "the vault says no to ***");
/// assert_eq!(format!("{text:?}"), "***");
/// ```
#[derive(Clone, Default)]
pub struct ForeignText {
    raw: Zeroizing<Vec<u8>>,
    /// Knows keys that only whoever took the text could know.
    known: Scrubber,
    /// Whether there was more than was kept.
    cut: bool,
}

impl ForeignText {
    /// What something says of itself. However often the buffer has to grow, none is left behind.
    pub fn of(said: &(impl fmt::Display + ?Sized)) -> Self {
        let mut text = Self::default();
        // Where it fails in the middle, what it said until then is the text.
        let _ = write!(text, "{said}");
        text
    }

    /// The beginning of something longer: half a key may stand at its end.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    /// The text, which may quote keys that this scrubber knows and the one who shows it does not.
    #[must_use]
    pub fn quoting(mut self, known: Scrubber) -> Self {
        self.known = known;
        self
    }

    /// The text cleared of all keys that are known, and only then shortened.
    pub fn scrubbed(&self, scrubber: &Scrubber) -> String {
        let scrubber = scrubber.and(&self.known);
        if self.cut {
            scrubber.scrub_beginning(&self.raw)
        } else {
            scrubber.scrub(&self.raw)
        }
    }
}

impl Write for ForeignText {
    /// Moves to a larger buffer where this one is full; the smaller one is wiped.
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let needed = self.raw.len().saturating_add(more.len());
        if needed > self.raw.capacity() {
            let room = needed.max(self.raw.capacity().saturating_mul(2));
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.raw);
            self.raw = larger;
        }
        self.raw.extend_from_slice(more.as_bytes());
        Ok(())
    }
}

impl From<String> for ForeignText {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&str> for ForeignText {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for ForeignText {
    fn from(raw: Vec<u8>) -> Self {
        Self {
            raw: Zeroizing::new(raw),
            ..Self::default()
        }
    }
}

impl PartialEq for ForeignText {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw && self.cut == other.cut
    }
}

impl Eq for ForeignText {}

impl fmt::Debug for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CENSORED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::value::SecretKeyValue;

    const KEY: &str = "correct horse";

    fn scrubber() -> Scrubber {
        Scrubber::new([SecretKeyValue::from(KEY)])
    }

    #[test]
    fn a_text_shows_itself_only_scrubbed() {
        let text = ForeignText::of(&format_args!("bad key: {KEY}"));
        assert_eq!(format!("{text:?} {text:#?}"), "*** ***");
        assert_eq!(text.scrubbed(&scrubber()), "bad key: ***");
        assert_eq!(text, ForeignText::from("bad key: correct horse"));
    }

    #[test]
    fn a_text_put_together_from_many_parts_is_whole() {
        let parts: String = (0..1_000).map(|no| format!("{no} ")).collect();
        let mut text = ForeignText::default();
        for no in 0..1_000 {
            write!(text, "{no} ").unwrap();
        }
        assert_eq!(text, ForeignText::from(parts));
    }

    #[test]
    fn keys_that_only_its_taker_knows_are_cleared_too() {
        let text = ForeignText::from("correct horse and battery staple");
        let text = text.quoting(Scrubber::new([SecretKeyValue::from("battery staple")]));
        assert_eq!(text.scrubbed(&scrubber()), "*** and ***");
    }

    #[test]
    fn what_may_stand_at_the_end_of_a_cut_text_is_not_shown() {
        let text = ForeignText::from(format!("{KEY}, {KEY}, correct ho"));
        assert_eq!(text.scrubbed(&scrubber()), "***, ***, correct ho");
        let shown = text.cut().scrubbed(&scrubber());
        assert!(shown.starts_with("(withheld"), "{shown}");
    }
}
