//! Which files of `src/` import themselves through others, and why they may.

use std::collections::{BTreeMap, BTreeSet};

use crate::layers::{Source, is_word, sources};

/// Files that import each other, by themselves or through one another, and why they may. What is new
/// does not belong here: a type that both need goes into a file of its own.
const CIRCLES: [(&[&str], &str); 3] = [
    (
        &["key/attempt", "key/machine", "key/proposal"],
        "the machine of a key: its rules stand in several files, with the types that only they need",
    ),
    (
        &[
            "repo/conformance/back",
            "repo/conformance/backup",
            "repo/conformance/content",
            "repo/conformance/lives",
            "repo/conformance/mod",
            "repo/conformance/threads",
        ],
        "one suite: its parts use what its head gives them, and the head runs them",
    ),
    (
        &[
            "store/file/key_file",
            "store/file/look",
            "store/file/mod",
            "store/file/seen",
            "store/file/write",
        ],
        "one store: looking at its file, and writing it, stand in files of their own",
    ),
];

/// The paths that begin with `word::`, as the names behind it; a group in braces gives a path each.
fn paths(code: &str, word: &str) -> Vec<Vec<String>> {
    let start = format!("{word}::");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        if !before.is_some_and(|c| is_word(c) || c == ':') {
            expand(&code[at + start.len()..], &[], &mut found);
        }
    }
    found
}

/// Adds the paths that begin here; answers where they end.
fn expand(text: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    let mut at = 0;
    loop {
        if text[at..].starts_with('{') {
            at += 1;
            while !text[at..].starts_with('}') {
                let rest = &text[at..];
                let c = rest.chars().next().unwrap();
                at += if is_word(c) || c == '{' {
                    expand(rest, &path, found)
                } else {
                    c.len_utf8()
                };
            }
            return at + 1;
        }
        let name: String = text[at..].chars().take_while(|c| is_word(*c)).collect();
        at += name.len();
        if !name.is_empty() && name != "self" {
            path.push(name);
        }
        match text[at..].strip_prefix("::") {
            Some(rest) if rest.starts_with(|c| is_word(c) || c == '{') => at += 2,
            _ => break,
        }
    }
    found.push(path);
    at
}

/// The module that a file is, from the root of its crate: the library or the program.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut names: Vec<String> = path.split('/').map(str::to_owned).collect();
    if matches!(
        names.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        names.pop();
    }
    names
}

/// Each file with the files that it imports from.
fn imports(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let files: BTreeMap<Vec<String>, &str> = sources
        .iter()
        .map(|source| (module(&source.path), source.path.as_str()))
        .collect();
    let mut all = BTreeMap::new();
    for source in sources {
        let here = module(&source.path);
        let root = if source.room() == "bin" { 2 } else { 0 };
        let mut named: Vec<Vec<String>> = Vec::new();
        let mut add = |base: &[String], paths: Vec<Vec<String>>| {
            named.extend(paths.into_iter().map(|path| [base, &path].concat()));
        };
        add(&here[..root.min(here.len())], paths(&source.code, "crate"));
        add(&here, paths(&source.code, "self"));
        if let Some((_, parent)) = here.split_last() {
            add(parent, paths(&source.code, "super"));
        }
        // A folder's own file names the files in it without `self`.
        for child in files
            .keys()
            .filter(|m| m.len() == here.len() + 1 && m.starts_with(&here))
        {
            let name = child.last().unwrap();
            add(child, paths(&source.code, name));
        }
        let file = |path: &Vec<String>| {
            let mut lengths = (0..=path.len()).rev();
            lengths.find_map(|length| files.get(&path[..length]).copied())
        };
        let used: BTreeSet<&str> = named.iter().filter_map(file).collect();
        all.insert(source.path.as_str(), used);
    }
    all
}

/// The files that one imports, itself through others too.
fn reached<'a>(from: &str, imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut todo: Vec<&str> = imports[from]
        .iter()
        .copied()
        .filter(|to| *to != from)
        .collect();
    while let Some(next) = todo.pop() {
        if reached.insert(next) {
            todo.extend(imports[next].iter().copied());
        }
    }
    reached
}

/// The circles: files that import each other, by themselves or through others of them.
fn circles(sources: &[Source]) -> BTreeSet<BTreeSet<String>> {
    let imports = imports(sources);
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports
        .keys()
        .map(|file| (*file, reached(file, &imports)))
        .collect();
    let circle = |file: &&str| {
        let both = reached[file]
            .iter()
            .filter(|other| reached[**other].contains(file));
        both.map(|other| (*other).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let circles = reached.keys().map(circle);
    circles.filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn the_reader_of_imports_sees_every_form_of_them() {
    let code = "use crate::a::{b::C, d::{self, E}};\nmycrate::k; (crate::l::m()) crate::n::<T>";
    let found: Vec<String> = paths(code, "crate").iter().map(|p| p.join("::")).collect();
    assert_eq!(found, ["a::b::C", "a::d", "a::d::E", "l::m", "n"]);
    let file = |path: &str, code: &str| Source {
        path: format!("src/{path}.rs"),
        text: String::new(),
        code: code.to_owned(),
    };
    let sources = [
        file("a/mod", "mod b; use b::C;"),
        file("a/b", "use super::D; use crate::e::F;"),
        file("e", "use crate::g::H;"),
        file("g", "use crate::e::F;"),
        file("i", "use crate::a::b::C; use crate::i::J;"),
    ];
    let expected = [["src/a/b.rs", "src/a/mod.rs"], ["src/e.rs", "src/g.rs"]];
    let expected = expected.map(|circle| BTreeSet::from(circle.map(str::to_owned)));
    assert_eq!(circles(&sources), BTreeSet::from(expected));
}

#[test]
fn no_file_imports_itself_through_others() {
    let allowed = CIRCLES.map(|(files, _)| {
        let files = files.iter().map(|file| format!("src/{file}.rs"));
        files.collect::<BTreeSet<String>>()
    });
    // Neither more circles nor fewer: a circle that is gone leaves the list.
    assert_eq!(circles(&sources()), BTreeSet::from(allowed));
}
