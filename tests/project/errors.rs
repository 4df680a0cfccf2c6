//! Error codes: each that an `# Errors` section names, or an error answers, is in the list of the docs,
//! and the list has no other.

use std::collections::BTreeSet;

use crate::layers::{assert_none, is_word, sources};

const LISTED: &str = include_str!("../../src/docs/errors.md");

/// What `# Errors` sections quote beside codes.
const NO_CODES: [&str; 8] = [
    "None",
    "await",
    "close",
    "f",
    "is_retriable",
    "main",
    "open",
    "reopen",
];

/// Parts of a text between backticks, where they are one word and no link.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split('`').skip(1).step_by(2);
    let links = text.split('`').step_by(2);
    let of_words = parts.zip(links).filter(|(part, before)| {
        !before.ends_with('[') && !part.is_empty() && part.chars().all(is_word)
    });
    of_words.map(|(part, _)| part)
}

/// The codes of the list: those in the first cell of each row.
fn listed() -> BTreeSet<&'static str> {
    let rows = LISTED.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split(" | ").next().unwrap());
    cells.flat_map(quoted).collect()
}

/// The `# Errors` sections of a file, each as one line of text.
fn sections(text: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let comment = line.trim_start().strip_prefix("///").map(str::trim);
        match comment {
            Some("# Errors") => {
                sections.push(String::new());
                inside = true;
            }
            Some(comment) if inside && !comment.starts_with("# ") => {
                let section = sections.last_mut().unwrap();
                section.push_str(comment);
                section.push(' ');
            }
            Some(_) | None => inside = false,
        }
    }
    sections
}

#[test]
fn each_code_that_an_errors_section_names_is_in_the_list_of_the_docs() {
    let listed = listed();
    let mut faults = Vec::new();
    let mut named = 0;
    for source in sources() {
        for section in sections(&source.text) {
            for code in quoted(&section).filter(|word| !NO_CODES.contains(word)) {
                named += 1;
                if !listed.contains(code) {
                    faults.push(format!("{}: `{code}` in: {section}", source.path));
                }
            }
        }
    }
    assert_none(&faults);
    assert!(named > 300, "only {named} codes were found: are they read?");
}

#[test]
fn the_list_of_the_docs_has_the_codes_that_errors_answer_and_no_other() {
    let listed = listed();
    let (mut answered, mut words) = (BTreeSet::new(), BTreeSet::new());
    let sources = sources();
    // The command line has a page of its own.
    for source in sources.iter().filter(|source| source.room() != "bin") {
        let code = &source.code;
        words.extend(code.split('"').skip(1).step_by(2));
        for (at, _) in code.match_indices("fn code(&self) -> &'static str {") {
            let body = &code[at..];
            let body = &body[..body.find("\n    }\n").unwrap_or(body.len())];
            answered.extend(body.split('"').skip(1).step_by(2));
        }
    }
    let missing: Vec<_> = answered.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&words).collect();
    assert!(missing.is_empty(), "not in the list: {missing:?}");
    assert!(unknown.is_empty(), "no error answers these: {unknown:?}");
}
