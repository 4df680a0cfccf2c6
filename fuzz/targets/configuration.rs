//! Fuzzes `properties/configuration.rs`.

#![no_main]

#[path = "../properties/allocated.rs"]
mod allocated;
#[path = "../../src/bin/keyward/colour.rs"]
#[allow(dead_code, reason = "the log of the command line uses it")]
mod colour;
#[path = "../../src/bin/keyward/config/mod.rs"]
#[allow(dead_code, reason = "the command line uses all of it")]
mod config;
#[path = "../properties/configuration.rs"]
mod configuration;
#[path = "../../src/bin/keyward/log.rs"]
#[allow(dead_code, reason = "a configuration has a filter of the log")]
mod log;

libfuzzer_sys::fuzz_target!(|input: &[u8]| configuration::check(input));
