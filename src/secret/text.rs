//! Texts of foreign code as they came: what a store or a callback answers, what a panic says, what a
//! command prints. They may quote keys, so they are wiped like keys and shown only scrubbed.

use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write};

use memchr::memmem;
use zeroize::{Zeroize, Zeroizing};

use crate::secret::scrub::{MAX_SCANNED_BYTES, Scrubber};
use crate::secret::value::CENSORED;

/// Stands behind what an error had said of itself when it failed to go on.
const FAILED: &str = " (the error failed to say more)";

/// So many causes of an error are told; a row of them may be a circle.
const MAX_CAUSES: usize = 16;

/// A text of foreign code, its first 64 KiB at most. Neither `Debug` nor anything else but
/// [`scrubbed`](Self::scrubbed) shows it, and its bytes are wiped when it is dropped.
///
/// ```
/// use keyward::secret::{scrub::Scrubber, text::ForeignText, value::SecretKeyValue};
///
/// let text = ForeignText::from("the vault says no to correct horse");
/// let scrubber = Scrubber::new([SecretKeyValue::from("correct horse")]);
/// assert_eq!(text.scrubbed(&scrubber), "(withheld: the text contains a key value)");
/// let other = Scrubber::new([SecretKeyValue::from("battery staple")]);
/// assert_eq!(text.scrubbed(&other), "the vault says no to correct horse");
/// assert_eq!(format!("{text:?}"), "***");
/// ```
#[derive(Clone, Default)]
pub struct ForeignText {
    raw: Zeroizing<Vec<u8>>,
    /// Knows keys that only the taker of the text could know.
    known: Scrubber,
    /// Whether there was more than was kept.
    cut: bool,
}

impl ForeignText {
    /// What something says of itself, with its causes where its alternate form has them. One that says
    /// too much, or never ends, is stopped; one that fails in the middle has said what it had until then.
    pub fn of(said: &(impl fmt::Display + ?Sized)) -> Self {
        let mut text = Self::default();
        if write!(text, "{said:#}").is_err() && !text.cut {
            // Nothing is left to do where the note itself has no room.
            let _ = text.write_str(FAILED);
        }
        text
    }

