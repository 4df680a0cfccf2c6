//! Fuzzes `properties/wire.rs`.

#![no_main]

#[path = "../properties/allocated.rs"]
mod allocated;
#[path = "../properties/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|input: &[u8]| wire::check(input));
