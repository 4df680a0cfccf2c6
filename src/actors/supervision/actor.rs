//! All that keyward takes from actix: threads that actors run on, and an actor with its context and
//! timers. An actor reads its slot's inbox, lets its part die of a panic, and hands the part back,
//! whatever ends it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{self, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use actix::fut::{ActorFuture, wrap_future};
use actix::{
    Actor, ActorContext, Arbiter, ArbiterHandle, AsyncContext, Context, SpawnHandle, System,
};
use tokio::runtime::{Builder, Runtime};

use crate::actors::supervision::fault_point::FaultPoints;
use crate::actors::supervision::inbox::{Inbox, Message};
use crate::guard::fault;
use crate::guard::this_thread;
use crate::key::time::Time;
use crate::secret::scrub::Scrubber;

/// After so many messages an actor lets others of its thread, and its own timers, have a turn.
const TURN: usize = 64;

/// How many threads the actors of the keys share.
const KEY_THREADS: usize = 2;

/// What becomes of an actor after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    GoOn,
    /// It ends and is not started again.
    End,
}

/// How a life of an actor ended.
#[derive(Debug, PartialEq, Eq)]
pub enum LifeEnd {
    /// The part wanted it.
    Wanted,
    /// The actor died, for this reason.
    Died(String),
}

/// What an actor knows and does. It outlives the actor: a panic ends a life of it, and the next life
/// goes on with what the part knew then.
pub trait Part: Send + Sized + Unpin + 'static {
    /// What it is told.
    type Message: Message;

    /// A life begins, the first one or one after a death: timers and spawned futures are gone.
    fn begin(&mut self, ctx: &mut Ctx<'_, Self>);

    /// The actor is told something.
    fn handle(&mut self, message: Self::Message, ctx: &mut Ctx<'_, Self>) -> Then;

    /// There is no next life until an operator starts one: the part tells its askers so.
    fn fail(&mut self, why: &str);

    /// When the part must have answered a request: a restart does not wait beyond that.
    fn deadline(&self) -> Option<Time> {
        None
    }

    /// What becomes of a message that no life will read.
    fn refuse(&mut self, message: Self::Message) {
        drop(message);
    }

    /// Clears the text of a panic of what must not be said.
    fn scrubber(&self) -> Scrubber {
        Scrubber::new(Vec::new())
    }
}

/// Where a part goes when a life of it has ended.
pub type LifeOver<P> = Box<dyn FnOnce(Box<P>, LifeEnd) + Send>;

/// One life of a part.
pub struct Life<P: Part> {
    living: Option<(Box<P>, LifeOver<P>)>,
    inbox: Arc<Inbox<P::Message>>,
    fault_points: Arc<FaultPoints>,
    /// Taken from the inbox and not read yet.
    taken: VecDeque<P::Message>,
}

impl<P: Part> Life<P> {
    /// A life of this part, which reads this inbox and ends with `over`.
    pub fn new(
        part: Box<P>,
        inbox: Arc<Inbox<P::Message>>,
        fault_points: Arc<FaultPoints>,
        over: LifeOver<P>,
    ) -> Self {
        Self {
            living: Some((part, over)),
            inbox,
            fault_points,
            taken: VecDeque::new(),
        }
    }

    /// Begins it on this thread. Where that has ended, this life is over at once.
    pub fn begin_on(self, thread: &ActorThread) {
        Self::start_in_arbiter(&thread.0, move |_| self);
    }

    /// Reads what there is, a turn of it at most.
    fn read(&mut self, ctx: &mut Context<Self>, reader: &Waker) -> Poll<()> {
        for _ in 0..TURN {
            if self.living.is_none() {
                return Poll::Ready(());
            }
            // Outside of what catches panics, so that a test sees what a real one leaves.
            self.fault_points.pass();
            let next = match self.taken.pop_front() {
                None => self.inbox.take(&mut self.taken, TURN, reader),
                next => next,
            };
            let Some(message) = next else {
                return Poll::Pending;
            };
            self.live(ctx, |part, ctx| part.handle(message, ctx));
        }
        ctx.wait(wrap_future::<_, Self>(tokio::task::yield_now()));
        Poll::Pending
    }

    /// Lets the part do something; if it panics, this life is over.
    fn live(&mut self, ctx: &mut Context<Self>, act: impl FnOnce(&mut P, &mut Ctx<'_, P>) -> Then) {
        let Some((part, _)) = &mut self.living else {
            return;
        };
        let end = match fault::catch(|| act(part, &mut Ctx(ctx))) {
            Ok(Then::GoOn) => return,
            Ok(Then::End) => LifeEnd::Wanted,
            Err(fault) => LifeEnd::Died(fault.described(&part.scrubber())),
        };
        ctx.stop();
        self.end(end);
    }

    fn end(&mut self, end: LifeEnd) {
        if let Some((part, over)) = self.living.take() {
            self.inbox.put_back(&mut self.taken);
            over(part, end);
        }
    }
}

impl<P: Part> Actor for Life<P> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.live(ctx, |part, ctx| {
            part.begin(ctx);
            Then::GoOn
        });
        if self.living.is_some() {
            ctx.spawn(ReadsInbox);
        }
    }
}

