//! What a scrubber finds, and what it makes of a text.

use data_encoding::{
    BASE64, BASE64_MIME, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXUPPER,
};
use proptest::prelude::*;

use super::*;

const KEY: &[u8] = b"canary \"key\"\n\x01\xff\xfe/\\caf\xc3\xa9?";

fn scrubber(key: &[u8]) -> Scrubber {
    Scrubber::new([SecretKeyValue::from(key)])
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

/// Every form that a key is promised to be found in.
fn forms(key: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(key).into_owned();
    let latin: String = key.iter().map(|byte| char::from(*byte)).collect();
    let mixed: String = HEXLOWER
        .encode(key)
        .chars()
        .enumerate()
        .map(|(at, digit)| {
            if at % 3 == 0 {
                digit.to_ascii_uppercase()
            } else {
                digit
            }
        })
        .collect();
    let pairs: Vec<String> = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let signed: Vec<i8> = key.iter().map(|byte| byte.cast_signed()).collect();
    let utf16: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    let escaped: String = key.iter().map(|byte| format!("\\x{byte:02X}")).collect();
    let octal: String = key.iter().map(|byte| format!("\\{byte:03o}")).collect();
    vec![
        text.clone(),
        latin.clone(),
        format!("{text:?}"),
        format!("{:?}", format!("{text:?}")),
        format!("{:?}", format!("{:?}", format!("{text:?}"))),
        json(&text),
        json(&json(&text)),
        json(&latin),
        utf16,
        escaped,
        octal,
        format!("\"{}\"", key.escape_ascii()),
        format!("{key:?}"),
        format!("{key:#?}"),
        format!("{key:x?}"),
        format!("{key:#04X?}"),
        format!("{key:#x?}"),
        format!("{signed:?}"),
        HEXLOWER.encode(key),
        HEXUPPER.encode(key),
        mixed,
        pairs.join(":"),
        pairs.join(" "),
        pairs.join("-"),
        format!("0x{}", pairs.join(", 0x")),
        BASE64.encode(key),
        BASE64_NOPAD.encode(key),
        BASE64URL.encode(key),
        BASE64URL_NOPAD.encode(key),
        BASE64_MIME.encode(key),
        percent(BASE64.encode(key).as_bytes()),
        percent(key),
    ]
}

#[test]
fn a_key_as_it_stands_becomes_three_stars() {
    let scrubber = scrubber(b"correct horse");
    assert_eq!(
        scrubber.scrub_str("login with correct horse failed; correct horse!"),
        "login with *** failed; ***!"
    );
    assert_eq!(scrubber.scrub_str("nothing to see"), "nothing to see");
    assert_eq!(scrubber.scrub_str(""), "");
}

#[test]
fn a_key_is_found_in_every_promised_form() {
    let scrubber = scrubber(KEY);
    for (number, form) in forms(KEY).into_iter().enumerate() {
        let seen = scrubber.scrub_str(&format!("before, {form} after"));
        assert!(
            seen.starts_with("before, ") && seen.ends_with(" after") && seen.contains("***"),
            "form {number}: {form} left {seen}"
        );
        assert!(!seen.contains(&form), "form {number} is left: {seen}");
        assert!(seen.len() < 40, "form {number} is left in part: {seen}");
    }
}

#[test]
fn bytes_that_are_no_text_are_found_before_they_are_made_text() {
    let seen = scrubber(KEY).scrub(&[b"\xf0(", KEY, b")\xff"].concat());
    assert_eq!(seen, "\u{fffd}(***)\u{fffd}");
}

#[test]
fn a_key_inside_a_longer_base64_text_is_found_at_every_alignment() {
    let key = b"twelve bytes";
    for before in 0..7 {
        for after in 0..4 {
            let whole = [&vec![b'<'; before][..], key, &vec![b'>'; after]].concat();
            let text = format!("token{}", BASE64URL_NOPAD.encode(&whole));
            let seen = scrubber(key).scrub_str(&text);
            assert!(seen.contains("***"), "{before} {after}: {seen}");
            // 5 characters of the word, and 4 for each 3 bytes around the key.
            assert!(
                seen.len() <= 5 + 3 + (before + after) * 4 / 3 + 2,
                "{before} {after}: {seen}"
            );
        }
    }
}

#[test]
fn a_key_is_found_behind_half_an_escape_of_the_text_before_it() {
    let scrubber = scrubber(b"\nline-one\nline-two");
    let key = "\\nline-one\\nline-two";
    for before in ["C:\\", "\\x4", "\\u00"] {
        let seen = scrubber.scrub_str(&format!("{before}{key}"));
        assert!(seen.ends_with("***") && !seen.contains("line"), "{seen}");
    }
    assert_eq!(
        scrubber.scrub_str(&format!("%4{}", percent(b"\nline-one\nline-two"))),
        "%4***"
    );
    let digit = super::Scrubber::new([SecretKeyValue::from("1+one two")]);
    assert_eq!(digit.scrub_str("%41%2Bone+two"), "%4***");
}

#[test]
fn a_text_that_quotes_a_key_of_fewer_than_eight_bytes_is_withheld_whole() {
    let scrubber = Scrubber::new([
        SecretKeyValue::from("hunter2"),
        SecretKeyValue::from("eight by"),
    ]);
    for form in [
        "hunter2",
        "68756E74657232",
        "aHVudGVyMg==",
        "[104, 117, 110, 116, 101, 114, 50]",
    ] {
        assert_eq!(scrubber.scrub_str(&format!("got {form}!")), WITHHELD);
    }
    assert_eq!(scrubber.scrub_str("got eight by!"), "got ***!");
    assert_eq!(scrubber.scrub_str("got hunter"), "got hunter");
}

#[test]
fn what_is_withheld_is_decided_before_the_text_is_cut() {
    let text = format!("{}hunter2", ".".repeat(5000));
    assert_eq!(scrubber(b"hunter2").scrub_str(&text), WITHHELD);
}

#[test]
fn a_text_is_cut_only_after_its_keys_are_gone() {
    let key = "a key that lies across the place of the cut";
    for before in 980..1030 {
        let seen =
            scrubber(key.as_bytes()).scrub_str(&format!("{}{key}{key}", "é".repeat(before / 2)));
        assert!(
            !seen.contains("a key") && seen.len() <= MAX_TEXT_BYTES,
            "{seen}"
        );
    }
    let long = "é".repeat(3000);
    let seen = Scrubber::default().scrub_str(&long);
    assert!(seen.ends_with(CUT) && seen.len() <= MAX_TEXT_BYTES && seen.len() > MAX_TEXT_BYTES - 4);
    let fits = "x".repeat(MAX_TEXT_BYTES);
    assert_eq!(Scrubber::default().scrub_str(&fits), fits);
}

#[test]
fn a_key_that_begins_with_another_key_is_replaced_whole() {
    let keys = [
        "prefix-of-it",
        "prefix-of-it-and-more",
        "of-it-and-more-still",
    ];
    let scrubber = Scrubber::new(keys.map(SecretKeyValue::from));
    assert_eq!(scrubber.scrub_str("<prefix-of-it-and-more>"), "<***>");
    assert_eq!(scrubber.scrub_str("<prefix-of-it-and-more-still>"), "<***>");
    assert_eq!(scrubber.scrub_str("<prefix-of-it>"), "<***>");
}

#[test]
fn a_key_that_ends_in_a_line_end_is_found_without_it() {
    let scrubber = scrubber(b"from a file\r\n");
    assert_eq!(scrubber.scrub_str("(from a file)"), "(***)");
    assert_eq!(scrubber.scrub_str("(from a file\r\n)"), "(***\r\n)");
    assert_eq!(
        scrubber.scrub_str(&format!("({})", HEXLOWER.encode(b"from a file"))),
        "(***)"
    );
}

#[test]
fn a_key_that_a_replacement_puts_together_is_found_too() {
    let scrubber = Scrubber::new(["********", "middle part"].map(SecretKeyValue::from));
    let seen = scrubber.scrub_str("***middle part***");
    assert!(!seen.contains("********"), "{seen}");
}

#[test]
fn empty_keys_and_no_keys_find_nothing() {
    let scrubber = Scrubber::new([SecretKeyValue::from("")]);
    assert_eq!(scrubber.scrub_str("any text"), "any text");
    assert_eq!(Scrubber::default().scrub(b"any \xff"), "any \u{fffd}");
}

#[test]
fn nothing_of_the_keys_shows_in_debug() {
    assert_eq!(format!("{:?}", scrubber(b"canary-key")), "Scrubber { .. }");
}

#[test]
fn the_largest_key_and_a_large_text_take_a_bounded_time() {
    let key = vec![b'a'; 1024 * 1024];
    let scrubber = Scrubber::new([
        SecretKeyValue::new(key),
        SecretKeyValue::from(&[b'a'; 32768]),
    ]);
    let mut text = vec![b'a'; 65536];
    assert_eq!(scrubber.scrub(&text), "***");
    for place in (0..text.len()).step_by(32000) {
        if let Some(byte) = text.get_mut(place) {
            *byte = b'b';
        }
    }
    assert!(scrubber.scrub(&text).starts_with("baaa"));
    assert_eq!(
        scrubber.scrub(&vec![b'.'; MAX_SCANNED_BYTES + 1]),
        WITHHELD_UNSEEN
    );
}

#[test]
fn a_text_made_to_be_slow_is_withheld_instead() {
    let scrubber = scrubber("\\q".repeat(16384).as_bytes());
    let text = "\\\\q".repeat(16383);
    assert_eq!(scrubber.scrub_str(&text), WITHHELD_UNSEEN);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_form_of_any_key_is_left_in_any_text(
        key in proptest::collection::vec(any::<u8>(), 8..48),
        before in ".{0,40}",
        after in ".{0,40}",
    ) {
        let scrubber = scrubber(&key);
        let mut raw = before.clone().into_bytes();
        raw.extend_from_slice(&key);
        raw.extend_from_slice(after.as_bytes());
        let seen = scrubber.scrub(&raw);
        prop_assert!(!seen.contains(&*String::from_utf8_lossy(&key)), "{}", seen);
        for form in forms(&key) {
            let seen = scrubber.scrub_str(&format!("{before}{form}{after}"));
            // A key of nothing but stars may leave fewer of them.
            prop_assert!(!seen.contains(&form), "{:?} left in {:?}", form, seen);
        }
    }

    #[test]
    fn no_text_key_is_left_in_any_text(
        key in "\\PC{8,30}|[\\\\\"'n\n0x]{8,20}",
        before in "[\\\\%a-f0-9x{]{0,8}",
        after in "[\\\\%a-f0-9x}]{0,8}",
    ) {
        let scrubber = scrubber(key.as_bytes());
        for form in forms(key.as_bytes()) {
            let seen = scrubber.scrub_str(&format!("{before} {form} {after}"));
            prop_assert!(!seen.contains(form.trim_matches('"')), "{:?} left in {:?}", form, seen);
        }
    }

    #[test]
    fn any_bytes_are_answered_as_a_short_text(
        key in proptest::collection::vec(any::<u8>(), 1..12),
        text in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        prop_assert!(scrubber(&key).scrub(&text).len() <= MAX_TEXT_BYTES);
    }
}
