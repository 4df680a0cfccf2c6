//! Names of keys, workers and callbacks: 1 to 255 bytes of UTF-8 without control characters.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::secret::visible::{Visible, debug_with_code};

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a name was refused, code `invalid_name`. The fault is the caller's: choose another name.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// The name has no bytes.
    #[error("the name of a {of} is empty; give 1 to 255 bytes of text")]
    Empty {
        /// What was to be named: `key`, `worker` or `callback`.
        of: &'static str,
    },
    /// The name is longer than 255 bytes.
    #[error("the name of a {of} has {bytes} bytes; give at most 255")]
    TooLong {
        /// What was to be named.
        of: &'static str,
        /// How many bytes were given.
        bytes: usize,
    },
    /// The name contains a control character, a line end for example.
    #[error("the name of a {of} has a control character at byte {at}; leave it out")]
    ControlCharacter {
        /// What was to be named.
        of: &'static str,
        /// Where the character starts.
        at: usize,
    },
}

debug_with_code!(InvalidName);

impl InvalidName {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "invalid_name"
    }
}

fn check(of: &'static str, text: &str) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty { of });
    }
    if text.len() > MAX_NAME_BYTES {
        let bytes = text.len();
        return Err(InvalidName::TooLong { of, bytes });
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(InvalidName::ControlCharacter { of, at }),
        None => Ok(()),
    }
}

/// The text of a name. A name that is fixed is cloned by all threads without a count of the clones,
/// for which they would contend.
#[derive(Clone)]
enum Text {
    Fixed(&'static str),
    Given(Arc<str>),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::Fixed(text) => text,
            Self::Given(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

macro_rules! name {
    ($name:ident, $of:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            /// Takes a name over.
            ///
            /// # Errors
            /// [`InvalidName`] if it is empty, longer than 255 bytes or has control characters.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                check($of, text).map(|()| Self(Text::Given(text.into())))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Visible(self.as_str()).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    };
}

name!(KeyName, "key", "The name of a key.");
name!(
    WorkerName,
    "worker",
    "The name of a worker, the same in every life of the program."
);
name!(
    CallbackName,
    "callback",
    "The name of a worker's callback, the same in every life of the program."
);

impl WorkerName {
    /// keyward itself, in steps that call no worker.
    pub fn keyward() -> Self {
        Self(Text::Fixed("keyward"))
    }

    /// The worker that owns what is registered on the manager itself: `main`.
    pub fn main() -> Self {
        Self(Text::Fixed("main"))
    }
}

impl CallbackName {
    /// What keyward does in the step that writes a key's store.
    pub fn switch() -> Self {
        Self(Text::Fixed("switch"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_worker_is_the_one_of_that_name_however_it_was_named() {
        let named = WorkerName::new("main").unwrap();
        assert_eq!(WorkerName::main(), named);
        let workers = std::collections::HashSet::from([WorkerName::main()]);
        assert!(workers.contains(&named) && workers.contains("main"));
    }

    #[test]
    fn a_name_is_1_to_255_bytes_without_control_characters() {
        assert_eq!(KeyName::new(""), Err(InvalidName::Empty { of: "key" }));
        assert!(KeyName::new(&"k".repeat(255)).is_ok());
        assert!(matches!(
            WorkerName::new(&"k".repeat(256)),
            Err(InvalidName::TooLong { bytes: 256, .. })
        ));
        assert!(matches!(
            CallbackName::new("a\nb"),
            Err(InvalidName::ControlCharacter { at: 1, .. })
        ));
        assert!(KeyName::new("Schlüssel 🔑").is_ok());
    }
}
