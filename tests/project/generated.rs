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
