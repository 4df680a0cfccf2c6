//! How much memory one thread has at most while it does something.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// Bytes that this thread has taken and not given back.
    static NOW: Cell<isize> = const { Cell::new(0) };
    /// The most of them since the count began.
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(more: usize, less: usize) {
    // A thread that ends has no counters any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get().wrapping_add_unsigned(more));
        let _ = MOST.try_with(|most| most.set(most.get().max(now.get())));
        now.set(now.get().wrapping_sub_unsigned(less));
    });
}

// SAFETY: each call is the system's own; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps to what the trait asks of it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps to what the trait asks of it.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both exist while the old one is copied.
        count(size, layout.size());
        // SAFETY: the caller keeps to what the trait asks of it.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller keeps to what the trait asks of it.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Does something with an input, and panics where it takes more memory than so many bytes for each byte of the
/// input, and so many for what does not grow with it.
pub fn within<T>(
    (bytes_a_byte, fixed): (usize, usize),
    input: &[u8],
    work: impl FnOnce() -> T,
) -> T {
    let before = NOW.get();
    MOST.set(before);
    let done = work();
    let most = MOST.get().wrapping_sub(before).unsigned_abs();
    let limit = input.len() * bytes_a_byte + fixed;
    assert!(
        most <= limit,
        "{} bytes were read into {most}, and {limit} are the most",
        input.len()
    );
    done
}
