//! What the sources have: every error type with its variants and codes, and every public type.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A type that has codes.
pub struct ErrorType {
    /// Its name.
    pub name: String,
    /// Its variants; a struct is its own.
    pub variants: Vec<String>,
    /// What the text of each has, in this order, between what it is filled in with.
    pub texts: BTreeMap<String, Vec<String>>,
    /// The codes in its `code()`.
    pub codes: BTreeSet<String>,
    /// Whether it is the binary's.
    pub of_the_binary: bool,
}

struct Source {
    path: PathBuf,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read_all(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // Of the messages one may hold a key, and has its own `Debug`: `src/wire/tests` looks at it.
            if path.ends_with("wire/generated.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            // Unit tests come last.
            let text = text
                .split("\n#[cfg(test)]\nmod ")
                .next()
                .unwrap_or_default();
            let text = text.to_owned();
            found.push(Source { path, text });
        }
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    read_all(&root(), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// What stands between the first brace and the one that closes it.
fn block(text: &str) -> &str {
    let begin = text.find('{').map_or(text.len(), |at| at + 1);
    let mut depth = 1;
    let inside = text[begin..].char_indices().find(|(_, character)| {
        depth += match character {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    });
    inside.map_or("", |(length, _)| &text[begin..begin + length])
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Every type that has a `code()`.
pub fn errors() -> Vec<ErrorType> {
    let mut errors = Vec::new();
    let all = sources();
    let declares = |text: &str, name: &str| {
        let kinds = ["enum", "struct"].into_iter();
        let ends = [" {", "<", ";", "("];
        let mut heads = kinds.flat_map(|kind| ends.map(|end| format!("pub {kind} {name}{end}")));
        heads.any(|head| text.contains(&head))
    };
    for Source { path, text } in &all {
        let mut from = 0;
        while let Some(at) = text[from..].find("fn code(&self)") {
            let at = from + at;
            from = at + 1;
            let implemented = text[..at].rfind("\nimpl").expect("a method has an impl");
            let of = &text[implemented + 5..];
            let of = if of.starts_with('<') {
                &of[of.find('>').expect("an end of the generics") + 1..]
            } else {
                of
            };
            let name = word(of.trim_start());
            let codes = block(&text[at..]).split('"').skip(1).step_by(2);
            // The codes of a long one stand in a file beside it.
            let other = || all.iter().find(|other| declares(&other.text, name));
            let declared = match declares(text, name) {
                true => text,
                false => other().map_or(text, |other| &other.text),
            };
            errors.push(ErrorType {
                name: name.to_owned(),
                texts: texts(declared, name),
                variants: variants(declared, name),
                codes: codes.map(str::to_owned).collect(),
                of_the_binary: path.starts_with(root().join("bin")),
            });
        }
    }
    errors
}

/// The variants of an enum, as rustfmt indents them.
fn variants(text: &str, name: &str) -> Vec<String> {
    let generic = || text.find(&format!("pub enum {name}<"));
    let Some(at) = text.find(&format!("pub enum {name} {{")).or_else(generic) else {
        return vec![name.to_owned()];
    };
    let lines = block(&text[at..]).lines();
    let variant = lines.filter_map(|line| line.strip_prefix("    "));
    let variant = variant.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    variant.map(|line| word(line).to_owned()).collect()
}

/// What `#[error("…")]` says of each variant, or of the struct.
fn texts(text: &str, name: &str) -> BTreeMap<String, Vec<String>> {
    let generic = || text.find(&format!("pub enum {name}<"));
    let declared = text.find(&format!("pub enum {name} {{")).or_else(generic);
    let variants = variants(text, name).into_iter().filter_map(|variant| {
        let (from, at) = match declared {
            Some(from) => (from, from + text[from..].find(&format!("\n    {variant}"))?),
            None => (0, text.find(&format!("pub struct {name}"))?),
        };
        let attribute = &text[from + text[from..at].rfind("#[error(")? + "#[error(".len()..at];
        let pieces = match attribute.trim_start().strip_prefix('"') {
            Some(literal) => pieces(literal),
            None => Vec::new(),
        };
        Some((variant, pieces))
    });
    variants.collect()
}

/// What stands between the braces of a literal, whose first quote is gone.
fn pieces(literal: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = literal.chars().peekable();
    while let Some(character) = rest.next() {
        match (character, rest.peek()) {
            ('"', _) => break,
            ('\\', Some('\n')) => while rest.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some(_)) => pieces.last_mut().expect("one").extend(rest.next()),
            ('{', _) => {
                rest.by_ref().find(|c| *c == '}');
                pieces.push(String::new());
            }
            (character, _) => pieces.last_mut().expect("one").push(character),
        }
    }
    pieces
}

/// A type that a program can name.
#[derive(Debug)]
pub struct PublicType {
    /// What its definition says of its fields.
    pub definition: String,
    /// The paths of the types that its file imports, and of those beside it.
    pub in_sight: BTreeSet<String>,
}

/// Every type that a program can name, by its path in the crate.
pub fn public_types() -> BTreeMap<String, PublicType> {
    let sources = sources();
    let mut types = BTreeMap::new();
    let lib = fs::read_to_string(root().join("lib.rs")).expect("text");
    let exported = paths_after(&lib, "\npub use ");
    for Source { path, text } in &sources {
        let module = path.strip_prefix(root()).expect("it lies there");
        let module = module.with_extension("").display().to_string();
        let module = module.trim_end_matches("/mod").replace('/', "::");
        if module == "lib" || module.starts_with("bin") {
            continue;
        }
        let open = is_public(&module);
        let own = types_of(text);
        let mut in_sight = paths_after(text, "\nuse crate::");
        in_sight.extend(own.iter().map(|(name, _)| format!("{module}::{name}")));
        for (name, definition) in own {
            let path = format!("{module}::{name}");
            if open || exported.contains(&path) {
                let in_sight = in_sight.clone();
                let found = PublicType {
                    definition,
                    in_sight,
                };
                types.insert(path, found);
            }
        }
    }
    types
}

/// The paths that follow these words; names in braces are taken apart.
fn paths_after(text: &str, words: &str) -> BTreeSet<String> {
    let imports = text.split(words).skip(1);
    imports
        .flat_map(|import| paths(import.split(';').next().unwrap_or_default()))
        .collect()
}

/// The paths of an import.
fn paths(import: &str) -> Vec<String> {
    let Some((module, names)) = import.trim().split_once("::{") else {
        return vec![import.trim().to_owned()];
    };
    let mut depth = 0;
    let names = names.trim_end().strip_suffix('}').unwrap_or(names);
    let names = names.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let within = |name: String| match module {
        "self" => name,
        module => format!("{module}::{name}"),
    };
    names.flat_map(paths).map(within).collect()
}

/// Whether each part of the path is a public module of the part before it.
fn is_public(module: &str) -> bool {
    let parts: Vec<&str> = module.split("::").collect();
    (0..parts.len()).all(|at| {
        let parent: PathBuf = parts[..at].iter().collect();
        let file = match at {
            0 => root().join("lib.rs"),
            _ => root().join(parent).join("mod.rs"),
        };
        let text = fs::read_to_string(file).expect("a module's file");
        let open = format!("pub mod {};", parts[at]);
        text.lines().any(|line| line.trim() == open)
    })
}

/// The public types of a file: at the margin, or made by a macro that is called at the margin.
fn types_of(text: &str) -> Vec<(String, String)> {
    let mut types = Vec::new();
    for kind in ["\npub struct ", "\npub enum ", "\npub union "] {
        for (at, _) in text.match_indices(kind) {
            let rest = &text[at + kind.len()..];
            let definition = match rest.find(['{', ';']) {
                Some(end) if rest[end..].starts_with('{') => block(rest),
                Some(end) => &rest[..end],
                None => rest,
            };
            types.push((word(rest).to_owned(), definition.to_owned()));
        }
    }
    if let Some(at) = text.find("pub struct $name") {
        let definition = text[at..].lines().next().unwrap_or_default();
        for (at, _) in text.match_indices("\nname!(") {
            let name = word(text[at + 7..].trim_start());
            types.push((name.to_owned(), definition.to_owned()));
        }
    }
    types
}

#[test]
fn the_sources_are_read_as_they_are_written() {
    let types = public_types();
    for path in [
        "secret::value::SecretKeyValue",
        "key::name::WorkerName",
        "repo::conformance::Check",
        "operator::status::WorkerStatus",
    ] {
        assert!(types.contains_key(path), "{path} is not among {types:?}");
    }
    assert!(!types.contains_key("actors::overview::Overview"));
    assert!(!types.contains_key("journal::vault::Vault"));
    assert!(types.len() > 100, "{}", types.len());
    let held = &types["key::state::Held"];
    assert!(held.definition.contains("SecretKeyPair"));
    let pair = "secret::value::SecretKeyPair";
    assert!(held.in_sight.contains(pair), "{held:?}");

    let errors = errors();
    let of = |name: &str| errors.iter().find(|error| error.name == name).expect(name);
    assert_eq!(
        of("Fault").variants,
        ["TimedOut", "Panicked", "NoThread", "ThreadRefused", "Gone"]
    );
    assert_eq!(of("MustNotBlock").variants, ["MustNotBlock"]);
    let text = &of("Fault").texts["TimedOut"];
    assert_eq!(*text, ["it did not answer within its time limit of ", ""]);
    let text = &of("MustNotBlock").texts["MustNotBlock"];
    assert!(text[0].ends_with("use the async form, or a blocking store or callback"));
    let without = |error: &&ErrorType| error.texts.len() < error.variants.len();
    assert!(errors.iter().find(without).is_none());
    assert!(of("KeyError").codes.contains("state_unreadable"));
    assert!(of("DemoError").of_the_binary);
    assert!(errors.len() >= 13, "{}", errors.len());
}
