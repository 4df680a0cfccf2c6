//! Fuzzes `properties/tags.rs`.

#![no_main]

#[path = "../properties/allocated.rs"]
mod allocated;
#[path = "../properties/tags.rs"]
mod tags;

libfuzzer_sys::fuzz_target!(|input: &[u8]| tags::check(input));
