//! Why the journal does not do what it is asked for: it does not answer now, or it writes nothing more
//! for good.

use std::fmt;

/// Why the journal does not do what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JournalDown {
    /// The cause, in words.
    pub why: String,
    /// The code of the cause where this manager writes nothing more, for good; none where the journal
    /// may answer later.
    pub for_good: Option<&'static str>,
}

impl JournalDown {
    /// Whether this manager writes nothing more, for good.
    pub fn is_for_good(&self) -> bool {
        self.for_good.is_some()
    }
}

impl From<String> for JournalDown {
    /// A cause after which the journal may answer later.
    fn from(why: String) -> Self {
        let for_good = None;
        Self { why, for_good }
    }
}

impl fmt::Display for JournalDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
