//! The kinds of values that settings have, and how each is read and shown.

use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use crate::config::fault::Findings;
use crate::config::near::did_you_mean;

/// A value with its place in the file.
pub type Value<'t> = Spanned<DeValue<'t>>;

/// What stands for the absence of a limit.
const UNLIMITED: &str = "unlimited";

/// A kind of value. No text quotes a value that it refuses, for it may be a key that stands in the
/// wrong place.
pub trait Kind: Sized {
    /// What it is called on the page of settings.
    const NAME: &'static str;

    /// The value; none, and a fault, if it is not of this kind.
    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self>;

    /// As it is written in a file.
    fn shown(&self) -> String;
}

/// A time that may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

/// A time that is more than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub Duration);

impl Limit {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// A size in bytes, 1 at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub usize);

/// How many, 1 at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtLeastOne<N>(pub N);

/// One text, or two for the forward half and the back half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halves {
    One(String),
    Two(String, String),
}

/// The words of a setting that takes one of a few.
pub trait Choice: Copy + PartialEq + 'static {
    /// What the page of settings calls it.
    const NAME: &'static str;
    /// Every word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];

    /// The word of it.
    fn word(self) -> &'static str {
        let known = Self::WORDS.iter().find(|(_, choice)| *choice == self);
        known.map_or("", |(word, _)| *word)
    }
}

impl<C: Choice> Kind for C {
    const NAME: &'static str = C::NAME;

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let word = text(value, findings)?;
        let found = C::WORDS.iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let words: Vec<&str> = C::WORDS.iter().map(|(known, _)| *known).collect();
            let near = did_you_mean(word, words.iter().copied());
            let text = format!("this must be one of {}{near}", words.join(", "));
            findings.fault(&value.span(), text);
        }
        found.map(|(_, choice)| *choice)
    }

    fn shown(&self) -> String {
        quoted(self.word())
    }
}

impl Kind for bool {
    const NAME: &'static str = "true or false";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let read = value.get_ref().as_bool();
        expected(read, value, "true or false, without quotes", findings)
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Kind for String {
    const NAME: &'static str = "text";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let read = text(value, findings)?;
        let fault = match read {
            "" => "this is empty; write something, or leave the setting out",
            read if read.contains('\0') => "this has a zero byte in it, which no name has",
            _ => return Some(read.to_owned()),
        };
        findings.fault(&value.span(), fault);
        None
    }

    fn shown(&self) -> String {
        quoted(self)
    }
}

impl<K: Kind> Kind for Vec<K> {
    const NAME: &'static str = "array";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let array = value.get_ref().as_array();
        let array = expected(array, value, "an array: write [\"…\", \"…\"]", findings)?;
        // What was refused was told, and the others are judged further.
        Some(
            array
                .iter()
                .filter_map(|item| K::read(item, findings))
                .collect(),
        )
    }

    fn shown(&self) -> String {
        let items: Vec<String> = self.iter().map(Kind::shown).collect();
        format!("[{}]", items.join(", "))
    }
}

impl Kind for Halves {
    const NAME: &'static str = "text, or an array of two";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        if value.get_ref().is_str() {
            return String::read(value, findings).map(Self::One);
        }
        let what = "a text, or an array of two: the forward half's and the back half's";
        let array = expected(value.get_ref().as_array(), value, what, findings)?;
        let mut halves = array.iter();
        let (Some(forward), Some(back), None) = (halves.next(), halves.next(), halves.next())
        else {
            findings.fault(&value.span(), format!("this must be {what}"));
            return None;
        };
        let forward = String::read(forward, findings);
        let back = String::read(back, findings);
        Some(Self::Two(forward?, back?))
    }

    fn shown(&self) -> String {
        match self {
            Self::One(one) => quoted(one),
            Self::Two(forward, back) => format!("[{}, {}]", quoted(forward), quoted(back)),
        }
    }
}

