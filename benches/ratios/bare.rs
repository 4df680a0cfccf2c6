//! Bare actors: the least that a request for a key could cost, with nothing promised about it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::Thread;

use actix::{Actor, Addr, Arbiter, Context, Handler, Message, ResponseFuture, System};
use tokio::runtime::{Builder, Handle};

use crate::Outcome;

/// What it answers.
pub type Key = Arc<[u8; 32]>;

/// An actor that answers a key.
pub struct Bare {
    key: Key,
    /// A runtime beside it, on which its key is made.
    beside: Handle,
}

impl Actor for Bare {
    type Context = Context<Self>;
}

/// Asks for the key that it has.
pub struct Get;

impl Message for Get {
    type Result = Key;
}

impl Handler<Get> for Bare {
    type Result = Key;

    fn handle(&mut self, _: Get, _: &mut Context<Self>) -> Self::Result {
        Arc::clone(&self.key)
    }
}

/// Asks for the key that a task on another runtime answers.
pub struct GetOfTask;

impl Message for GetOfTask {
    type Result = Option<Key>;
}

impl Handler<GetOfTask> for Bare {
    type Result = ResponseFuture<Option<Key>>;

    fn handle(&mut self, _: GetOfTask, _: &mut Context<Self>) -> Self::Result {
        let key = Arc::clone(&self.key);
        let task = self.beside.spawn(async { key });
        Box::pin(async { task.await.ok() })
    }
}

/// Asks for the key that a thread for blocking code answers.
pub struct GetOfThread;

impl Message for GetOfThread {
    type Result = Option<Key>;
}

impl Handler<GetOfThread> for Bare {
    type Result = ResponseFuture<Option<Key>>;

    fn handle(&mut self, _: GetOfThread, _: &mut Context<Self>) -> Self::Result {
        let key = Arc::clone(&self.key);
        let task = self.beside.spawn_blocking(|| key);
        Box::pin(async { task.await.ok() })
    }
}

/// An actor on an arbiter of its own, with a runtime of two threads beside it. Both live as long as
/// the process.
pub fn actor() -> Outcome<Addr<Bare>> {
    let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
    let beside = runtime.handle().clone();
    std::mem::forget(runtime);
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let system = System::new();
        let arbiter = Arbiter::new();
        let key = Arc::new([7; 32]);
        let actor = Bare::start_in_arbiter(&arbiter.handle(), |_| Bare { key, beside });
        drop(told.send(actor));
        drop(system.run());
    });
    Ok(address.recv()?)
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread, which has no runtime.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Parked(std::thread::current())));
    let mut context = TaskContext::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => std::thread::park(),
        }
    }
}
