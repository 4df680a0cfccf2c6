//! The house: which room may use which, where third-party crates may be used, and habits that a
//! machine can check. The map for people is in `src/lib.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may use. Calls and imports go inward only.
const ROOMS: [(&str, &[&str]); 15] = [
    ("secret", &[]),
    ("key", &["secret"]),
    ("rotation", &["secret", "key"]),
    ("store", &["secret"]),
    ("crypto", &["secret"]),
    ("guard", &["secret"]),
    // A child of fork() has no part in the lock of a data folder, and one place knows of forks; and
    // one place knows how errors and foreign texts are shown.
    ("repo", &["secret", "guard"]),
    // A record that cannot be read is told with the space of the repo that it lies in.
    ("operator", &["secret", "key", "rotation", "repo"]),
    (
        "journal",
        &["secret", "key", "rotation", "operator", "crypto", "repo"],
    ),
    // A change may name a store that gives its new keys.
    ("worker", &["secret", "key", "rotation", "store", "guard"]),
    (
        "wire",
        &["secret", "key", "rotation", "operator", "repo", "worker"],
    ),
    (
        "client",
        &[
            "secret", "key", "rotation", "operator", "guard", "worker", "wire",
        ],
    ),
    (
        "actors",
        &[
            "secret", "key", "rotation", "operator", "guard", "store", "journal", "worker",
        ],
    ),
    (
        "management",
        &[
            "secret", "key", "rotation", "operator", "store", "crypto", "guard", "repo", "journal",
            "worker", "actors",
        ],
    ),
    // Of the repo only the type that names a process that holds something.
    (
        "server",
        &[
            "secret",
            "key",
            "rotation",
            "operator",
            "guard",
            "repo",
            "worker",
            "wire",
            "management",
        ],
    ),
];

/// Each third-party crate that has rooms, or files, and these. The others may be used wherever they
/// are of use.
const CRATES: [(&str, &[&str]); 34] = [
    ("rocksdb", &["repo"]),
    ("crc32c", &["repo"]),
    ("chacha20poly1305", &["crypto"]),
    ("hkdf", &["crypto"]),
    ("hmac", &["crypto"]),
    ("sha2", &["crypto"]),
    ("getrandom", &["crypto"]),
    // Below the journal only to show status, reports and listings, with the feature `serde`.
    ("serde", &["key", "rotation", "repo", "journal", "operator"]),
    ("bincode", &["journal"]),
    // What goes over the socket is known where it is translated, served and asked for.
    ("prost", &["wire", "server", "client"]),
    ("tonic", &["wire", "server", "client"]),
    ("tonic_health", &["client", "server"]),
    ("tonic_prost", &["wire", "server", "client"]),
    ("tonic_types", &["wire"]),
    ("http", &["server", "client"]),
    ("http_body", &["server"]),
    ("hyper", &["server", "client"]),
    ("hyper_util", &["server", "client"]),
    ("tower", &["server", "client"]),
    ("memchr", &["secret"]),
    ("subtle", &["secret", "crypto"]),
    (
        "zeroize",
        // In `management` for the crypto tool that panics for tests, in `bin` for the environment of a program
        // that is given keys.
        &[
            "secret",
            "crypto",
            "store",
            "journal",
            "guard",
            "management",
            "bin",
        ],
    ),
    // What an actor is, and its threads, stand in one file: all else knows neither.
    ("actix", &["actors/supervision/actor.rs"]),
    ("async_task", &["guard"]),
    (
        "tokio",
        &[
            "store",
            "guard",
            "worker",
            "client",
            "actors",
            "management",
            "server",
            "bin",
        ],
    ),
    // But in `guard` and `bin` for the macros; what tells the events is in `guard`.
    (
        "tracing",
        &[
            "guard",
            "worker",
            "client",
            "actors",
            "management",
            "server",
            "bin",
        ],
    ),
    (
        "uuid",
        &[
            "key", "rotation", "journal", "worker", "actors", "server", "bin", "lib",
        ],
    ),
    ("clap", &["bin"]),
    ("clap_complete", &["bin"]),
    ("indicatif", &["bin"]),
    ("tracing_subscriber", &["bin"]),
    ("tempfile", &["bin"]),
    ("shlex", &["bin"]),
    ("serde_json", &["bin"]),
];

/// How many lines a file may have, without its unit tests.
const LONGEST: usize = 400;

pub struct Source {
    /// From the root of the repository.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Without comments and unit tests.
    pub code: String,
}

impl Source {
    pub fn room(&self) -> &str {
        self.path
            .trim_start_matches("src/")
            .split(['/', '.'])
            .next()
            .unwrap()
    }

