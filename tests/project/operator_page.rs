//! The operator's page has every sentence that `keyward status` can say, and no other.

use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../src/docs/operator.md");
const NEEDS: &str = include_str!("../../src/bin/keyward/shown/needs.rs");
const STATUS: &str = include_str!("../../src/bin/keyward/shown/status.rs");
const STATES: &str = include_str!("../../src/bin/keyward/shown/state.rs");
const WORKERS: &str = include_str!("../../src/bin/keyward/shown/workers.rs");
const INSTANCES: &str = include_str!("../../src/operator/shown.rs");
const WAITS: &str = include_str!("../../src/rotation/shown.rs");

/// The texts of a program's file, with a gap for whatever is filled in.
fn texts(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let code: Vec<&str> = code.lines().filter(|line| !is_comment(line)).collect();
    let code = code.join("\n").replace("\\\"", "");
    let quoted = code.split('"').skip(1).step_by(2);
    quoted.map(|text| with_gaps(&on_one_line(text))).collect()
}

/// A text whose source goes on after a backslash at the end of a line.
fn on_one_line(text: &str) -> String {
    let mut parts = text.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| whole + part.trim_start())
}

fn with_gaps(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        shown.push_str(before);
        shown.push('…');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    shown + rest
}

/// The texts of the function that has this line, up to the next line that closes it.
fn part<'a>(source: &'a str, from: &str) -> &'a str {
    let (_, part) = source.split_once(from).expect(from);
    part.split("\n}\n").next().unwrap()
}

fn begins_as_a_sentence(text: &&String) -> bool {
    text.starts_with(char::is_uppercase) && text.contains(' ') && text.ends_with(['.', ':'])
}

/// What stands first in the rows of the table of sentences.
fn rows() -> BTreeSet<String> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| *"));
    let sentences = rows.map(|row| row.split("* |").next().unwrap());
    sentences.map(str::to_owned).collect()
}

#[test]
fn the_operators_page_has_each_sentence_that_status_says_and_no_other() {
    let said: Vec<String> = [texts(NEEDS), texts(STATUS)].concat();
    let mut said: BTreeSet<&String> = said.iter().filter(begins_as_a_sentence).collect();
    assert!(said.len() > 20, "{said:?}");
    // With one thing it is said in the singular.
    said.retain(|text| *text != "A person is needed, for 1 thing:");
    let rows = rows();
    let in_tables = |text: &str| PAGE.contains(&format!("*{text}*"));
    let untold: Vec<_> = said
        .iter()
        .filter(|text| !in_tables(text) && !rows.iter().any(|row| text.starts_with(ends_open(row))))
        .collect();
    assert!(untold.is_empty(), "the page lacks these: {untold:#?}");
    let unsaid: Vec<_> = rows
        .iter()
        .filter(|row| !said.iter().any(|text| text.starts_with(ends_open(row))))
        .collect();
    assert!(unsaid.is_empty(), "status never says these: {unsaid:#?}");
}

/// A row whose end is open.
fn ends_open(row: &str) -> &str {
    row.trim_end_matches('…')
}

#[test]
fn the_operators_page_explains_each_word_of_the_tables_of_status() {
    let mut words: Vec<String> = texts(part(STATUS, "\nfn keys("));
    words.extend(texts(part(STATUS, "\nfn actors(")));
    words.extend(texts(part(STATES, "pub fn words(")));
    words.extend(texts(part(WORKERS, "pub fn table(")));
    words.extend(texts(part(
        INSTANCES,
        "impl fmt::Display for InstanceStatus",
    )));
    words.extend(texts(part(WAITS, "impl fmt::Display for WaitsFor")));
    let is_word = |text: &&String| text.chars().filter(|c| c.is_alphabetic()).count() > 1;
    let told = |text: &str| {
        let parts = text.split(|c: char| "…(),;".contains(c)).map(str::trim);
        parts
            .filter(|part| part.len() > 1)
            .all(|part| PAGE.contains(part))
    };
    let words: Vec<&String> = words.iter().filter(is_word).collect();
    assert!(words.len() > 40, "{words:?}");
    let untold: Vec<_> = words.iter().filter(|text| !told(text)).collect();
    assert!(untold.is_empty(), "the page lacks these: {untold:#?}");
}

#[test]
fn the_texts_of_a_file_are_read_as_they_are_written() {
    let code = "// \"no\"\nf(\"Rotation {id} is \\\n     {state:<3}.\");\n#[cfg(test)]\n\"no\"";
    assert_eq!(texts(code), ["Rotation … is …."]);
}
