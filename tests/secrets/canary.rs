//! The keys of these tests, and looking for them in whatever was written: as they are, in hex, in
//! base64 at each of its three alignments, escaped, and as a list of bytes. A part of a key is
//! looked for as well as the whole: half a key is a key that was given away.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use data_encoding::{HEXLOWER, HEXUPPER};
use keyward::SecretKeyPair;

pub const OLD_FORWARD: &str = "CAVAG9DawBMiHCSTiJ5S/+éZ575XQTYqkXyAs8uKDNv";
pub const OLD_BACK: &str = "MsxZ3W8mXtXdnxDfzDpw/+éyzb4udB5zoAcxXhp499L";
pub const NEW_FORWARD: &str = "CuXJCNtJXFPvSa8yMri5/+éFobkE8aGXUiGgCLuip68";
pub const NEW_BACK: &str = "xdgfyXNgGnhiVG9VDNzY/+énK7X7dvdPNs3aiF6nWwE";
/// Answered by a store that quotes it later.
pub const TOLD: &str = "5gzQVPi84QyUB442Xccz/+ébgSzdCcaw6n84AUuCL9B";
/// Set by a callback.
pub const SET: &str = "pVYnafxnJ5DSTQ4BdERk/+éTY5VxyqA6nNENxFtF4CC";
/// Declared, and never answered by a store.
pub const DECLARED: &str = "skaCMjRXXU3o5N7FGdVP/+émyhAHvuh2gkvYpN7GoSz";
/// Of a one-way key.
pub const TOKEN: &str = "aGhuQer98XA46icN8z5E/+é7XFY8whBgJYr4qKFGpxU";
/// Printed by commands that fail.
pub const PRINTED: &str = "pnxhjR2CAyGZKLNV9ag5/+éwbCmMUG5h2MHS9PuubDW";
pub const MASTER: &str = "e6PHXekfqBZZspCSwZo4/+éBSyeBgardPow5YDhqNao";
/// A second one, which fits no database.
pub const OTHER_MASTER: &str = "Wm3tRz8KpQx5vYc2Jh7N/+éUdG4sLbE9fTaHk6VnXwB";

/// Every key that is used.
pub const ALL: [&str; 11] = [
    OLD_FORWARD,
    OLD_BACK,
    NEW_FORWARD,
    NEW_BACK,
    TOLD,
    SET,
    DECLARED,
    TOKEN,
    PRINTED,
    MASTER,
    OTHER_MASTER,
];

/// The pair before the change.
pub fn old() -> SecretKeyPair {
    SecretKeyPair::new(OLD_FORWARD, OLD_BACK)
}

/// The pair after the change.
pub fn new() -> SecretKeyPair {
    SecretKeyPair::new(NEW_FORWARD, NEW_BACK)
}

/// The forms in which a program may show a key.
pub fn shown(key: &str) -> Vec<String> {
    let bytes = key.as_bytes();
    vec![
        key.to_owned(),
        HEXLOWER.encode(bytes),
        HEXUPPER.encode(bytes),
        BASE64.encode(bytes),
        BASE64_NOPAD.encode(bytes),
        BASE64URL.encode(bytes),
        BASE64URL_NOPAD.encode(bytes),
        bytes.escape_ascii().to_string(),
        format!("{bytes:?}"),
    ]
}

/// The forms in which a key is looked for, and how long a part of each is no accident.
fn forms(key: &str) -> Vec<(Vec<u8>, usize)> {
    let bytes = key.as_bytes();
    let mut forms = vec![
        (bytes.to_vec(), 12),
        (HEXLOWER.encode(bytes).into_bytes(), 20),
        (HEXUPPER.encode(bytes).into_bytes(), 20),
        (bytes.escape_ascii().to_string().into_bytes(), 16),
        (format!("{bytes:?}").into_bytes(), 48),
        (format!("{bytes:#?}").into_bytes(), 48),
        (format!("{bytes:02x?}").replace(", ", " ").into_bytes(), 20),
    ];
    for skipped in 0..3 {
        let whole = &bytes[skipped..];
        let whole = &whole[..whole.len() / 3 * 3];
        for encoding in [BASE64, BASE64URL] {
            forms.push((encoding.encode(whole).into_bytes(), 16));
        }
    }
    forms
}

/// Every part of every form, by its length.
struct Parts {
    by_length: Vec<(usize, HashSet<Vec<u8>>)>,
    /// Whether a part begins with these two bytes.
    begins: Vec<bool>,
}

fn parts() -> &'static Parts {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    PARTS.get_or_init(|| {
        let mut parts = Parts {
            by_length: [12, 16, 20, 48]
                .map(|length| (length, HashSet::new()))
                .into(),
            begins: vec![false; 1 << 16],
        };
        for (form, length) in ALL.into_iter().flat_map(forms) {
            let of_length = parts.by_length.iter_mut().find(|(of, _)| *of == length);
            let (_, set) = of_length.expect("one of the lengths");
            for part in form.windows(length) {
                parts.begins[two(part)] = true;
                set.insert(part.to_vec());
            }
        }
        parts
    })
}

fn two(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// Where a key, or a part of one, stands in these bytes.
pub fn find(bytes: &[u8]) -> Option<usize> {
    let parts = parts();
    (0..bytes.len().saturating_sub(1)).find(|at| {
        let rest = &bytes[*at..];
        let is_part = |(length, set): &(usize, HashSet<Vec<u8>>)| {
            rest.get(..*length).is_some_and(|part| set.contains(part))
        };
        parts.begins[two(rest)] && parts.by_length.iter().any(is_part)
    })
}

/// Fails if a key is there. What it says shows the key's surroundings only.
#[track_caller]
pub fn nowhere(place: &str, bytes: &[u8]) {
    if let Some(at) = find(bytes) {
        let before = String::from_utf8_lossy(&bytes[at.saturating_sub(80)..at]);
        panic!("{place} has a key at byte {at}, after `{before}`");
    }
}

/// Fails if a key is in a file of the folder or below it, or in a file's name; answers how many
/// files there are.
#[track_caller]
pub fn not_in_folder(folder: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.display().to_string();
        nowhere("a name", name.as_bytes());
        if path.is_dir() {
            files += not_in_folder(&path);
        } else {
            nowhere(&name, &fs::read(&path).expect("a file"));
            files += 1;
        }
    }
    files
}

#[test]
fn the_forms_that_are_looked_for_are_found_where_they_are() {
    for key in ALL {
        for form in shown(key) {
            let text = format!("before {form} after");
            let found = find(text.as_bytes()).expect("it is there");
            assert!((5..9).contains(&found), "{found}");
            let half = &form.as_bytes()[..form.len() / 2];
            assert_eq!(find(half), Some(0), "half of it is told as well");
        }
        for skipped in 0..3 {
            let longer = [&b"<<"[..skipped], key.as_bytes(), b">"].concat();
            assert!(find(BASE64.encode(&longer).as_bytes()).is_some());
        }
    }
    assert_eq!(find(b"a text of no key, 0123456789abcdef"), None);
}