    /// How many folders lie between the file's module and the crate.
    fn depth(&self) -> usize {
        let is_folder = self.path.ends_with("/mod.rs");
        self.path.matches('/').count() - usize::from(is_folder)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(of: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(of)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap();
        if name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

pub fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    files(&root().join("src"), &mut found);
    // What is generated has the form that its generator gives it.
    let generated = root().join("src/wire/generated.rs");
    let sources = found
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs") && *path != generated);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap();
        let is_test = path.components().any(|part| {
            let part = Path::new(part.as_os_str());
            part.file_stem().is_some_and(|stem| stem == "tests")
        });
        Source {
            path: path.to_str().unwrap().to_owned(),
            code: if is_test { String::new() } else { code(&text) },
            text,
        }
    };
    sources.map(read).collect()
}

fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end]
        .lines()
        .map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What follows each `word::` of a code: a name, or each first name of a group in braces.
fn after<'a>(code: &'a str, word: &str) -> Vec<&'a str> {
    let path = format!("{word}::");
    let mut names = Vec::new();
    for (at, _) in code.match_indices(&path) {
        if code[..at]
            .chars()
            .next_back()
            .is_some_and(|c| is_word(c) || c == ':')
        {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            None => names.push(rest.split(|c| !is_word(c)).next().unwrap()),
            Some(group) => first_names(group, &mut names),
        }
    }
    names
}

fn first_names<'a>(group: &'a str, names: &mut Vec<&'a str>) {
    let (mut depth, mut begins) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && is_word(c) => {
                names.push(group[at..].split(|c| !is_word(c)).next().unwrap());
                begins = false;
            }
            _ => {}
        }
    }
}

pub fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_reader_of_paths_sees_every_form_of_them() {
    let code = "use crate::a::{b, c};\nuse crate::{d::e, f::{g, h}, i};\nmycrate::k; (crate::l)";
    assert_eq!(after(code, "crate"), ["a", "d", "f", "i", "l"]);
}

#[test]
fn a_room_uses_only_the_rooms_that_it_may_use() {
    let mut faults = Vec::new();
    for source in sources() {
        let room = source.room();
        if room == "lib" || room == "bin" {
            continue;
        }
        if matches!(room, "docs" | "promises" | "proofs") {
            assert_eq!(after(&source.code, "crate"), [""; 0], "they are words only");
            continue;
        }
        let may = ROOMS.iter().find(|(name, _)| *name == room);
        let Some((_, may)) = may else {
            faults.push(format!("{}: {room} is no room of the table", source.path));
            continue;
        };
        for used in after(&source.code, "crate") {
            if used != room && !may.contains(&used) {
                faults.push(format!("{}: {room} may not use crate::{used}", source.path));
            }
        }
        let out = "super::".repeat(source.depth());
        if source.code.contains(&out) {
            faults.push(format!("{}: {out} leads out of the room", source.path));
        }
    }
    assert_none(&faults);
}

#[test]
fn no_room_uses_another_one_that_uses_it() {
    for (index, (room, uses)) in ROOMS.iter().enumerate() {
        let earlier: BTreeSet<_> = ROOMS[..index].iter().map(|(name, _)| *name).collect();
        for used in *uses {
            assert!(
                earlier.contains(used),
                "{room} uses {used}, which comes later"
            );
        }
    }
}

#[test]
fn every_room_of_the_table_is_a_module_of_the_crate() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules: BTreeSet<&str> = lib
        .lines()
        .filter_map(|line| {
            let line = line.strip_suffix(';')?;
            line.strip_prefix("mod ").or(line.strip_prefix("pub mod "))
        })
        .filter(|name| !["docs", "promises", "proofs"].contains(name))
        .collect();
    let rooms: BTreeSet<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    assert_eq!(modules, rooms);
}

