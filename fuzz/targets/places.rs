//! Fuzzes `properties/places.rs`.

#![no_main]

#[path = "../properties/allocated.rs"]
mod allocated;
#[path = "../properties/places.rs"]
mod places;

libfuzzer_sys::fuzz_target!(|input: &[u8]| places::check(input));
