//! The store of a workload: what it answers changes over time, and each of its calls is kept.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward::SecretKeys;

use crate::linearizability::history::Fetch;
use crate::linearizability::operation::given;
use crate::linearizability::play::Playing;
use crate::linearizability::workload::{Pause, pause};

impl Playing {
    /// A call of a store that does not block.
    pub async fn fetch(&self) -> Result<SecretKeys, &'static str> {
        let (before, after, fails) = self.draw_fetch();
        let began = self.recorder.begin(&"fetch");
        wait(before).await;
        let answered = self.answer(fails);
        wait(after).await;
        self.fetched(began, answered)
    }

    /// A call of one that does.
    pub fn fetch_blocking(&self) -> Result<SecretKeys, &'static str> {
        let (before, after, fails) = self.draw_fetch();
        let began = self.recorder.begin(&"blocking fetch");
        block(before);
        let answered = self.answer(fails);
        block(after);
        self.fetched(began, answered)
    }

    fn draw_fetch(&self) -> (Pause, Pause, bool) {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let fails = random.chance(self.workload.source.fails);
        (pause(&mut random), pause(&mut random), fails)
    }

    /// The number of the key that the store answers now.
    fn answer(&self, fails: bool) -> Option<u64> {
        match (fails, self.workload.source.is_fresh) {
            (true, _) => None,
            (false, true) => Some(self.fresh.fetch_add(1, Ordering::SeqCst)),
            (false, false) => Some(self.answers.load(Ordering::SeqCst)),
        }
    }

    fn fetched(&self, began: u64, answered: Option<u64>) -> Result<SecretKeys, &'static str> {
        let answer = answered.map(|number| self.workload.key(number));
        let keys = answer.as_ref().map(given).ok_or("down");
        let span = self.recorder.since(began);
        self.recorder.history().fetches.push(Fetch { span, answer });
        keys
    }
}

/// Lets others go first.
pub async fn wait(pause: Pause) {
    match pause {
        Pause::Turns(turns) => {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        }
        Pause::Micros(micros) => tokio::time::sleep(Duration::from_micros(micros)).await,
    }
}

fn block(pause: Pause) {
    match pause {
        Pause::Turns(turns) => {
            for _ in 0..turns {
                std::thread::yield_now();
            }
        }
        Pause::Micros(micros) => std::thread::sleep(Duration::from_micros(micros)),
    }
}
