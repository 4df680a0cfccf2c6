//! `Debug` of every public type, on one line and on many, with keys in every value that can hold one.
//!
//! The sources say which types there are: a new one is missing here until a value of it is
//! shown, or a reason is given why it cannot hold a key; its definition must bear that out.

mod bearing;
mod machines;
mod managers;
mod without;

use std::any::{type_name, type_name_of_val};
use std::collections::BTreeSet;
use std::fmt::Debug;

use crate::heard::{Said, log};
use crate::sources;

/// What was shown, and what need not be.
#[derive(Default)]
struct Shown {
    said: Said,
    /// Types with a value, or a part of one, that was shown.
    shown: BTreeSet<String>,
    /// Types that have no `Debug`.
    silent: BTreeSet<String>,
    /// Types that cannot hold a key.
    without: BTreeSet<String>,
}

/// The path of a type in the crate.
fn path(name: &str) -> String {
    let name = name.split('<').next().unwrap_or_default();
    name.trim_start_matches("keyward::").to_owned()
}

impl Shown {
    /// Shows a value.
    fn value<T: Debug>(&mut self, value: &T) {
        self.said.add(value);
        self.shown.insert(path(type_name_of_val(value)));
    }

    /// Shows a value, in which one of another type is seen.
    fn with_part<T: Debug>(&mut self, value: &T, part: &str, seen: &str) {
        let text = format!("{value:?}");
        assert!(text.contains(seen), "{text}");
        self.value(value);
        self.shown.insert(part.to_owned());
    }

    /// A type without `Debug`.
    fn silent<T>(&mut self, has_debug: bool) {
        let path = path(type_name::<T>());
        assert!(!has_debug, "{path} has Debug now: show a value of it");
        self.silent.insert(path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_of_no_public_type_shows_a_key() {
    let log = log();
    let mut shown = Shown::default();
    machines::all(&mut shown);
    managers::all(&mut shown).await;
    without::all(&mut shown);
    // Every variant of these is shown in the test of the errors.
    let types = sources::public_types();
    let errors = sources::errors();
    let is_error = |path: &&String| {
        let name = path.rsplit("::").next();
        errors.iter().any(|error| Some(error.name.as_str()) == name)
    };
    let errors: BTreeSet<String> = types.keys().filter(is_error).cloned().collect();

    let mut known = BTreeSet::new();
    for set in [&shown.shown, &shown.silent, &shown.without, &errors] {
        known.extend(set.iter().cloned());
    }
    let all: BTreeSet<String> = types.keys().cloned().collect();
    let missing: Vec<_> = all.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "show a value of each in tests/secrets/types, or say why it cannot hold a key: {missing:#?}"
    );
    let mut listed = shown.silent.union(&shown.without);
    let gone: Vec<_> = listed
        .by_ref()
        .filter(|path| !all.contains(*path))
        .collect();
    assert!(gone.is_empty(), "there is no such type: {gone:?}");
    let bearing = bearing::types(&types);
    let wrong: Vec<_> = shown.without.intersection(&bearing).collect();
    assert!(wrong.is_empty(), "these may hold a key: {wrong:?}");

    shown.said.assert_clean();
    let all = shown.said.all();
    assert!(all.matches("***").count() > 100, "{all}");
    log.assert_clean();
    println!(
        "types: {}, shown: {}, errors: {}, without Debug: {}, that cannot hold a key: {}",
        types.len(),
        shown
            .shown
            .intersection(&types.keys().cloned().collect())
            .count(),
        errors.len(),
        shown.silent.len(),
        shown.without.len()
    );
}
