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
fn a_text_that_quotes_a_key_is_withheld_whole_and_another_is_shown() {
    let scrubber = scrubber(b"correct horse");
    let text = "login with correct horse failed; correct horse!";
    assert_eq!(scrubber.scrub_str(text), WITHHELD);
    assert_eq!(
        scrubber.scrub_str("correct\u{a0}horse"),
        "correct\\u{a0}horse"
    );
    assert_eq!(scrubber.scrub_str("nothing to see"), "nothing to see");
    assert_eq!(scrubber.scrub_str(""), "");
}

#[test]
fn a_key_is_found_in_every_promised_form() {
    let scrubber = scrubber(KEY);
    for (number, form) in forms(KEY).into_iter().enumerate() {
        let seen = scrubber.scrub_str(&format!("before, {form} after"));
        assert_eq!(seen, WITHHELD, "form {number}: {form}");
    }
}

#[test]
fn bytes_that_are_no_text_are_found_before_they_are_made_text() {
    let seen = scrubber(KEY).scrub(&[b"\xf0(", KEY, b")\xff"].concat());
    assert_eq!(seen, WITHHELD);
}

#[test]
fn a_key_inside_a_longer_base64_text_is_found_at_every_alignment() {
    let key = b"twelve bytes";
    for before in 0..7 {
        for after in 0..4 {
            let whole = [&vec![b'<'; before][..], key, &vec![b'>'; after]].concat();
            for encoded in [BASE64URL_NOPAD.encode(&whole), BASE64.encode(&whole)] {
                let seen = scrubber(key).scrub_str(&format!("token{encoded}"));
                assert_eq!(seen, WITHHELD, "{before} {after}");
            }
        }
    }
}

#[test]
fn a_key_is_found_behind_half_an_escape_of_the_text_before_it() {
    let scrubber = scrubber(b"\nline-one\nline-two");
    let key = "\\nline-one\\nline-two";
    for before in ["C:\\", "\\x4", "\\u00"] {
        assert_eq!(scrubber.scrub_str(&format!("{before}{key}")), WITHHELD);
    }
    let web = format!("%4{}", percent(b"\nline-one\nline-two"));
    assert_eq!(scrubber.scrub_str(&web), WITHHELD);
    let digit = super::Scrubber::new([SecretKeyValue::from("1+one two")]);
    assert_eq!(digit.scrub_str("%41%2Bone+two"), WITHHELD);
}

#[test]
fn a_key_is_found_escaped_as_markup_escapes_it() {
    let scrubber = scrubber("Tr0ub4dor&3 <\"it's\"> ö".as_bytes());
    for form in [
        "Tr0ub4dor&amp;3 &lt;&quot;it&apos;s&quot;&gt; ö",
        "Tr0ub4dor&#38;3 &#60;&#34;it&#39;s&#34;&#62; &#246;",
        "Tr0ub4dor&#x26;3 &#x3C;&#x22;it&#x27;s&#x22;&#x3e; &#xF6;",
    ] {
        assert_eq!(scrubber.scrub_str(&format!("<p>{form}</p>")), WITHHELD);
    }
    for other in [
        "a & b",
        "&",
        "&;",
        "&#;",
        "&#x;",
        "&#xd800;",
        "&#99999999;",
        "&lt",
    ] {
        assert_eq!(scrubber.scrub_str(other), other);
    }
}

#[test]
fn a_key_is_found_in_markup_around_other_escapes_and_around_markup() {
    let scrubber = scrubber(b"a <b>\"c\"\nand \\d");
    for form in [
        // JSON on a page, its backslashes as they stand and as numbers.
        r"a &lt;b&gt;\&quot;c\&quot;\nand \\d",
        r"a &lt;b&gt;&#92;&quot;c&#92;&quot;&#x5c;nand &#92;&#92;d",
        // A page that shows the source of a page.
        "a &amp;lt;b&amp;gt;&amp;quot;c&amp;#34;\nand \\d",
        // A page in JSON.
        r"a \u0026lt;b\u0026gt;&quot;c&quot;\nand \\d",
    ] {
        assert_eq!(
            scrubber.scrub_str(&format!("<p>{form}</p>")),
            WITHHELD,
            "{form}"
        );
    }
}

#[test]
fn a_key_is_found_with_its_quotes_doubled() {
    let scrubber = Scrubber::new(["it's \"one\" ''", "'tis \"so\""].map(SecretKeyValue::from));
    for form in [
        "VALUES ('it''s \"one\" ''''')",
        "1,\"it's \"\"one\"\" ''\",2",
        "SELECT '''tis \"so\"'",
        "2,\"'tis \"\"so\"\"\"",
    ] {
        assert_eq!(scrubber.scrub_str(form), WITHHELD, "{form}");
    }
    assert_eq!(scrubber.scrub_str("'' \"\""), "'' \"\"");
}

#[test]
fn a_short_key_is_found_as_a_long_one_is() {
    let scrubber = Scrubber::new(["hunter2", "k9"].map(SecretKeyValue::from));
    for form in [
        "hunter2",
        "68756E74657232",
        "aHVudGVyMg==",
        "[104, 117, 110, 116, 101, 114, 50]",
        "k9",
    ] {
        assert_eq!(scrubber.scrub_str(&format!("got {form}!")), WITHHELD);
    }
    assert_eq!(scrubber.scrub_str("got hunter"), "got hunter");
    let one = Scrubber::new([SecretKeyValue::from("e")]);
    assert_eq!(one.scrub_str("it failed"), WITHHELD);
}