    /// What an error says of itself, and what its causes say, each unless it was said already. They are
    /// known of an error in a box, whatever its type; of another one, what it says has to be enough.
    pub fn of_error(error: &(impl fmt::Display + 'static)) -> Self {
        match boxed(error) {
            Some(error) => Self::of_causes(error),
            None => Self::of(error),
        }
    }

    fn of_causes(error: &(dyn Error + 'static)) -> Self {
        let mut text = Self::of(error);
        let mut cause = error.source();
        for _ in 0..MAX_CAUSES {
            let Some(next) = cause else {
                break;
            };
            let said = Self::of(next);
            let is_new = memmem::find(&text.raw, &said.raw).is_none();
            if is_new && !(text.take(b": ") && text.take(&said.raw)) {
                break;
            }
            cause = next.source();
        }
        text
    }

    /// The beginning of something longer: half a key may stand at its end.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    /// The text, which may quote keys of this scrubber besides those of the scrubber that shows it.
    #[must_use]
    pub fn quoting(mut self, known: Scrubber) -> Self {
        self.known = known;
        self
    }

    /// The text, withheld if it quotes a key that is known, and only then shortened.
    pub fn scrubbed(&self, scrubber: &Scrubber) -> String {
        let scrubber = scrubber.and(&self.known);
        if self.cut {
            scrubber.scrub_beginning(&self.raw)
        } else {
            scrubber.scrub(&self.raw)
        }
    }

    /// Takes in what there is room for; false if that is not all.
    fn take(&mut self, more: &[u8]) -> bool {
        let room = MAX_SCANNED_BYTES.saturating_sub(self.raw.len());
        let taken = more.get(..room).unwrap_or(more);
        let needed = self.raw.len().saturating_add(taken.len());
        if needed > self.raw.capacity() {
            // A larger buffer; the smaller one is wiped.
            let room = needed.max(self.raw.capacity().saturating_mul(2));
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.raw);
            self.raw = larger;
        }
        self.raw.extend_from_slice(taken);
        self.cut |= taken.len() < more.len();
        !self.cut
    }
}

/// What an error of the system, of a library or of an adapter says, with its causes: visible, and
/// shortened as every foreign text. It must not quote keys.
#[cfg(feature = "embedded")]
pub fn told(error: &(dyn Error + 'static)) -> String {
    ForeignText::of_causes(error).scrubbed(&Scrubber::default())
}

fn boxed(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(error.as_ref());
    }
    let error = error.downcast_ref::<Box<dyn Error>>();
    error.map(|error| error.as_ref())
}

impl Write for ForeignText {
    /// Fails where the text is longer than what is kept, so that the writer stops.
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.take(more.as_bytes()) {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

impl From<String> for ForeignText {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&str> for ForeignText {
    fn from(text: &str) -> Self {
        let mut kept = Self::default();
        kept.take(text.as_bytes());
        kept
    }
}

impl From<Vec<u8>> for ForeignText {
    fn from(mut raw: Vec<u8>) -> Self {
        if raw.len() > MAX_SCANNED_BYTES {
            let mut kept = Self::default();
            kept.take(&raw);
            raw.zeroize();
            return kept;
        }
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
    use crate::secret::scrub::{WITHHELD, WITHHELD_END};
    use crate::secret::value::SecretKeyValue;

    const KEY: &str = "correct horse";

    fn scrubber() -> Scrubber {
        Scrubber::new([SecretKeyValue::from(KEY)])
    }

    #[test]
    fn a_text_shows_itself_only_scrubbed() {
        let text = ForeignText::of(&format_args!("bad key: {KEY}"));
        assert_eq!(format!("{text:?} {text:#?}"), "*** ***");
        assert_eq!(text.scrubbed(&scrubber()), WITHHELD);
        assert_eq!(
            text.scrubbed(&Scrubber::default()),
            "bad key: correct horse"
        );
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
    fn a_key_that_comes_in_pieces_is_found() {
        let mut text = ForeignText::default();
        for piece in KEY
            .split_inclusive(' ')
            .flat_map(|word| word.split_at_checked(2))
        {
            write!(text, "{}{}", piece.0, piece.1).unwrap();
        }
        assert_eq!(text.scrubbed(&scrubber()), WITHHELD);
    }

    #[test]
    fn keys_that_only_its_taker_knows_are_found_too() {
        let text = ForeignText::from("one and battery staple");
        let text = text.quoting(Scrubber::new([SecretKeyValue::from("battery staple")]));
        assert_eq!(text.scrubbed(&scrubber()), WITHHELD);
    }

    #[test]
    fn what_may_stand_at_the_end_of_a_cut_text_is_not_shown() {
        let text = ForeignText::from("it says: correct ho");
        assert_eq!(text.scrubbed(&scrubber()), "it says: correct ho");
        assert_eq!(text.cut().scrubbed(&scrubber()), WITHHELD_END);
    }

    /// Says so many words, and counts them.
    struct Endless<'a>(&'a std::cell::Cell<usize>);

    impl fmt::Display for Endless<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("it goes on and ")?;
                self.0.set(self.0.get() + 1);
            }
        }
    }

    #[test]
    fn one_that_never_ends_is_stopped_and_a_key_across_the_cut_withholds_it() {
        let said = std::cell::Cell::new(0);
        let text = ForeignText::of(&Endless(&said));
        assert!(said.get() < 5_000);
        assert!(
            text.raw.len() == MAX_SCANNED_BYTES && text.raw.capacity() <= 2 * MAX_SCANNED_BYTES
        );
        let shown = text.scrubbed(&scrubber());
        assert!(
            shown.starts_with("it goes on and it") && shown.len() <= 1024,
            "{shown}"
        );
        let across = Scrubber::new([SecretKeyValue::from("goes on and on and on")]);
        assert_eq!(text.scrubbed(&across), WITHHELD_END);
    }

    #[test]
    fn what_fails_to_say_itself_has_said_what_it_had_until_then() {
        struct Fails(&'static str);
        impl fmt::Display for Fails {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)?;
                Err(fmt::Error)
            }
        }
        let said = |text| ForeignText::of(&Fails(text)).scrubbed(&scrubber());
        assert_eq!(said("the disk"), "the disk (the error failed to say more)");
        assert_eq!(said("").trim(), "(the error failed to say more)");
        assert_eq!(said(KEY), WITHHELD);
    }

    #[test]
    fn an_error_in_a_box_says_its_causes_once() {
        #[derive(Debug)]
        struct Outer(std::io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the vault is shut")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let shown = |text: ForeignText| text.scrubbed(&Scrubber::default());
        let outer = Outer(std::io::Error::other("no route"));
        let error: Box<dyn Error + Send + Sync> = Box::new(outer);
        assert_eq!(
            shown(ForeignText::of_error(&error)),
            "the vault is shut: no route"
        );
        let said = format!("all of it: {}", "no route");
        let error: Box<dyn Error> = Box::new(std::io::Error::other(said));
        assert_eq!(shown(ForeignText::of_error(&error)), "all of it: no route");
    }

    #[test]
    fn of_a_text_that_is_there_already_only_the_beginning_is_kept() {
        let long = format!("{}{KEY}", "x".repeat(MAX_SCANNED_BYTES));
        for text in [ForeignText::from(long.clone()), ForeignText::from(&*long)] {
            assert!(text.cut && text.raw.len() == MAX_SCANNED_BYTES);
        }
    }
}
