//! How texts are shown. Characters that are not seen, or that change how others are shown, are escaped,
//! so that a text can neither begin a line of its own in a log nor look like another; and `Debug` of
//! an error is its code and its text.

use std::fmt::{self, Write};

/// Shows what it holds, with `\n`, `\u{202e}` and the like in place of control characters, of format
/// characters (directions of writing, zero widths, variants), of spaces that are no plain blank, and of
/// letters that show nothing. A backslash stays as it is: what was made visible is shown as it is again.
///
/// ```
/// use keyward::secret::visible::Visible;
///
/// let text = "denied\nINFO: all is \u{202e}well";
/// assert_eq!(Visible(text).to_string(), "denied\\nINFO: all is \\u{202e}well");
/// ```
#[derive(Clone, Copy)]
pub struct Visible<T>(pub T);

impl<T: fmt::Display> fmt::Display for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

impl Visible<&str> {
    /// The whole text in one buffer of full size, for texts that may be secret.
    pub(super) fn whole(text: &str) -> String {
        let mut length = ByteCount(0);
        // Counting does not fail, and neither does writing into a string.
        let _ = write!(length, "{}", Visible(text));
        let mut whole = String::with_capacity(length.0);
        let _ = write!(whole, "{}", Visible(text));
        whole
    }
}

/// Has `Debug` show the code and the whole text of errors, because a `main` that answers one prints it
/// so.
macro_rules! debug_with_code {
    ($($error:ty),+ $(,)?) => {
        $(
            impl std::fmt::Debug for $error {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    write!(f, "{}: {self}", self.code())
                }
            }
        )+
    };
}

pub(crate) use debug_with_code;

struct ByteCount(usize);

impl Write for ByteCount {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            let (before, from) = rest.split_at(at);
            self.0.write_str(before)?;
            write!(self.0, "{}", hidden.escape_default())?;
            rest = from.get(hidden.len_utf8()..).unwrap_or_default();
        }
        self.0.write_str(rest)
    }
}

/// Unicode's control and format characters, its spaces and line ends besides the blank, and its other
/// characters that are shown by nothing ("default ignorable").
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{1680}' | '\u{17b4}'
            | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}' | '\u{2800}' | '\u{3000}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        assert_eq!(Visible::whole(text), Visible(text).to_string());
        Visible(text).to_string()
    }

    #[test]
    fn what_is_not_seen_or_turns_the_text_around_is_escaped() {
        for hidden in [
            '\0',
            '\u{7}',
            '\u{8}',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{a0}',
            '\u{200b}',
            '\u{200d}',
            '\u{202a}',
            '\u{202e}',
            '\u{2028}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            let text = seen(&format!("a{hidden}b{hidden}"));
            assert!(text.is_ascii() && text.starts_with("a\\u{") && text.contains("}b\\u{"));
        }
        assert_eq!(seen("a\r\n\tb"), "a\\r\\n\\tb");
    }

    #[test]
    fn what_is_seen_stays_as_it_is_and_what_was_escaped_is_not_escaped_again() {
        for text in [
            "",
            "C:\\n \"it's\" 100%",
            "zażółć gęślą jaźń",
            "ключ 鍵 🔑 e\u{301} \u{fffd}",
        ] {
            assert_eq!(seen(text), text);
        }
        let once = seen("\u{202e}\n");
        assert_eq!(seen(&once), once);
    }

    #[test]
    fn a_text_written_in_pieces_is_escaped_whole() {
        let pieces = format_args!("{}{}{}", "a\n", '\u{200b}', 7).to_string();
        assert_eq!(
            Visible(format_args!("{}{}{}", "a\n", '\u{200b}', 7)).to_string(),
            seen(&pieces)
        );
    }
}
