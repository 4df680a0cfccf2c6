//! Foreign values that keyward keeps: they are dropped where their drop may block or panic.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::fault::dispose;
use super::this_thread::may_block;

/// How many threads drop foreign values at once, in the whole process.
const DROP_THREADS: usize = 8;

/// A foreign value, a closure for example, whose drop never runs on the thread of an actor, of async
/// plug-ins, or of keyward's own stores and clocks, and never panics into keyward.
pub struct Foreign<T: Send + 'static> {
    value: Option<T>,
}

impl<T: Send + 'static> Foreign<T> {
    /// Keeps a value.
    pub fn new(value: T) -> Self {
        Self { value: Some(value) }
    }

    /// The value; it is there until it is dropped.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The same, in another form.
    #[cfg(feature = "testing")]
    pub fn map<U: Send + 'static>(mut self, change: impl FnOnce(T) -> U) -> Foreign<U> {
        let value = self.value.take().map(change);
        Foreign { value }
    }

    /// The value, to be run or dropped on a thread where that may be done.
    #[cfg(feature = "embedded")]
    pub fn take(mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T: Send + Sync + ?Sized + 'static> Foreign<Arc<T>> {
    /// The same value, which is dropped with the last of those that share it.
    pub fn share(&self) -> Self {
        let value = self.value.clone();
        Self { value }
    }
}

impl<T: Send + 'static> Drop for Foreign<T> {
    fn drop(&mut self) {
        match self.value.take() {
            None => {}
            Some(value) if may_block() => dispose(value),
            Some(value) => drop_elsewhere(Box::new(value)),
        }
    }
}

/// What is to be dropped, and how many threads do it.
struct Left {
    values: VecDeque<Box<dyn Send>>,
    threads: usize,
}

static LEFT: Mutex<Left> = Mutex::new(Left {
    values: VecDeque::new(),
    threads: 0,
});

fn left() -> MutexGuard<'static, Left> {
    // Nothing foreign runs under this lock.
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drop_elsewhere(value: Box<dyn Send>) {
    let mut values = left();
    values.values.push_back(value);
    if values.threads >= DROP_THREADS {
        return;
    }
    values.threads += 1;
    drop(values);
    let started = thread::Builder::new()
        .name("keyward-drop".to_owned())
        .spawn(drop_all);
    if started.is_err() {
        // It is kept: what is dropped next asks for a thread again, which then drops both.
        left().threads -= 1;
    }
}

fn drop_all() {
    loop {
        let next = {
            let mut values = left();
            let next = values.values.pop_front();
            if next.is_none() {
                values.threads -= 1;
            }
            next
        };
        match next {
            Some(value) => dispose(value),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tests::PanicsWhenDropped;
    use crate::guard::this_thread::must_not_block;
    use std::sync::mpsc::{Sender, channel};

    struct TellsItsDrop(Sender<String>);

    impl Drop for TellsItsDrop {
        fn drop(&mut self) {
            let here = thread::current().name().unwrap_or_default().to_owned();
            self.0.send(here).expect("heard");
        }
    }

    #[test]
    fn an_actors_thread_drops_no_foreign_value_itself_however_many_there_are() {
        let (told, dropped) = channel();
        let of_actor = told.clone();
        let actor = thread::Builder::new().name("an actor".to_owned());
        let actor = actor.spawn(move || {
            must_not_block();
            for _ in 0..100 {
                drop(Foreign::new(PanicsWhenDropped));
                drop(Foreign::new(TellsItsDrop(of_actor.clone())));
            }
        });
        actor.expect("it starts").join().expect("no panic");
        for _ in 0..100 {
            assert_eq!(dropped.recv().as_deref(), Ok("keyward-drop"));
        }
        drop(Foreign::new(TellsItsDrop(told)));
        let here = thread::current().name().unwrap_or_default().to_owned();
        assert_eq!(dropped.recv(), Ok(here));
    }
}