impl Kind for Time {
    const NAME: &'static str = "time";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let what = "a time with its unit: \"500 ms\", \"10 s\", \"5 min\", \"2 h\", \"7 days\"";
        let read = value.get_ref().as_str();
        let read = read.and_then(|text| humantime::parse_duration(text).ok());
        expected(read, value, what, findings).map(Self)
    }

    fn shown(&self) -> String {
        let (whole, rest) = (self.0.as_secs(), self.0.subsec_nanos());
        match (whole, rest) {
            (0, 0) => quoted("0 s"),
            (seconds, 0) if seconds % 86_400 == 0 => quoted(&format!("{} days", seconds / 86_400)),
            (seconds, 0) => quoted(&format!("{seconds} s")),
            _ if rest % 1_000_000 == 0 => quoted(&format!("{} ms", self.0.as_millis())),
            _ => quoted(&format!("{} ns", self.0.as_nanos())),
        }
    }
}

impl Kind for Limit {
    const NAME: &'static str = "time";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let Time(time) = Time::read(value, findings)?;
        more_than_zero(!time.is_zero(), &value.span(), findings)?;
        Some(Self(time))
    }

    fn shown(&self) -> String {
        Time(self.0).shown()
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Kind for $number {
            const NAME: &'static str = "number";

            fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
                number(value, <$number>::MAX, findings)
            }

            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )* };
}

numbers!(u32, u64, usize);

impl<N: Kind + Default + PartialEq> Kind for AtLeastOne<N> {
    const NAME: &'static str = "number";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let number = N::read(value, findings)?;
        more_than_zero(number != N::default(), &value.span(), findings)?;
        Some(Self(number))
    }

    fn shown(&self) -> String {
        self.0.shown()
    }
}

impl Kind for Size {
    const NAME: &'static str = "size";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let size = match value.get_ref() {
            DeValue::Integer(_) => number(value, usize::MAX, findings)?,
            DeValue::String(text) => {
                let what = "a number of bytes, or a size: \"64 KiB\", \"8 MiB\", \"1 GiB\"";
                expected(size(text), value, what, findings)?
            }
            _ => expected(
                None,
                value,
                "a number of bytes, or a size: \"8 MiB\"",
                findings,
            )?,
        };
        more_than_zero(size != 0, &value.span(), findings)?;
        Some(Self(size))
    }

    fn shown(&self) -> String {
        let unit = UNITS
            .iter()
            .rev()
            .find(|(_, bytes)| self.0.is_multiple_of(*bytes));
        match unit {
            Some((unit, bytes)) => quoted(&format!("{} {unit}", self.0 / bytes)),
            None => self.0.to_string(),
        }
    }
}

/// A limit that may be absent.
impl<K: Kind> Kind for Option<K> {
    const NAME: &'static str = K::NAME;

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        match value.get_ref().as_str() {
            Some(UNLIMITED) => Some(None),
            _ => K::read(value, findings).map(Some),
        }
    }

    fn shown(&self) -> String {
        match self {
            Some(limit) => limit.shown(),
            None => quoted(UNLIMITED),
        }
    }
}

const UNITS: [(&str, usize); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

fn size(text: &str) -> Option<usize> {
    let (unit, bytes) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: usize = text.strip_suffix(unit)?.trim_end().parse().ok()?;
    number.checked_mul(*bytes)
}

fn text<'a>(value: &'a Value<'_>, findings: &Findings) -> Option<&'a str> {
    expected(
        value.get_ref().as_str(),
        value,
        "a text in quotes",
        findings,
    )
}

fn number<N: Display + TryFrom<u64>>(value: &Value<'_>, most: N, findings: &Findings) -> Option<N> {
    let what = format!("a whole number from 0 to {most}");
    let integer = expected(value.get_ref().as_integer(), value, &what, findings)?;
    let read = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
    let read = read.and_then(|number| N::try_from(number).ok());
    expected(read, value, what, findings)
}

fn more_than_zero(is: bool, at: &Range<usize>, findings: &Findings) -> Option<()> {
    if !is {
        findings.fault(at, "this is zero; give it more");
    }
    is.then_some(())
}

/// Tells what a value must be, where it is not that.
fn expected<T>(
    read: Option<T>,
    value: &Value<'_>,
    what: impl Display,
    findings: &Findings,
) -> Option<T> {
    if read.is_none() {
        findings.fault(&value.span(), format!("this must be {what}"));
    }
    read
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}