#[test]
fn what_is_withheld_is_decided_before_the_text_is_cut() {
    let text = format!("{}hunter2", ".".repeat(5000));
    assert_eq!(scrubber(b"hunter2").scrub_str(&text), WITHHELD);
    for before in 980..1030 {
        let text = format!("{}hunter2", "é".repeat(before / 2));
        assert_eq!(scrubber(b"hunter2").scrub_str(&text), WITHHELD);
    }
}

#[test]
fn a_text_is_shortened_last() {
    let long = "é".repeat(3000);
    let seen = Scrubber::default().scrub_str(&long);
    assert!(seen.ends_with(CUT) && seen.len() <= MAX_TEXT_BYTES && seen.len() > MAX_TEXT_BYTES - 4);
    let fits = "x".repeat(MAX_TEXT_BYTES);
    assert_eq!(Scrubber::default().scrub_str(&fits), fits);
    let seen = Scrubber::default().scrub(&vec![b'.'; MAX_SCANNED_BYTES + 1]);
    assert!(seen.starts_with("...") && seen.len() <= MAX_TEXT_BYTES);
}

#[test]
fn a_key_across_the_end_of_a_text_that_was_cut_withholds_it_in_every_form() {
    let scrubber = scrubber(KEY);
    for (number, form) in forms(KEY).into_iter().enumerate() {
        let half = form.len() / 2;
        for cut in half..form.len() {
            let text = [b"before ", &form.as_bytes()[..cut]].concat();
            let seen = scrubber.scrub_beginning(&text);
            assert!(
                seen.starts_with("(withheld"),
                "form {number}, {cut} of {form}: {seen}"
            );
        }
    }
    assert_eq!(scrubber.scrub_beginning(b"a can"), "a can");
}

#[test]
fn a_text_longer_than_what_is_looked_through_is_one_that_was_cut() {
    let cut =
        |text: &str| scrubber(b"correct horse").scrub_str(&text.repeat(MAX_SCANNED_BYTES / 4));
    assert!(cut("right").starts_with("right"));
    assert_eq!(
        scrubber(b"ghtrightrightr!").scrub_str(&"right".repeat(20_000)),
        WITHHELD_END
    );
}

#[test]
fn a_key_that_ends_in_a_line_end_is_found_without_it() {
    let scrubber = scrubber(b"from a file\r\n");
    for text in ["(from a file)", "(from a file\r\n)"] {
        assert_eq!(scrubber.scrub_str(text), WITHHELD);
    }
    assert_eq!(
        scrubber.scrub_str(&HEXLOWER.encode(b"from a file")),
        WITHHELD
    );
}

#[test]
fn a_key_that_making_the_text_visible_puts_together_is_found_too() {
    assert_eq!(scrubber(b"two\\nlines").scrub_str("two\nlines"), WITHHELD);
    let marked = scrubber("half\u{fffd}of it".as_bytes());
    assert_eq!(marked.scrub(b"half\xffof it"), WITHHELD);
}

#[test]
fn control_and_format_characters_are_escaped() {
    let seen = Scrubber::default().scrub_str("no\nINFO all is \u{202e}well\u{1b}[2J");
    assert_eq!(seen, "no\\nINFO all is \\u{202e}well\\u{1b}[2J");
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
fn the_largest_key_and_texts_made_to_be_slow_take_a_bounded_time() {
    let scrubber = Scrubber::new([
        SecretKeyValue::new(vec![b'a'; 1024 * 1024]),
        SecretKeyValue::from(&[b'a'; 32768]),
        SecretKeyValue::from("\\q".repeat(16384).as_bytes()),
    ]);
    let long = vec![b'a'; MAX_SCANNED_BYTES];
    assert_eq!(scrubber.scrub(&long), WITHHELD);
    let mut broken = long;
    for place in (0..broken.len()).step_by(32000) {
        broken[place] = b'b';
    }
    assert!(scrubber.scrub(&broken).starts_with("baaa"));
    assert_eq!(scrubber.scrub_beginning(&broken), WITHHELD_END);
    let text = "\\\\q".repeat(16383);
    assert!(scrubber.scrub_str(&text).starts_with("\\\\q"));
}

#[test]
fn a_backslash_before_a_key_hides_none_whatever_its_first_character() {
    for key in [
        &[128, 128, 0, 0, 0, 92, 32, 0][..],
        "\u{fe}\u{e9}l\u{e8}ve 123".as_bytes(),
        "\u{1f511} and more".as_bytes(),
    ] {
        let scrubber = scrubber(key);
        for form in forms(key) {
            let seen = scrubber.scrub_str(&format!("at \\{form}"));
            assert_eq!(seen, WITHHELD, "{form:?}");
        }
    }
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
        prop_assert_eq!(scrubber.scrub(&raw), WITHHELD);
        for form in forms(&key) {
            let seen = scrubber.scrub_str(&format!("{before}{form}{after}"));
            prop_assert_eq!(seen, WITHHELD, "{:?} left", form);
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
    fn any_bytes_are_answered_as_a_short_visible_text(
        key in proptest::collection::vec(any::<u8>(), 1..12),
        text in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        let seen = scrubber(&key).scrub(&text);
        prop_assert!(seen.len() <= MAX_TEXT_BYTES && !seen.chars().any(char::is_control));
    }
}
