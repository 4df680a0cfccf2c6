//! Times for people: of the wall clock in UTC, and how long ago.

/// A day has so many seconds.
const DAY: u64 = 86_400;

/// A time of the wall clock, given in milliseconds since 1970: `2026-11-26 19:45:03 UTC`.
pub fn utc(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// How long ago a time was: `5 s ago`; `now` where the clock says that it is still to come.
pub fn ago(ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(ms) {
        0..1_000 => "now".to_owned(),
        passed => format!("{} ago", span(passed)),
    }
}

/// A span in its largest unit that fits.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 => format!("{ms} ms"),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / DAY),
    }
}

/// The date of a day since 1970, by the Gregorian calendar: 400 years have 146,097 days, and years are
/// counted from March, so that a leap day is a year's last.
fn date(day: u64) -> (u64, u64, u64) {
    let since_0 = day + 719_468;
    let (era, of_era) = (since_0 / 146_097, since_0 % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carried) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + carried, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc() {
        for (ms, shown) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399_999, "2000-02-28 23:59:59 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_709_164_800_000, "2024-02-29 00:00:00 UTC"),
            (1_764_186_303_000, "2025-11-26 19:45:03 UTC"),
            (4_102_444_799_000, "2099-12-31 23:59:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(ms), shown);
        }
        // Any number is a time.
        assert!(utc(u64::MAX).ends_with("UTC"));
    }

    #[test]
    fn how_long_ago_is_told_in_one_unit() {
        let now = 1_000_000_000;
        for (passed, shown) in [
            (0, "now"),
            (999, "now"),
            (1_000, "1 s ago"),
            (119_999, "119 s ago"),
            (120_000, "2 min ago"),
            (7_199_999, "119 min ago"),
            (7_200_000, "2 h ago"),
            (172_800_000, "2 days ago"),
        ] {
            assert_eq!(ago(now - passed, now), shown);
        }
        assert_eq!(ago(now + 5_000, now), "now");
    }
}
