//! A look through all memory of this process that can have been written.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::memory::needles::{Needles, PIECE, Tracker};

/// How much is read at once, in bytes.
const CHUNK: usize = 1 << 20;

/// What was looked through, and what was found.
#[derive(Default)]
pub struct Scan {
    /// How many bytes could have been written, without stacks.
    pub bytes: usize,
    /// The keys that were found elsewhere than on stacks, and where.
    pub copies: Vec<String>,
    /// How many mappings that are no stacks had less than half a key.
    pub fragments: usize,
    /// How many pieces were found on stacks.
    pub pieces_on_stacks: usize,
}

struct Mapping {
    start: usize,
    end: usize,
    line: String,
}

impl Mapping {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let rights = words.next()?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        // What cannot be written has no copy of a key: the program's own text and constants are left out.
        rights.starts_with("rw").then_some(Self {
            start: address(start)?,
            end: address(end)?,
            line: line.to_owned(),
        })
    }
}

/// An address on the stack of each thread that waits in a system call.
pub fn stacks() -> Vec<usize> {
    let tasks = fs::read_dir("/proc/self/task").expect("a process may see its threads");
    let pointer = |path: std::path::PathBuf| {
        let line = fs::read_to_string(path.join("syscall")).ok()?;
        let pointer = line.split_whitespace().rev().nth(1)?;
        usize::from_str_radix(pointer.trim_start_matches("0x"), 16).ok()
    };
    let tasks = tasks.map(|task| task.expect("a thread").path());
    tasks.filter_map(pointer).collect()
}

/// Looks through everything. The main thread's stack, the caller's, and these, are told apart.
pub fn scan(needles: &Needles, stacks: &[usize]) -> Scan {
    let memory = File::open("/proc/self/mem").expect("a process may read its own memory");
    let maps = fs::read_to_string("/proc/self/maps").expect("a process may read its own map");
    let mut chunk = vec![0_u8; CHUNK];
    let here = std::ptr::from_ref(&maps).addr();
    let mut scan = Scan::default();
    for mapping in maps.lines().filter_map(Mapping::parse) {
        let range = mapping.start..mapping.end;
        let mut stacks = stacks.iter().chain([&here]);
        let on_stack =
            mapping.line.ends_with("[stack]") || stacks.any(|stack| range.contains(stack));
        let mut tracker = Tracker::new();
        let mut pieces = 0;
        read(&memory, &mapping, &mut chunk, |bytes, start| {
            // SAFETY: this is a slice.
            unsafe {
                needles.find(bytes.as_ptr(), bytes.len(), |needle, at| {
                    tracker.found(needles, needle, start + at);
                    pieces += 1;
                });
            }
        });
        if on_stack {
            scan.pieces_on_stacks += pieces;
            continue;
        }
        scan.bytes += mapping.end - mapping.start;
        let found = |name| format!("{name} in {}", mapping.line);
        scan.copies.extend(tracker.copies(needles).map(found));
        scan.fragments += tracker.fragments(needles).count();
    }
    scan
}

/// Shows what lies in a mapping, chunk by chunk; a piece lies whole in one of them, and in one only.
fn read(memory: &File, mapping: &Mapping, chunk: &mut [u8], mut show: impl FnMut(&[u8], usize)) {
    let mut at = mapping.start;
    while at < mapping.end {
        let wanted = chunk.len().min(mapping.end - at);
        // What has no page behind it cannot be read, and holds nothing.
        let Ok(read) = memory.read_at(&mut chunk[..wanted], at as u64) else {
            break;
        };
        show(&chunk[..read], at);
        // The place of the chunk is looked through too; it must not hold what it held before.
        chunk.fill(0);
        if read < wanted || at + read >= mapping.end {
            break;
        }
        at += read - (PIECE - 1);
    }
}