impl<P: Part> Drop for Life<P> {
    fn drop(&mut self) {
        self.end(LifeEnd::Died("its actor was dropped".to_owned()));
    }
}

/// An actor's reading of its inbox, for as long as it lives.
///
/// It is no actix message: to wake this costs no envelope, and what is posted meanwhile wakes nothing.
struct ReadsInbox;

impl<P: Part> ActorFuture<Life<P>> for ReadsInbox {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        life: &mut Life<P>,
        ctx: &mut Context<Life<P>>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        life.read(ctx, task.waker())
    }
}

/// What a part may have done in its present life; what is not done when that ends is dropped.
pub struct Ctx<'a, P: Part>(&'a mut Context<Life<P>>);

/// A task of one life.
pub struct Task(SpawnHandle);

impl<P: Part> Ctx<'_, P> {
    /// Lets the part do something later.
    pub fn later(&mut self, after: Duration, act: impl FnOnce(&mut P, &mut Ctx<'_, P>) + 'static) {
        self.0.run_later(after, |life, ctx| {
            life.live(ctx, |part, ctx| {
                act(part, ctx);
                Then::GoOn
            });
        });
    }

    /// Runs a future on the actor's thread.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + 'static) -> Task {
        Task(self.0.spawn(wrap_future::<_, Life<P>>(task)))
    }

    /// Gives a task up. It may be polled once more.
    pub fn cancel(&mut self, task: Task) {
        self.0.cancel_future(task.0);
    }
}

/// Runs a future on the thread of the actor that calls, whichever life of it ends meanwhile.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    actix::spawn(task);
}

/// A thread that actors run on. A clone is the same one.
#[derive(Debug, Clone)]
pub struct ActorThread(ArbiterHandle);

impl ActorThread {
    /// Runs a future there; where the thread has ended, the future is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }
}

/// The threads of all actors: keyward's own, so that a program on any runtime, or on none, can use
/// them.
#[derive(Debug)]
pub struct ActorThreads {
    system: System,
    main: JoinHandle<()>,
    /// The coordinator's, then those of the keys.
    threads: Vec<ActorThread>,
}

impl ActorThreads {
    /// Starts the threads.
    ///
    /// # Errors
    /// What starting a thread answers; then none of them is left.
    pub fn start() -> io::Result<Self> {
        let (told, started) = mpsc::sync_channel(1);
        let main = thread::Builder::new()
            .name("keyward-actors".to_owned())
            .spawn(move || run(&told))?;
        let panicked = || io::Error::other("the thread of the actors panicked at its start");
        match started.recv().unwrap_or_else(|_| Err(panicked())) {
            Ok((system, threads)) => Ok(Self {
                system,
                main,
                threads,
            }),
            Err(refused) => {
                drop(main.join());
                Err(refused)
            }
        }
    }

    /// Where the supervisor runs: apart from every actor that it starts again.
    pub fn supervisor(&self) -> ActorThread {
        ActorThread(self.system.arbiter().clone())
    }

    /// Where the coordinator and the workers run.
    pub fn coordinator(&self) -> ActorThread {
        let thread = self.threads.first();
        thread.cloned().unwrap_or_else(|| self.supervisor())
    }

    /// Where the key of this number runs.
    pub fn key(&self, number: usize) -> ActorThread {
        let thread = self.threads.get(1 + number % KEY_THREADS);
        thread.cloned().unwrap_or_else(|| self.coordinator())
    }

    /// Ends the threads and everything on them, and waits for them. Not to be called on one of them.
    pub fn close(self) {
        self.system.stop();
        drop(self.main.join());
    }
}

type StartedThreads = io::Result<(System, Vec<ActorThread>)>;

fn run(told: &mpsc::SyncSender<StartedThreads>) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(refused) => return drop(told.send(Err(refused))),
    };
    let runner = System::with_tokio_rt(|| runtime);
    let mut arbiters = Vec::new();
    let started = start_all(&mut arbiters);
    let runs = started.is_ok();
    if told.send(started).is_ok() && runs {
        drop(runner.run());
    }
    for arbiter in arbiters {
        arbiter.stop();
        drop(arbiter.join());
    }
}

/// What a thread of actors runs on. Actors need timers and no descriptors, so it has none.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_time().build()
}

fn start_all(arbiters: &mut Vec<Arbiter>) -> StartedThreads {
    let system = System::current();
    system.arbiter().spawn_fn(this_thread::must_not_block);
    let mut threads = Vec::new();
    for _ in 0..=KEY_THREADS {
        let arbiter = Arbiter::try_with_tokio_rt(runtime)?;
        arbiter.spawn_fn(this_thread::must_not_block);
        threads.push(ActorThread(arbiter.handle()));
        arbiters.push(arbiter);
    }
    Ok((system, threads))
}
