//! Which types may hold a key, as their definitions say.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::PublicType;

/// What may hold a key wherever it stands in a definition.
const WORDS: [&str; 8] = [
    "SecretKeyValue",
    "SecretKeyPair",
    "SecretKeys",
    "Zeroizing",
    "ForeignText",
    "KeysStore",
    "CryptoTool",
    "dyn",
];

/// It has bytes, and they are what the kernel says of a process.
const WITHOUT: &str = "rotation::instance::Process";

/// The types that may hold a key, or a value of another type that may.
pub fn types(all: &BTreeMap<String, PublicType>) -> BTreeSet<String> {
    let mut bearing = BTreeSet::new();
    loop {
        let before = bearing.len();
        for (path, found) in all {
            if path != WITHOUT && may_hold(found, &bearing) {
                bearing.insert(path.clone());
            }
        }
        if bearing.len() == before {
            return bearing;
        }
    }
}

fn may_hold(found: &PublicType, bearing: &BTreeSet<String>) -> bool {
    let names: Vec<&str> = bearing
        .intersection(&found.in_sight)
        .filter_map(|path| path.rsplit("::").next())
        .collect();
    found.definition.lines().any(|line| {
        let line = line.trim();
        if line.starts_with("///") || line.starts_with('#') {
            return false;
        }
        // Behind the name of the field or the variant stand the types.
        let line = line
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let types = line.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        let bytes = types.contains("Vec<u8>") || types.contains("[u8]");
        let mut words = types.split(|c: char| !c.is_alphanumeric() && c != '_');
        bytes || words.any(|word| WORDS.contains(&word) || names.contains(&word))
    })
}

#[test]
fn a_type_that_holds_one_that_holds_a_key_is_found() {
    let types = types(&crate::sources::public_types());
    for path in [
        "key::state::Held",
        "key::state::KeyState",
        "key::machine::KeyMachine",
        "journal::fact::JournalFact",
        "worker::callback::KeyChange",
        "repo::batch::Batch",
        "guard::fault::Fault",
    ] {
        assert!(types.contains(path), "{path} is not among {types:?}");
    }
    for path in ["key::facts::KeyFacts", "rotation::fact::Fact"] {
        assert!(!types.contains(path), "{path}");
    }
}
