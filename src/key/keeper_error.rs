//! What a keeper in another process answered in place of what it was asked for, or why it did not answer.

use crate::secret::visible::debug_with_code;

/// An error of the keeper in another process, as it would be in its own: with its code and text. Or why
/// there is no answer: `keeper_unavailable`, `untrusted_keeper`, `invalid_socket`, `timed_out`, `forked`.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{text}")]
pub struct KeeperError {
    code: &'static str,
    retriable: bool,
    text: String,
    /// Whether the keeper told it.
    told: bool,
}

debug_with_code!(KeeperError);

impl KeeperError {
    /// An error of a code that this version knows.
    pub(crate) fn new(code: &'static str, retriable: bool, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            code,
            retriable,
            text,
            told: false,
        }
    }

    /// An error as a keeper told it. A code that only a later version knows is `unknown_code`, and the
    /// text begins with it.
    pub(crate) fn told(code: &str, retriable: bool, text: String) -> Self {
        let error = match documented(code) {
            Some(code) => Self::new(code, retriable, text),
            None => Self::new("unknown_code", retriable, format!("{code}: {text}")),
        };
        Self {
            told: true,
            ..error
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Whether the same call may succeed later, without anything being mended first.
    pub fn is_retriable(&self) -> bool {
        self.retriable
    }

    /// Whether the keeper told it, such as a time limit of its own that passed; else it is the client's word
    /// that there is no answer.
    pub fn is_from_keeper(&self) -> bool {
        self.told
    }
}

/// A code, if the page of errors lists it: so every code that is documented is known, and the page is
/// the only list.
pub(crate) fn documented(code: &str) -> Option<&'static str> {
    const PAGE: &str = include_str!("../docs/errors.md");
    let rows = PAGE.lines().filter(|line| line.starts_with('|'));
    let mut codes = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2));
    codes.find(|known| *known == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_the_page_lists_is_told_as_it_is() {
        for code in [
            "key_not_defined",
            "folder_lost",
            "busy",
            "keeper_unavailable",
        ] {
            let error = KeeperError::told(code, true, "a text".to_owned());
            assert_eq!((error.code(), error.is_retriable()), (code, true));
            assert_eq!(format!("{error:?}"), format!("{code}: a text"));
        }
    }

    #[test]
    fn a_code_of_a_later_version_is_in_the_text() {
        for code in [
            "of_the_future",
            "",
            "no answer within the request's limit",
            "---",
        ] {
            let error = KeeperError::told(code, false, "a text".to_owned());
            assert_eq!(error.code(), "unknown_code");
            assert_eq!(error.to_string(), format!("{code}: a text"));
        }
    }
}