#[test]
fn the_command_line_and_the_examples_use_public_names_only() {
    let mut found = Vec::new();
    files(&root().join("src/bin"), &mut found);
    files(&root().join("examples"), &mut found);
    // The driver of the vectors counts reads of records and plants some, which no program can.
    found.retain(|path| !path.starts_with(root().join("examples/conformance")));
    let mut faults = Vec::new();
    for path in found {
        let code = code(&fs::read_to_string(&path).unwrap());
        for name in after(&code, "keyward") {
            let is_module = name.starts_with(|c: char| c.is_lowercase());
            if is_module
                && !matches!(
                    name,
                    "block_on" | "kid" | "rotations_as_found" | "split" | "tag"
                )
            {
                faults.push(format!("{}: keyward::{name} is not public", path.display()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn a_third_party_crate_is_used_only_in_its_rooms() {
    let mut faults = Vec::new();
    for source in sources() {
        let room = source.room();
        for (name, rooms) in CRATES {
            let used = !after(&source.code, name).is_empty();
            let file = source.path.trim_start_matches("src/");
            if used && !rooms.contains(&room) && !rooms.contains(&file) {
                faults.push(format!("{}: {name} may not be used here", source.path));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn an_event_is_told_only_where_the_subscriber_may_panic_or_block() {
    let mut faults = Vec::new();
    for source in sources() {
        // What tells events, and what watches those that are told.
        let is_theirs = source.path.starts_with("src/guard/event");
        if is_theirs || source.room() == "bin" {
            continue;
        }
        let code: String = source.code.split_whitespace().collect();
        for (at, _) in code.match_indices("tracing::") {
            let before = code[..at].trim_end_matches('{');
            if ![".tell(||", ".tell(move||"]
                .iter()
                .any(|tell| before.ends_with(tell))
            {
                let rest: String = code[at..].chars().take(40).collect();
                faults.push(format!("{}: {rest} is not in events.tell", source.path));
            }
        }
    }
    assert_none(&faults);
}

/// The form of a record is that of its codec alone: another type's can be shown, and never be read back or
/// written down.
#[test]
fn outside_the_codec_serde_only_shows() {
    for source in sources() {
        if source.path.starts_with("src/journal/codec") {
            continue;
        }
        assert!(after(&source.code, "bincode").is_empty(), "{}", source.path);
        for name in after(&source.code, "serde") {
            let shows = matches!(name, "Serialize" | "Serializer");
            assert!(shows, "{}: serde::{name}", source.path);
        }
    }
}

#[test]
fn nothing_below_the_actors_reads_a_clock_or_waits() {
    let mut faults = Vec::new();
    for source in sources() {
        if !matches!(source.room(), "secret" | "key" | "rotation") {
            continue;
        }
        for word in [
            "async fn",
            "async move",
            "Instant::now",
            "SystemTime",
            ".await",
            "mpsc",
            "oneshot",
        ] {
            if source.code.contains(word) {
                faults.push(format!("{}: {word}", source.path));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_is_imported_by_a_glob_outside_of_tests() {
    let mut faults = Vec::new();
    for source in sources() {
        for line in source.code.lines() {
            let line = line.trim_start();
            let import = line.starts_with("use ") || line.starts_with("pub use ");
            if import && line.contains("::*") {
                faults.push(format!("{}: {line}", source.path));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_is_imported_from_the_root_of_the_crate() {
    let mut faults = Vec::new();
    for source in sources() {
        for used in after(&source.code, "crate") {
            if used.chars().next().is_some_and(char::is_uppercase) {
                faults.push(format!("{}: crate::{used}; name its module", source.path));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    let faults: Vec<String> = ["src", "tests", "examples", "benches"]
        .into_iter()
        .flat_map(|folder| {
            let mut found = Vec::new();
            if root().join(folder).exists() {
                files(&root().join(folder), &mut found);
            }
            found
        })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//! "))
        .map(|path| format!("{} does not open with //!", path.display()))
        .collect();
    assert_none(&faults);
}

#[test]
fn every_folder_of_the_library_says_what_must_never_be_in_it() {
    let mut faults = Vec::new();
    for source in sources() {
        let parts = source.path.matches('/').count();
        let says = source.text.to_lowercase().contains("never in here");
        if parts == 2 && source.path.ends_with("/mod.rs") && !says {
            faults.push(format!("{}: say what must never be in here", source.path));
        }
    }
    assert_none(&faults);
}

#[test]
fn no_file_is_long() {
    let mut faults = Vec::new();
    for source in sources() {
        let lines = source.code.lines().count();
        if lines > LONGEST {
            faults.push(format!("{}: {lines} lines", source.path));
        }
    }
    assert_none(&faults);
}

#[test]
fn the_command_line_uses_the_crate_by_its_public_name() {
    for source in sources() {
        if source.room() == "bin" {
            for word in ["#[path", "include!"] {
                assert!(!source.code.contains(word), "{}: {word}", source.path);
            }
        }
    }
}

#[test]
fn no_file_names_a_path_of_a_machine_that_built_it() {
    let needles = [
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["../sha", "red"],
        ["/tmp/k", "w-"],
    ];
    let mut found = Vec::new();
    files(&root(), &mut found);
    let mut faults = Vec::new();
    for path in found {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for needle in needles.map(|parts| parts.concat()) {
            if let Some(line) = text.lines().position(|line| line.contains(&needle)) {
                faults.push(format!("{}:{}: {needle}", path.display(), line + 1));
            }
        }
    }
    assert_none(&faults);
}
