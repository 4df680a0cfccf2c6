//! Options that several commands parse in the same way.

use std::time::Duration;

/// A reason has so many bytes at most.
const MAX_REASON: usize = 1_024;

/// A time such as `500ms`, `30s`, `5min` or `2h`; a number alone is seconds.
///
/// # Errors
/// It is none.
pub fn parse_limit(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "a time is a whole number with a unit: 500ms, 30s, 5min or 2h".to_owned())?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "" | "s" => Some(number),
        "m" | "min" => number.checked_mul(60),
        "h" => number.checked_mul(3_600),
        _ => {
            return Err(format!(
                "{unit} is no unit of time; there are ms, s, min and h"
            ));
        }
    };
    let seconds = seconds.ok_or_else(|| "so long a time cannot be waited for".to_owned())?;
    Ok(Duration::from_secs(seconds))
}

/// A reason for the listing and the history.
///
/// # Errors
/// It is too long, or could look like something else in a listing.
pub fn parse_reason(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("a reason has no control characters, such as line ends".to_owned());
    }
    match text.len() {
        0..=MAX_REASON => Ok(text.to_owned()),
        bytes => Err(format!(
            "a reason has 1,024 bytes at most, and this one {bytes}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_seconds() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("7", 7_000),
            ("5min", 300_000),
            ("2h", 7_200_000),
            ("0", 0),
        ] {
            assert_eq!(parse_limit(text), Ok(Duration::from_millis(ms)));
        }
        for bad in [
            "",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1d",
            "99999999999999999999",
            "18446744073709551615h",
        ] {
            assert!(parse_limit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reason_has_1024_bytes_at_most_and_no_control_characters() {
        assert!(parse_reason(&"r".repeat(1_024)).is_ok());
        assert!(parse_reason(&"r".repeat(1_025)).is_err());
        assert!(parse_reason("a\nb").is_err());
    }
}
