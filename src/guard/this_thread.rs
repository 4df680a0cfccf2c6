//! What kind of code runs on this thread: whether it may block, and for whom it runs.
//!
//! A wait for a call of the library works on any thread, those of blocking stores and callbacks too.
//! It is an error on the threads of actors, which must go on answering, and in async plug-ins, of
//! which a few could stop all others.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::secret::visible::debug_with_code;

/// What a piece of foreign code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// A store that is asked for keys.
    Store,
    /// A callback of a rotation.
    Callback,
}

/// A blocking call ([`block_on`]) where none may be, code `must_not_block`.
///
/// It is the fault of the caller: `await` does the same there.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a blocking call on an actor's thread or in an async store or callback; use the async form, or \
     a blocking store or callback"
)]
pub struct MustNotBlock;

debug_with_code!(MustNotBlock);

impl MustNotBlock {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "must_not_block"
    }
}

/// The foreign code that a thread is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// A poll, the making or the drop of an async plug-in.
    Async(Role),
    /// A blocking plug-in, on a thread set apart for it.
    Blocking(Role),
}

thread_local! {
    static MUST_NOT_BLOCK: Cell<bool> = const { Cell::new(false) };
    static INSIDE: Cell<Option<Inside>> = const { Cell::new(None) };
}

/// Says that nothing may block on this thread, for as long as it lives: it is an actor's, or all async
/// plug-ins need it, or keyward's own stores and timers do.
pub fn must_not_block() {
    MUST_NOT_BLOCK.set(true);
}

/// Whether a blocking call may be made here and now.
///
/// False on actors' threads, while an async plug-in is made, polled or dropped, and in what it
/// spawns on keyward's own runtime. What it hands to that runtime's `spawn_blocking` may block.
pub fn may_block() -> bool {
    match INSIDE.get() {
        Some(Inside::Async(_)) => false,
        Some(Inside::Blocking(_)) => true,
        None => !MUST_NOT_BLOCK.get(),
    }
}

/// What the code on this thread is, if it is foreign code inside the guard. Threads and tasks that a
/// plug-in starts itself are not known as its own.
pub fn current_role() -> Option<Role> {
    INSIDE.get().map(|inside| match inside {
        Inside::Async(role) | Inside::Blocking(role) => role,
    })
}

/// Marks the thread as being inside foreign code, until the answer is dropped.
pub(super) fn enter(inside: Inside) -> Entered {
    Entered {
        before: INSIDE.replace(Some(inside)),
    }
}

/// Restores what the thread was in before, also while a panic unwinds.
pub(super) struct Entered {
    before: Option<Inside>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        INSIDE.set(self.before);
    }
}

/// Waits for a future on this thread, inside and outside of any runtime.
///
/// The thread is parked, so the future must be woken by others: what it waits for may not need this
/// very thread. A wait may be made within another's poll.
///
/// # Errors
/// [`MustNotBlock`], without a poll, where [`may_block`] is false.
pub fn wait<F: Future>(future: F) -> Result<F::Output, MustNotBlock> {
    if !may_block() {
        return Err(MustNotBlock);
    }
    // A tokio task that blocks here may have used up its budget; what it polls would then put itself
    // off until the task yields, which it never does.
    let mut future = pin!(tokio::task::unconstrained(future));
    let signal = Arc::new(Signal {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        // The flag, not the thread's token, says that this wait was woken: an inner wait takes
        // tokens that were meant for an outer one, and others wake the thread for their own ends.
        while !signal.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

/// Waits on this thread for one of keyward's async calls: for programs without an async runtime, and for
/// blocking stores and callbacks.
///
/// It works on any thread, also inside an async runtime, whose thread it holds up. Any future whose error
/// can be a [`MustNotBlock`] is taken, an `async` block of several calls too; one that needs a
/// runtime of its own (a tokio timer, for example) has to be given to that runtime.
///
/// ```
/// use keyward::{KeysManagement, block_on};
/// # fn f(builder: keyward::KeysManagementBuilder) -> Result<(), Box<dyn std::error::Error>> {
/// let keys = block_on(builder.start())?;
/// let key = block_on(keys.get_key("documents"))?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What the call answers; and `must_not_block`, without having begun it, on the threads of keyward's
/// actors and in async stores and callbacks, where `await` does it.
pub fn block_on<T, E: From<MustNotBlock>>(
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    wait(call).unwrap_or_else(|refused| Err(refused.into()))
}

struct Signal {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{poll_fn, ready};
    use tokio::sync::{mpsc, oneshot};

    #[test]
    fn a_wait_answers_what_another_thread_sends() {
        let (send, receive) = oneshot::channel();
        let sender = thread::spawn(move || send.send(7));
        assert_eq!(wait(receive), Ok(Ok(7)));
        assert_eq!(sender.join().ok(), Some(Ok(())));
    }

    #[test]
    fn a_wait_is_not_ended_by_a_wake_up_of_somebody_else() {
        let (send, receive) = oneshot::channel();
        let (polled, was_polled) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            let mut receive = pin!(receive);
            wait(poll_fn(|context| {
                let _ = polled.send(());
                receive.as_mut().poll(context)
            }))
        });
        was_polled.recv().expect("the first poll");
        for _ in 0..100 {
            waiter.thread().unpark();
        }
        assert!(was_polled.try_recv().is_err(), "polled without being woken");
        send.send(7).expect("the waiter is there");
        assert_eq!(waiter.join().expect("no panic"), Ok(Ok(7)));
    }

    #[test]
    fn a_wait_within_the_poll_of_another_wait_takes_no_wake_up_from_it() {
        let (outer_send, outer) = oneshot::channel();
        let mut outer = pin!(outer);
        let mut first = Some(outer_send);
        let answer = wait(poll_fn(|context| {
            let polled = outer.as_mut().poll(context);
            if let Some(outer_send) = first.take() {
                let (inner_send, inner) = oneshot::channel();
                let sender = thread::spawn(move || {
                    let _ = outer_send.send("outer");
                    let _ = inner_send.send("inner");
                });
                assert_eq!(wait(inner), Ok(Ok("inner")));
                sender.join().expect("no panic");
            }
            polled
        }));
        assert_eq!(answer, Ok(Ok("outer")));
    }

    #[test]
    fn a_wait_works_inside_a_tokio_task_that_has_used_up_its_budget() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let (send, mut receive) = mpsc::unbounded_channel();
        for number in 0..1000 {
            send.send(number).expect("the receiver is there");
        }
        let last = runtime.block_on(async {
            tokio::spawn(async move {
                let mut last = None;
                for _ in 0..1000 {
                    last = wait(receive.recv()).ok().flatten();
                }
                last
            })
            .await
        });
        assert_eq!(last.ok(), Some(Some(999)));
    }

    #[test]
    fn an_actors_thread_may_not_block() {
        thread::spawn(|| {
            assert!(may_block());
            must_not_block();
            assert!(!may_block());
            assert_eq!(wait(ready(())), Err(MustNotBlock));
        })
        .join()
        .expect("no panic");
        assert!(may_block());
    }

    #[test]
    fn what_a_thread_is_in_is_restored_when_a_panic_unwinds() {
        let inside = std::panic::catch_unwind(|| {
            let _entered = enter(Inside::Async(Role::Callback));
            assert!(!may_block());
            panic!("out of it");
        });
        assert!(inside.is_err() && may_block());
        assert_eq!(current_role(), None);
    }
}
