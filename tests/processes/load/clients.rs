//! Clients that flood: 64 of them, as tasks or as plain threads, and the count of what each was
//! told.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use keyward::{KeyAnswer, KeyError, KeysManagement, RotationError};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::within;

/// How many flood at once.
pub const CLIENTS: usize = 64;

/// How often what was told: a value, or the code of an error.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    told: BTreeMap<String, usize>,
}

impl Tally {
    pub fn add(&mut self, what: &str) {
        *self.told.entry(what.to_owned()).or_default() += 1;
    }

    pub fn of(&self, what: &str) -> usize {
        self.told.get(what).copied().unwrap_or(0)
    }

    pub fn total(&self) -> usize {
        self.told.values().sum()
    }

    fn add_all(&mut self, other: &Self) {
        for (what, count) in &other.told {
            *self.told.entry(what.clone()).or_default() += count;
        }
    }
}

/// A tally of these counts and of nothing else.
pub fn tally<const N: usize>(counts: [(&str, usize); N]) -> Tally {
    let told = counts.map(|(what, count)| (what.to_owned(), count));
    Tally {
        told: told.into_iter().filter(|(_, count)| *count > 0).collect(),
    }
}

/// The value, or the code of the error.
pub fn told(answer: Result<KeyAnswer, KeyError>) -> String {
    match answer {
        Ok(answer) => answer.expose_str().expect("tests use text").to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

/// `ok`, or the code of the error.
pub fn done<T>(answer: &Result<T, RotationError>) -> &'static str {
    answer.as_ref().map_or_else(RotationError::code, |_| "ok")
}

/// The clients of a flood; each tells its tally when it has asked all its requests.
pub struct Clients {
    ends: UnboundedReceiver<Tally>,
}

impl Clients {
    /// Each client is a task that asks so many requests, one after the other.
    pub fn tasks<A, F>(requests: usize, ask: A) -> Self
    where
        A: Fn(usize) -> F + Send + Sync + 'static,
        F: Future<Output = String> + Send,
    {
        let ask = Arc::new(ask);
        let (told, ends) = unbounded_channel();
        for client in 0..CLIENTS {
            let (ask, told) = (Arc::clone(&ask), told.clone());
            tokio::spawn(async move {
                let mut tally = Tally::default();
                for _ in 0..requests {
                    tally.add(&ask(client).await);
                }
                drop(told.send(tally));
            });
        }
        Self { ends }
    }

    /// Each client is a thread without a runtime.
    pub fn threads(requests: usize, ask: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        let ask = Arc::new(ask);
        let (told, ends) = unbounded_channel();
        for client in 0..CLIENTS {
            let (ask, told) = (Arc::clone(&ask), told.clone());
            thread::spawn(move || {
                let mut tally = Tally::default();
                for _ in 0..requests {
                    tally.add(&ask(client));
                }
                drop(told.send(tally));
            });
        }
        Self { ends }
    }

    /// What the next so many clients were told that come to their end, before long.
    pub async fn end(&mut self, clients: usize) -> Tally {
        within(self.end_late(clients)).await
    }

    /// As [`end`](Self::end), but it may take long.
    pub async fn end_late(&mut self, clients: usize) -> Tally {
        let mut sum = Tally::default();
        for _ in 0..clients {
            let ended = self.ends.recv().await;
            sum.add_all(&ended.expect("no client panics"));
        }
        sum
    }
}

/// Asks and goes away before there is an answer; what was told if it was told at once.
pub async fn ask_and_go<F: Future>(request: F) -> Option<F::Output> {
    let mut request = pin!(request);
    poll_fn(|context| {
        Poll::Ready(match request.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// How many requests of a key wait, as its status tells.
pub async fn waiting(manager: &KeysManagement, key: &str) -> usize {
    let status = within(manager.status()).await.expect("it lives");
    let mut keys = status.keys.iter();
    let found = keys.find(|listed| listed.name.as_str() == key);
    found.expect("it is defined").facts.waiting
}
