//! Fuzzes `properties/records.rs`.

#![no_main]

#[path = "../properties/allocated.rs"]
mod allocated;
#[path = "../properties/records.rs"]
mod records;

libfuzzer_sys::fuzz_target!(|input: &[u8]| records::check(input));
