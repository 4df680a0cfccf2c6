//! Names with `*`.

use crate::server::grants::error::InvalidGrant;

/// As long as a name may be.
const LONGEST: usize = 255;

/// A name in which each `*` stands for any text, an empty one too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    /// A pattern that some name can match.
    pub(super) fn new(pattern: &str) -> Result<Self, InvalidGrant> {
        let invalid = |why| {
            let pattern = pattern.to_owned();
            Err(InvalidGrant::InvalidPattern { pattern, why })
        };
        if pattern.is_empty() {
            return invalid("it is empty");
        }
        if pattern.len() > LONGEST {
            return invalid("it is longer than 255 bytes");
        }
        if pattern.chars().any(char::is_control) {
            return invalid("it has control characters");
        }
        Ok(Self(pattern.to_owned()))
    }

    /// Whether it matches every name.
    pub(super) fn is_all(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'*')
    }

    /// Whether it matches this name.
    pub(super) fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(name) = name.strip_prefix(first) else {
            return false;
        };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(mut name) = name.strip_suffix(last) else {
            return false;
        };
        // Each part as early as it stands: what is behind it is the longest then.
        for part in middle.split('*') {
            match name.split_once(part) {
                Some((_, behind)) => name = behind,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, matches) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "anything", true),
            ("**", "a", true),
            ("web-*", "web-", true),
            ("web-*", "web-1", true),
            ("web-*", "web", false),
            ("*-1", "web-1", true),
            ("*-1", "web-12", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "acb", false),
            ("a*b*bc", "abc", false),
            ("*b*", "abc", true),
            ("*b*", "ac", false),
            ("*ä*", "bär", true),
        ] {
            let found = Pattern::new(pattern).unwrap().matches(name);
            assert_eq!(found, matches, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_matched_quickly() {
        let pattern = Pattern::new(&"*a".repeat(127)).unwrap();
        assert!(!pattern.matches(&"a".repeat(126)));
        assert!(pattern.matches(&"a".repeat(255)));
    }
}
