//! After keys were used and dropped, no copy of them is left in memory that keyward owned.
//!
//! The child never has a key but through keyward: this process writes the key files, and tells the
//! child only disguised pieces of them. What the child finds came out of a file, a pipe or the
//! database, and was left behind by who handled it.
//!
//! Stacks are told apart and not asserted: what moves leave on them is not covered, and said so.
//! The stacks of threads that have ended are given back to the system at once
//! (`glibc.pthread.stack_cache_size=0`), so that none is taken for a buffer.

pub mod allocator;
pub mod control;
mod derived;
pub mod life;
pub mod needles;
pub mod scan;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use keyward::crypto::random::random_bytes;

use crate::child;
use crate::memory::allocator::{Copy, Freed};
use crate::memory::needles::Needles;

/// Each key of the child, and its length: the name of its file. Those that are quoted in texts
/// are texts.
const KEYS: [(&str, usize); 12] = [
    ("master", 96),
    ("documents-forward", 160),
    ("documents-back", 160),
    ("command", 160),
    ("closure", 160),
    ("token", 160),
    ("large", 300 * 1024),
    ("failing", 160),
    ("failing-command", 160),
    ("old", 160),
    ("new", 160),
    ("set", 160),
];

const NEEDLES: &str = "needles";

/// Blocks of any size come from heaps and stay there, and stacks that are done with go.
const TUNABLES: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.pthread.stack_cache_size=0:glibc.malloc.mmap_threshold=33554432:\
     glibc.malloc.trim_threshold=1073741824",
);

/// Writes the keys, and what the child is to look for.
fn prepare(folder: &Path) {
    let mut lines = String::new();
    for (name, length) in KEYS {
        let mut key = Vec::with_capacity(length + 32);
        while key.len() < length {
            // Texts, of characters that mean something to a notation too.
            let random = random_bytes::<32>().expect("random bytes");
            key.extend(random.map(|byte| b'!' + byte % 94));
        }
        key.truncate(length);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(name))
            .expect("a key file");
        file.write_all(&key).expect("a key file");
        lines.push_str(&needles::lines(name, &key));
    }
    let master = folder.join("master");
    for (name, key) in derived::of_a_new_database(&folder.join("data"), &master) {
        lines.push_str(&needles::lines(name, &key));
    }
    fs::write(folder.join(NEEDLES), lines).expect("the needles");
}

/// For a child: begins to look at what is freed.
fn watched_needles(folder: &Path) -> &'static Needles {
    let lines = fs::read_to_string(folder.join(NEEDLES)).expect("the needles");
    let needles: &'static Needles = Box::leak(Box::new(Needles::parse(&lines)));
    allocator::watch(needles);
    needles
}

/// For a child: looks through everything and says what it found.
fn report(needles: &Needles, freed: Freed) {
    let scan = scan::scan(needles, &[]);
    println!("pieces {}", needles.len());
    println!("bytes {}", scan.bytes);
    println!("fragments {}", freed.fragments + scan.fragments);
    for Copy { what, trace } in freed.copies {
        println!("freed {what} by {trace:#?}");
    }
    for copy in &scan.copies {
        println!("left {copy}");
    }
    println!("reported");
}

/// For a child: says how many pieces lie on the stacks of all threads while they run.
fn tell_of_stacks(needles: &Needles) {
    let scan = scan::scan(needles, &scan::stacks());
    println!("stacks {}", scan.pieces_on_stacks);
}

/// What a child reported, by the first word of a line.
fn lines<'a>(output: &'a str, word: &str) -> Vec<&'a str> {
    let lines = output.lines();
    lines
        .filter(|line| line.split(' ').next() == Some(word))
        .collect()
}

fn number(output: &str, word: &str) -> usize {
    let line = lines(output, word);
    let number = line.first().and_then(|line| line.split(' ').nth(1));
    number.expect("it is told").parse().expect("a number")
}

#[test]
fn a_key_that_is_kept_and_one_that_is_freed_unwiped_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let ended = child::run("memory-control", folder.path(), &[TUNABLES]);
    let output = &ended.output;
    assert!(ended.status.success(), "{output}{}", ended.errors);
    let left = lines(output, "left");
    let kept = |line: &&str| line.contains("documents-forward (raw)");
    assert!(left.iter().any(kept), "{output}");
    let freed = lines(output, "freed");
    assert!(!freed.is_empty(), "{output}");
    let whole = |line: &&str| line.contains("closure (raw)");
    assert!(freed.iter().all(whole), "{output}");
    // The block that was freed is found too, without its beginning, which the allocator took.
    assert!(left.iter().any(whole), "{output}");
}

#[test]
fn after_keys_were_used_and_dropped_no_copy_is_left_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let ended = child::run("memory", folder.path(), &[TUNABLES]);
    let output = &ended.output;
    assert!(
        ended.status.success() && output.contains("\nreported\n"),
        "{output}{}",
        ended.errors
    );
    for (what, word) in [
        ("pieces of keys looked for", "pieces"),
        ("bytes of memory looked through", "bytes"),
        (
            "pieces on stacks in the middle of it, not covered",
            "stacks",
        ),
        (
            "less than half a key elsewhere, carried off stacks",
            "fragments",
        ),
    ] {
        println!("{what}: {}", number(output, word));
    }
    assert!(lines(output, "freed").is_empty(), "{output}");
    assert!(lines(output, "left").is_empty(), "{output}");
}
