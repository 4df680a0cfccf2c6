//! What the fuzz targets in `fuzz` check, of each input that they have kept: those that reached code that no other
//! one did, and those that showed a fault.

#[path = "../../fuzz/properties/allocated.rs"]
mod allocated;
#[path = "../../src/bin/keyward/colour.rs"]
#[allow(dead_code, reason = "the log of the command line uses it")]
mod colour;
#[path = "../../src/bin/keyward/config/mod.rs"]
#[allow(dead_code, reason = "the command line uses all of it")]
mod config;
#[path = "../../fuzz/properties/configuration.rs"]
mod configuration;
#[path = "../../src/bin/keyward/log.rs"]
#[allow(dead_code, reason = "a configuration has a filter of the log")]
mod log;
#[path = "../../fuzz/properties/places.rs"]
mod places;
#[path = "../../fuzz/properties/records.rs"]
mod records;
#[path = "../../fuzz/properties/tags.rs"]
mod tags;
#[path = "../../fuzz/properties/wire.rs"]
mod wire;

use std::fs;
use std::path::Path;

/// Checks each input in the corpus of a target.
fn each_of(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut inputs = 0;
    for file in fs::read_dir(folder.join(target)).unwrap() {
        let path = file.unwrap().path();
        // A test that fails shows it.
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "{target} has no corpus");
}

#[test]
fn messages_of_the_wire_are_refused_or_read_as_they_were_sent() {
    each_of("wire", wire::check);
}

#[test]
fn records_are_refused_or_read_as_they_were_written() {
    each_of("records", records::check);
}

#[test]
fn bytes_are_no_place_or_those_of_the_place() {
    each_of("places", places::check);
}

#[test]
fn bytes_have_no_tag_or_the_one_that_is_made_of_it_again() {
    each_of("tags", tags::check);
}

#[test]
fn a_configuration_is_read_or_each_of_its_faults_has_a_place_in_it() {
    each_of("configuration", configuration::check);
}

#[test]
fn more_memory_than_an_input_may_take_is_noticed() {
    let most = vec![7; 4096 + 16];
    let read = |input| allocated::within((1, 4096), input, || most.clone());
    assert_eq!(read(&most[..16]), most);
    let more = || read(&most[..15]);
    assert!(std::panic::catch_unwind(more).is_err());
}
