//! What the memory of a process has of keys: looked at from outside, in a process that goes on.
//!
//! Not covered, and said so: buffers of the gRPC library. A key in one of its messages stands behind its tag and
//! its length, which no key that is kept as such does.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};

/// Copies of a value in a process that are in no message.
pub struct Copies {
    /// As it is.
    pub plain: usize,
    /// In base64, wherever in a longer text.
    pub encoded: usize,
}

/// Looks for a value of fewer than 128 bytes; none where the system does not let this process look.
pub fn copies(process: u32, value: &str) -> Option<Copies> {
    let mut memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let mut found = Copies {
        plain: 0,
        encoded: 0,
    };
    let encoded = in_base64(value);
    for map in maps.lines() {
        let mut words = map.split_whitespace();
        let (range, rights) = (words.next()?, words.next()?);
        let name = words.nth(3).unwrap_or_default();
        if !rights.starts_with("rw") || name.starts_with("[v") {
            continue;
        }
        let (from, to) = range.split_once('-')?;
        let from = u64::from_str_radix(from, 16).ok()?;
        let to = u64::from_str_radix(to, 16).ok()?;
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        memory.seek(SeekFrom::Start(from)).ok()?;
        if memory.read_exact(&mut bytes).is_err() {
            // It was given back to the system meanwhile.
            continue;
        }
        found.plain += places(&bytes, value.as_bytes())
            .filter(|at| !is_in_message(&bytes[..*at], value.len()))
            .count();
        found.encoded += encoded
            .iter()
            .map(|text| places(&bytes, text.as_bytes()).count())
            .sum::<usize>();
    }
    Some(found)
}

/// Whether what stands before a value is the tag and the length of a field of a message.
fn is_in_message(before: &[u8], length: usize) -> bool {
    let [.., tag, said] = before else {
        return false;
    };
    usize::from(*said) == length && tag & 7 == 2
}

fn places<'a>(bytes: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = wanted[0];
    let starts = bytes
        .iter()
        .enumerate()
        .filter(move |(_, byte)| **byte == first);
    starts
        .map(|(at, _)| at)
        .filter(move |at| bytes[*at..].starts_with(wanted))
}

/// What is the same in base64 wherever the value begins in a longer text.
fn in_base64(value: &str) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let text = [&vec![b'.'; before][..], value.as_bytes()].concat();
        let encoded = data_encoding::BASE64.encode(&text);
        encoded[4..encoded.len() - 4].to_owned()
    })
}

#[test]
fn a_value_is_found_unless_it_stands_in_a_message() {
    let own = std::process::id();
    let value = format!("a value {}", "that is looked for".repeat(2));
    let looked = || copies(own, &value);
    let Some(first) = looked() else {
        eprintln!("skipped: this process may not look at memory");
        return;
    };
    assert!(first.plain > 0);
    let encoded = data_encoding::BASE64.encode(value.as_bytes());
    assert!(looked().unwrap().encoded > 0, "{}", encoded.len());
    let length = u8::try_from(value.len()).unwrap();
    assert!(is_in_message(&[1, 0x0a, length], value.len()));
    assert!(!is_in_message(&[0, 0, length], value.len()));
    assert!(!is_in_message(&[length], value.len()));
}
