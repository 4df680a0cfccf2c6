//! The code of the wire's messages is generated from `src/wire/keyward/v1/keyward.proto` by `tools/wire` and
//! committed, so that a build of keyward needs no generator. Its head has the digests of both; the gate generates it anew.

use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

const PROTO: &str = "src/wire/keyward/v1/keyward.proto";
const GENERATED: &str = "src/wire/generated.rs";

#[test]
fn the_generated_code_of_the_wire_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = fs::read_to_string(root.join(GENERATED)).unwrap();
    let (head, code) = committed.split_once("\n\n").unwrap();
    let proto = fs::read(root.join(PROTO)).unwrap();
    for (what, of) in [("proto", proto.as_slice()), ("code", code.as_bytes())] {
        let line = format!("//! {what} {}", HEXLOWER.encode(&Sha256::digest(of)));
        assert!(
            head.lines().any(|of_head| of_head == line),
            "{GENERATED} is not what {PROTO} says: cargo run --manifest-path tools/wire/Cargo.toml"
        );
    }
}

/// Each message, field, value and call says what it is.
#[test]
fn everything_of_the_wire_is_documented() {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROTO);
    let proto = fs::read_to_string(proto).unwrap();
    let mut before = "";
    let mut faults = Vec::new();
    for line in proto.lines().map(str::trim) {
        let is_field = line.ends_with(';') && line.contains(" = ");
        let begins = ["message ", "enum ", "oneof ", "service ", "rpc "];
        let is_part = begins.iter().any(|word| line.starts_with(word));
        let is_file = line.starts_with("syntax") || line.starts_with("package");
        if (is_field || is_part) && !is_file && !before.starts_with("// ") {
            faults.push(line);
        }
        before = line;
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Fields, values and calls, each with its number and where it stands. Lines are only ever added.
const PARTS: &str = include_str!("../../src/wire/keyward/v1/parts.txt");

/// Every field, value and call of the file, as it stands in the list.
fn parts(proto: &str) -> Vec<String> {
    let (mut within, mut parts) = (Vec::new(), Vec::new());
    for line in proto.lines().map(str::trim) {
        if line.starts_with("//") {
            continue;
        }
        if let Some(begun) = line.strip_suffix(" {") {
            within.extend(begun.split(' ').next_back());
        } else if line == "}" {
            within.pop();
        } else if let Some(part) = line.strip_suffix(';')
            && !within.is_empty()
        {
            parts.push(format!("{}: {part}", within.join(".")));
        }
    }
    parts
}

#[test]
fn what_the_wire_had_once_it_has_and_what_is_new_is_in_the_list() {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROTO);
    let now = parts(&fs::read_to_string(proto).unwrap());
    let once: Vec<&str> = PARTS.lines().collect();
    let gone = once
        .iter()
        .filter(|part| !now.iter().any(|now| now == *part));
    let gone: Vec<_> = gone.collect();
    assert!(gone.is_empty(), "older processes know these: {gone:#?}");
    let new = now.iter().filter(|part| !once.contains(&part.as_str()));
    let new: Vec<_> = new.collect();
    assert!(
        new.is_empty(),
        "these have to be in parts.txt from now on: {new:#?}"
    );
    // A number stands for one field of a message, in whichever `oneof` it is, and for one value of an enumeration.
    let number = |part: &str| {
        let (at, field) = part.split_once(": ")?;
        Some((
            at.split('.').next()?.to_owned(),
            field.rsplit_once(" = ")?.1.to_owned(),
        ))
    };
    let mut numbers: Vec<_> = now.iter().filter_map(|part| number(part)).collect();
    let all = numbers.len();
    numbers.sort();
    numbers.dedup();
    assert!(
        all > 100 && numbers.len() == all,
        "a number is used twice in a message"
    );
}
