//! Every promise of `src/promises.md` names a test that exists, or says that there is none yet.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const PROMISES: &str = include_str!("../../src/promises.md");
const NO_TEST: &str = "(no test yet)";

/// How many promises no test shows. It only ever falls.
const WITHOUT_A_TEST: usize = 1;

/// The promises: each list item, on one line.
fn promises() -> Vec<String> {
    let mut promises: Vec<String> = Vec::new();
    let mut inside = false;
    for line in PROMISES.lines() {
        if let Some(begun) = line.strip_prefix("- ") {
            promises.push(begun.to_owned());
            inside = true;
        } else if line.is_empty() || line.starts_with('#') {
            inside = false;
        } else if inside {
            let promise = promises.last_mut().unwrap();
            promise.push(' ');
            promise.push_str(line.trim());
        }
    }
    promises
}

/// The tests that a promise names: file and function.
fn named(promise: &str) -> Vec<(&str, &str)> {
    let quoted = promise.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|quoted| quoted.split_once(".rs::"))
        .collect()
}

fn sources(of: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(of).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.insert(path, text);
        }
    }
}

/// Whether a text has this function as a test that is run.
fn has_test(text: &str, test: &str) -> bool {
    let Some(at) = text.find(&format!("fn {test}(")) else {
        return false;
    };
    // Inside `proptest!` the attribute stands there as well.
    let before = &text[..at];
    let above = &before[before.rfind("\n\n").unwrap_or(0)..];
    let is_test = above.contains("#[test]") || above.contains("#[tokio::test");
    is_test && !above.contains("#[ignore")
}

#[test]
fn every_test_that_a_promise_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    for folder in ["src", "tests"] {
        sources(&root.join(folder), &mut files);
    }
    let mut missing = Vec::new();
    for promise in promises() {
        for (file, test) in named(&promise) {
            let name = format!("{file}.rs");
            let found = files
                .iter()
                .any(|(path, text)| path.ends_with(&name) && has_test(text, test));
            if !found {
                missing.push(format!("{name}::{test}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
}

#[test]
fn every_promise_names_a_test_or_says_that_there_is_none() {
    let mut without = 0;
    for promise in promises() {
        let marked = promise.contains(NO_TEST);
        let names = !named(&promise).is_empty();
        assert!(marked != names, "one of the two: {promise}");
        without += usize::from(marked);
    }
    assert_eq!(without, WITHOUT_A_TEST);
}

#[test]
fn the_promises_are_read_as_they_are_written() {
    assert!(promises().len() > 60, "{}", promises().len());
    let promise = "It holds `x`. `a/b.rs::c`, `d.rs::e`";
    assert_eq!(named(promise), [("a/b", "c"), ("d", "e")]);
    assert!(has_test("\n\n#[test]\nfn a_b() {", "a_b"));
    assert!(!has_test("\n\n#[test]\nfn a() {}\n\nfn b() {", "b"));
    assert!(!has_test("\n\n#[test]\n#[ignore]\nfn a() {", "a"));
}
