//! Any bytes as a configuration: it is one, or each of its faults is at a place of it.

use std::path::Path;

use crate::allocated;
use crate::config::Config;

/// A table of one letter in brackets is a map, its place and what is said of it.
const MEMORY: (usize, usize) = (4096, 65536);

/// Reads them.
pub fn check(bytes: &[u8]) {
    let path = Path::new("/etc/keyward/keyward.toml");
    let read = allocated::within(MEMORY, bytes, || Config::from_bytes(bytes, path).map(drop));
    let Err(faults) = read else {
        return;
    };
    assert!(!faults.is_empty(), "it is refused, and has no fault");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    for fault in faults {
        let is_place = (1..=lines).contains(&fault.line) && fault.column > 0;
        assert!(is_place, "{fault} is not in these {lines} lines");
    }
}
