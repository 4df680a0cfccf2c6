//! Bare asks of the actor frameworks: an actor on a thread of its own answers an `Arc` of 32 bytes.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::{Handle, Runtime};

use crate::Outcome;
use crate::asking::{Asked, at_once, one_by_one, other_thread};
use crate::keyward_rows::{HELD, HELD_AT_ONCE};
use crate::promises::{self, Promises};
use crate::row::{Row, Unit};

type Key = Arc<[u8; 32]>;

/// One row of each framework for latency, and one for throughput.
pub fn rows(asker: &Rc<Runtime>) -> Outcome<Vec<Row>> {
    let actix = BareActix(actix_actor()?);
    let kameo = BareKameo(kameo_actor(&other_thread()?));
    let ractor = BareRactor(ractor_actor(&other_thread()?)?);
    let mut rows = Vec::new();
    rows.extend(pair("actix", "send", asker, actix, &promises::ACTIX));
    rows.extend(pair("kameo", "ask", asker, kameo, &promises::KAMEO));
    rows.extend(pair("ractor", "call", asker, ractor, &promises::RACTOR));
    Ok(rows)
}

fn pair(
    peer: &str,
    verb: &str,
    asker: &Rc<Runtime>,
    asked: impl Asked,
    promises: &'static Promises,
) -> [Row; 2] {
    let (mut one, many) = (asked.clone(), asked);
    let (first, second) = (Rc::clone(asker), Rc::clone(asker));
    let name = format!("{peer}: bare {verb}");
    let latency = Row::new(name, Unit::Call, promises, move || {
        one_by_one(&first, &mut one)
    });
    let name = format!("{peer}: bare {verb}, 64 at once");
    let throughput = Row::new(name, Unit::Rate, promises, move || at_once(&second, &many));
    [latency.beside(HELD), throughput.beside(HELD_AT_ONCE)]
}

struct ActixKey(Key);

struct ActixGet;

impl actix::Message for ActixGet {
    type Result = Key;
}

impl actix::Actor for ActixKey {
    type Context = actix::Context<Self>;
}

impl actix::Handler<ActixGet> for ActixKey {
    type Result = Key;

    fn handle(&mut self, _: ActixGet, _: &mut actix::Context<Self>) -> Key {
        Arc::clone(&self.0)
    }
}

fn actix_actor() -> Outcome<actix::Addr<ActixKey>> {
    let (told, address) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("peer-actix".to_owned())
        .spawn(move || {
            let system = actix::System::new();
            let arbiter = actix::Arbiter::new();
            let actor = <ActixKey as actix::Actor>::start_in_arbiter(&arbiter.handle(), |_| {
                ActixKey(Arc::new([7; 32]))
            });
            drop(told.send(actor));
            drop(system.run());
        })?;
    Ok(address.recv()?)
}

#[derive(Clone)]
struct BareActix(actix::Addr<ActixKey>);

impl Asked for BareActix {
    async fn ask(&mut self) -> Outcome<()> {
        black_box(self.0.send(ActixGet).await?);
        Ok(())
    }
}

#[derive(kameo::Actor)]
struct KameoKey(Key);

struct KameoGet;

impl kameo::message::Message<KameoGet> for KameoKey {
    type Reply = Key;

    async fn handle(
        &mut self,
        _: KameoGet,
        _: &mut kameo::message::Context<Self, Self::Reply>,
    ) -> Key {
        Arc::clone(&self.0)
    }
}

fn kameo_actor(thread: &Handle) -> kameo::actor::ActorRef<KameoKey> {
    let _on_it = thread.enter();
    <KameoKey as kameo::actor::Spawn>::spawn(KameoKey(Arc::new([7; 32])))
}

#[derive(Clone)]
struct BareKameo(kameo::actor::ActorRef<KameoKey>);

impl Asked for BareKameo {
    async fn ask(&mut self) -> Outcome<()> {
        black_box(self.0.ask(KameoGet).await?);
        Ok(())
    }
}

struct RactorKey;

enum RactorGet {
    Get(ractor::RpcReplyPort<Key>),
}

impl ractor::Actor for RactorKey {
    type Msg = RactorGet;
    type State = Key;
    type Arguments = Key;

    async fn pre_start(
        &self,
        _: ractor::ActorRef<RactorGet>,
        key: Key,
    ) -> Result<Key, ractor::ActorProcessingErr> {
        Ok(key)
    }

    async fn handle(
        &self,
        _: ractor::ActorRef<RactorGet>,
        RactorGet::Get(reply): RactorGet,
        key: &mut Key,
    ) -> Result<(), ractor::ActorProcessingErr> {
        Ok(reply.send(Arc::clone(key))?)
    }
}

fn ractor_actor(thread: &Handle) -> Outcome<ractor::ActorRef<RactorGet>> {
    let started = <RactorKey as ractor::Actor>::spawn(None, RactorKey, Arc::new([7; 32]));
    Ok(thread.block_on(started)?.0)
}

#[derive(Clone)]
struct BareRactor(ractor::ActorRef<RactorGet>);

impl Asked for BareRactor {
    async fn ask(&mut self) -> Outcome<()> {
        let answered = ractor::call!(self.0, RactorGet::Get);
        black_box(answered.map_err(|error| error.to_string())?);
        Ok(())
    }
}
