//! The byte order mark that editors and shells put before a text without showing it.

use crate::secret::value::{SecretKeyValue, SecretKeys};

/// Whether a value of these keys is a text that begins with a byte order mark: UTF-8, or ASCII in
/// UTF-16. The mark is part of the key all the same.
pub fn is_marked(keys: &SecretKeys) -> bool {
    let pair = keys.to_pair();
    is_marked_text(pair.forward()) || keys.is_pair() && is_marked_text(pair.back())
}

fn is_marked_text(value: &SecretKeyValue) -> bool {
    let wide = |text: &[u8], zeroes: usize| {
        let mut zeroes = text.iter().skip(zeroes).step_by(2);
        !text.is_empty() && zeroes.all(|byte| *byte == 0)
    };
    match value.expose() {
        [0xef, 0xbb, 0xbf, text @ ..] => str::from_utf8(text).is_ok(),
        [0xff, 0xfe, text @ ..] => wide(text, 1),
        [0xfe, 0xff, text @ ..] => wide(text, 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_seen_before_a_text_only() {
        let marked: [&[u8]; 5] = [
            b"\xef\xbb\xbfkey",
            b"\xef\xbb\xbf",
            b"\xff\xfek\0e\0y\0\r\0\n\0",
            b"\xfe\xff\0k\0e\0y",
            // One final line end was cut.
            b"\xfe\xff\0k\0e\0y\0",
        ];
        for value in marked {
            assert!(is_marked(&value.into()), "{value:?}");
            assert!(is_marked(&("key", value).into()), "{value:?}");
        }
        let others: [&[u8]; 6] = [
            b"key",
            b"\xef\xbb",
            b"\xef\xbb\xbf\xff",
            b"\xff\xfe",
            b"\xff\xfeke",
            b"key\xef\xbb\xbf",
        ];
        for value in others {
            assert!(!is_marked(&value.into()), "{value:?}");
        }
    }
}
