//! The allocator of these tests: in a child that says so it looks at every block that is given
//! back. A buffer that is freed with a key in it is found at that moment, and not by the chance that
//! nothing has used the block again when memory is searched at the end.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::memory::needles::{Needles, Tracker};

#[global_allocator]
static ALLOCATOR: Watched = Watched;

static WATCH: AtomicPtr<Watch> = AtomicPtr::new(std::ptr::null_mut());

/// How many finds are told with the place that freed the block.
const MOST_TRACES: usize = 8;

thread_local! {
    /// Whether this thread is looking already: what looking itself frees is not looked at.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

struct Watch {
    needles: &'static Needles,
    found: Mutex<Freed>,
}

/// What was freed with keys in it.
#[derive(Default)]
pub struct Freed {
    /// Whole keys.
    pub copies: Vec<Copy>,
    /// How many blocks had less than half a key.
    pub fragments: usize,
}

/// A key in a block that was freed.
pub struct Copy {
    /// Which, and in what block.
    pub what: String,
    /// Who freed it: the functions of keyward and of this test, the innermost first.
    pub trace: Vec<String>,
}

/// Looks at every block that is given back from now on.
pub fn watch(needles: &'static Needles) {
    let found = Mutex::default();
    let watch = Box::leak(Box::new(Watch { needles, found }));
    WATCH.store(watch, Ordering::SeqCst);
}

/// What was freed with a key in it so far.
pub fn freed() -> Freed {
    let Some(watch) = watched() else {
        return Freed::default();
    };
    let mut found = watch.found.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut found)
}

fn watched() -> Option<&'static Watch> {
    let watch = WATCH.load(Ordering::Acquire);
    // SAFETY: it is null, or was leaked by `watch` and is shared only.
    unsafe { watch.as_ref() }
}

struct Watched;

// SAFETY: every block is the system allocator's, of the layout that was asked for.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        look(block, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if watched().is_none() {
            // SAFETY: as the caller promises.
            return unsafe { System.realloc(block, layout, size) };
        }
        // Always to a new place: a buffer that grows leaves what it held behind.
        // SAFETY: the caller promises that the size fits the alignment, and both blocks are there.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

fn look(block: *const u8, size: usize) {
    let Some(watch) = watched() else {
        return;
    };
    if LOOKING.replace(true) {
        return;
    }
    let mut tracker = None;
    // SAFETY: the block is the caller's until this returns.
    unsafe {
        watch.needles.find(block, size, |needle, at| {
            let tracker = tracker.get_or_insert_with(Tracker::new);
            tracker.found(watch.needles, needle, at);
        });
    }
    if let Some(tracker) = tracker {
        let mut found = watch.found.lock().unwrap_or_else(PoisonError::into_inner);
        for copy in tracker.copies(watch.needles) {
            let trace = match found.copies.len() {
                told if told < MOST_TRACES => trace(),
                _ => Vec::new(),
            };
            let what = format!("{copy} in a block of {size} bytes");
            found.copies.push(Copy { what, trace });
        }
        found.fragments += tracker.fragments(watch.needles).count();
    }
    LOOKING.set(false);
}

fn trace() -> Vec<String> {
    let trace = Backtrace::force_capture().to_string();
    let ours = |line: &&str| line.contains("keyward::") || line.contains("secrets::");
    let lines = trace
        .lines()
        .filter(ours)
        .map(|line| line.trim().to_owned());
    // The first ones are this allocator.
    let lines = lines.skip_while(|line| line.contains("memory::"));
    lines.take(12).collect()
}
