//! An instance that is written by hand, which says what a test has it say.

use std::time::Duration;

use futures_util::stream;
use keyward::rotation::event::StepRef;
use keyward::wire::generated::answer::Answer as Given;
use keyward::wire::generated::to_instance::Said as Heard;
use keyward::wire::generated::to_keeper::Said;
use keyward::wire::generated::work_client::WorkClient;
use keyward::wire::generated::{
    Call, CallRef, CallbackKind, Dropped, EndTaken, Ended, Failed, Join, Leave, Ready, Register,
    Sharing, Succeeded, ToInstance, ToKeeper, ended,
};
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::ground::{Client, Ground};
use crate::support::within;

/// An instance that is written by hand.
pub struct Peer {
    pub number: u64,
    tell: mpsc::UnboundedSender<ToKeeper>,
    heard: Streaming<ToInstance>,
    requests: u64,
    _channel: Channel,
}

/// A join of a sole worker.
pub fn sole(worker: &str) -> Join {
    Join {
        worker: worker.to_owned(),
        sharing: Sharing::Sole.into(),
        ..Join::default()
    }
}

/// A join of a shared worker.
pub fn shared(worker: &str) -> Join {
    Join {
        sharing: Sharing::Shared.into(),
        ..sole(worker)
    }
}

/// The same, which waits for its name: of whoever had it, the keeper may not know yet that it has ended.
pub fn waiting(join: Join) -> Join {
    Join {
        wait_for_name: true,
        ..join
    }
}

impl Peer {
    /// Begins a stream with this.
    pub async fn begin(client: Client, first: Said) -> Self {
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut work = WorkClient::new(client.channel.clone());
        tell.send(ToKeeper { said: Some(first) }).unwrap();
        let heard = within(work.join(stream::poll_fn(move |cx| told.poll_recv(cx)))).await;
        Self {
            number: 0,
            tell,
            heard: heard.unwrap().into_inner(),
            requests: 0,
            _channel: client.channel,
        }
    }

    /// Joins over a connection of its own.
    pub async fn join(ground: &Ground, join: Join) -> Result<Self, Status> {
        Self::join_over(ground.client().await, join).await
    }

    /// Joins over this connection.
    pub async fn join_over(client: Client, join: Join) -> Result<Self, Status> {
        let mut peer = Self::begin(client, Said::Join(join)).await;
        match peer.next().await? {
            Some(Heard::Joined(joined)) => peer.number = joined.instance,
            other => panic!("it has joined: {other:?}"),
        }
        Ok(peer)
    }

    /// Joins, registers one callback of data and is ready.
    pub async fn ready(ground: &Ground, join: Join) -> Self {
        let mut peer = Self::join(ground, join).await.unwrap();
        peer.register("reencrypt", CallbackKind::Data)
            .await
            .unwrap();
        peer.is_ready().await;
        peer
    }

    /// Says something.
    pub fn say(&self, said: Said) {
        // Where the stream has ended, the test hears that.
        let _ = self.tell.send(ToKeeper { said: Some(said) });
    }

    /// Sends a message as it is.
    pub fn say_raw(&self, message: ToKeeper) {
        self.tell.send(message).unwrap();
    }

    /// Registers a callback for another key; answers the code of an error.
    pub async fn register_for(&mut self, key: &str) -> Result<(), String> {
        self.requests += 1;
        self.say(Said::Register(Register {
            request: self.requests,
            key: key.to_owned(),
            callback: "c".to_owned(),
            ..Register::default()
        }));
        match self.answer().await {
            Given::Registered(_) => Ok(()),
            Given::Refused(refused) => Err(refused.code),
            other => panic!("a registration: {other:?}"),
        }
    }

    /// What the keeper says next; none at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<Heard>, Status> {
        let message = within(self.heard.message()).await?;
        Ok(message.map(|message| message.said.expect("it is known")))
    }

    /// Whether the keeper says nothing for so long.
    pub async fn hears_nothing_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.heard.message())
            .await
            .is_err()
    }

    /// The end of the stream.
    pub async fn end(&mut self) -> Result<(), Status> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    pub async fn answer(&mut self) -> Given {
        match self.next().await.unwrap() {
            Some(Heard::Answer(answer)) => {
                assert_eq!(answer.request, self.requests);
                answer.answer.expect("it is known")
            }
            other => panic!("an answer: {other:?}"),
        }
    }

    /// Registers a callback; answers the code of an error.
    pub async fn register(&mut self, callback: &str, kind: CallbackKind) -> Result<u32, String> {
        self.send_register(callback, kind);
        match self.answer().await {
            Given::Registered(registered) => Ok(registered.caught_up),
            Given::Refused(refused) => Err(refused.code),
            other => panic!("a registration: {other:?}"),
        }
    }

    pub fn send_register(&mut self, callback: &str, kind: CallbackKind) {
        self.requests += 1;
        self.say(Said::Register(Register {
            request: self.requests,
            key: "documents".to_owned(),
            callback: callback.to_owned(),
            kind: kind.into(),
            again: false,
        }));
    }

    pub async fn is_ready(&mut self) {
        self.requests += 1;
        let request = self.requests;
        self.say(Said::Ready(Ready { request }));
        let answer = self.answer().await;
        assert!(matches!(answer, Given::Done(_)), "{answer:?}");
    }

    /// Asks something under the next number.
    pub async fn ask(&mut self, said: impl FnOnce(u64) -> Said) -> Given {
        self.requests += 1;
        self.say(said(self.requests));
        self.answer().await
    }

    /// Leaves; answers the code of an error.
    pub async fn leave(&mut self) -> Result<(), String> {
        self.requests += 1;
        let request = self.requests;
        self.say(Said::Leave(Leave { request }));
        match self.answer().await {
            Given::Done(_) => Ok(()),
            Given::Refused(refused) => Err(refused.code),
            other => panic!("an answer: {other:?}"),
        }
    }

    pub fn drop_handle(&self) {
        self.say(Said::Dropped(Dropped {}));
    }

    /// The next call.
    pub async fn call(&mut self) -> Call {
        match self.next().await.unwrap() {
            Some(Heard::Call(call)) => call,
            other => panic!("a call: {other:?}"),
        }
    }

    /// Tells that a call succeeded.
    pub fn succeed(&self, call: &Call) {
        let outcome = ended::Outcome::Succeeded(Succeeded::default());
        self.ended(call.call.clone(), outcome);
    }

    /// Tells that a call failed.
    pub fn fail(&self, call: &Call, error: &str) {
        let outcome = ended::Outcome::Failed(Failed {
            error: error.to_owned(),
            still_runs: false,
        });
        self.ended(call.call.clone(), outcome);
    }

    pub fn ended(&self, call: Option<CallRef>, outcome: ended::Outcome) {
        let outcome = Some(outcome);
        self.say(Said::Ended(Ended { call, outcome }));
    }

    /// The word that an end needs not be told any more; answers the code of what is wrong with it.
    pub async fn end_taken(&mut self) -> (Option<CallRef>, Option<String>) {
        match self.next().await.unwrap() {
            Some(Heard::EndTaken(EndTaken { call, refused })) => {
                (call, refused.map(|refused| refused.code))
            }
            other => panic!("the end is taken: {other:?}"),
        }
    }

    /// Taken up again over a new connection, with these calls.
    pub fn again(&self, calls: Vec<CallRef>, worker: &str) -> Join {
        Join {
            instance: self.number,
            calls,
            ..sole(worker)
        }
    }
}

/// The step and attempt of a call.
pub fn of(call: &Call) -> (StepRef, u32) {
    call.call.as_ref().unwrap().named().unwrap()
}
