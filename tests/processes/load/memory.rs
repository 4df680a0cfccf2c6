//! Memory stays within a bound, however much is asked.
//!
//! Each flood runs in a process of its own, this test's executable, which is told by its
//! environment what to flood, and says by how much its memory grew meanwhile.
//! `KEYWARD_REQUESTS=N` floods with another number of requests than the built-in one.

use std::env;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use keyward::crypto::error::CryptoError;
use keyward::{
    ActorName, Change, CryptoTool, KeyChange, KeysManagement, MemoryRepo, RotationId,
    RotationState, SecretKeyPair, SecretKeyValue, Uuid,
};
use zeroize::Zeroizing;

use crate::load::clients::{CLIENTS, Clients, ask_and_go, done, told, waiting};
use crate::load::source::{SlowRepo, Source};
use crate::support::alone::{again, passes};
use crate::support::{Gate, builder, define, on, until, within};

const FLOOD: &str = "KEYWARD_TEST_FLOOD";
const REQUESTS: &str = "KEYWARD_REQUESTS";

/// How many requests a flood has.
const DEFAULT_REQUESTS: usize = 200_000;

/// By how much memory may grow at most, at any time of a flood: 16 MiB. What is admitted takes 4 of
/// them at most; floods that piled up somewhere took 40 to 70 in each 200,000 requests.
const BOUND_KIB: u64 = 16 * 1_024;

/// A time limit that does not pass in a test.
const NEVER: Duration = Duration::from_secs(3_600);

#[test]
#[ignore = "run by its parent test only"]
fn a_child_process_floods() {
    let flood = env::var(FLOOD).expect("run by its parent test only");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match flood.as_str() {
            "answered" => answered().await,
            "admitted" => admitted().await,
            "refused" => refused().await,
            "too many rotations" => too_many_rotations().await,
            "gone from the store" => gone_from_the_store().await,
            "gone from the repo" => gone_from_the_repo().await,
            "gone from a rotation" => gone_from_a_rotation().await,
            "gone from the status" => gone_from_the_status().await,
            "gone from the history" => gone_from_the_history().await,
            "gone from a search" => gone_from_a_search().await,
            "waiting rotations" => waiting_rotations().await,
            "gone from a journal that is read" => gone_from_a_journal_that_is_read().await,
            other => panic!("no such flood: {other}"),
        }
    });
}

fn stays_within_the_bound(flood: &str) {
    stays_within(flood, BOUND_KIB);
}

/// Floods in a process of its own.
fn stays_within(flood: &str, bound_kib: u64) {
    let mut process = again(a_child_process_floods);
    process.env(FLOOD, flood);
    let said = passes(process);
    let counted = |what: &str| -> u64 {
        let mut lines = said.lines().filter_map(|line| line.strip_prefix(what));
        let counted = lines.next().expect("it says so");
        counted.parse().expect("a number")
    };
    let (asked, grew) = (counted("requests: "), counted("grew by KiB: "));
    println!("requests: {asked}, `{flood}` grew by KiB: {grew}");
    assert!(grew <= bound_kib, "memory grew by {grew} KiB");
}

#[test]
fn requests_that_are_answered_leave_no_memory_behind() {
    stays_within_the_bound("answered");
}

#[test]
fn as_many_requests_as_eight_keys_admit_take_no_more_memory_than_the_bound() {
    stays_within_the_bound("admitted");
}

#[test]
fn requests_that_are_refused_leave_no_memory_behind() {
    stays_within_the_bound("refused");
}

#[test]
fn declarations_that_are_refused_leave_no_memory_behind() {
    stays_within_the_bound("too many rotations");
}

#[test]
fn requests_whose_askers_are_gone_from_a_store_that_hangs_pile_up_nowhere() {
    stays_within_the_bound("gone from the store");
}

#[test]
fn requests_whose_askers_are_gone_from_a_repo_that_hangs_pile_up_nowhere() {
    stays_within_the_bound("gone from the repo");
}

#[test]
fn those_who_waited_for_a_rotation_and_are_gone_pile_up_nowhere() {
    stays_within_the_bound("gone from a rotation");
}

#[test]
fn those_who_wanted_the_status_and_are_gone_pile_up_nowhere() {
    stays_within_the_bound("gone from the status");
}

#[test]
fn those_who_wanted_the_history_of_a_repo_that_hangs_and_are_gone_pile_up_nowhere() {
    stays_within_the_bound("gone from the history");
}

#[test]
fn declarations_of_ids_that_a_repo_that_hangs_is_searched_for_pile_up_nowhere() {
    stays_within_the_bound("gone from a search");
}

#[test]
fn declarations_while_the_journal_is_read_anew_whose_askers_are_gone_pile_up_nowhere() {
    stays_within_the_bound("gone from a journal that is read");
}

#[test]
fn keys_of_rotations_that_wait_are_not_in_memory_neither_in_their_life_nor_in_the_next() {
    // These have 256 MiB. RocksDB takes its part, which does not grow with what waits.
    stays_within("waiting rotations", 128 * 1_024);
}

fn requests() -> usize {
    let told = env::var(REQUESTS).map(|told| told.parse().expect("a number"));
    told.unwrap_or(DEFAULT_REQUESTS)
}

/// A number of KiB that the system tells of this process.
fn kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the system tells it");
    let mut lines = status.lines();
    let line = lines
        .find_map(|line| line.strip_prefix(name))
        .expect("it is told");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

/// Floods a little first, so that everything that is there once is there, and then says by how much
/// the flood raised the highest memory above what there was before it.
async fn measured<A, F>(ask: A)
where
    A: Fn(usize) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = String> + Send,
{
    for requests in [requests() / 20, requests()] {
        // The highest is that of this flood alone.
        drop(fs::write("/proc/self/clear_refs", "5"));
        let before = kib("VmRSS:");
        let mut clients = Clients::tasks(requests / CLIENTS, ask.clone());
        let tally = clients.end_late(CLIENTS).await;
        assert_eq!(tally.total(), requests / CLIENTS * CLIENTS);
        let grew = kib("VmHWM:").saturating_sub(before);
        if requests == self::requests() {
            println!("requests: {}\ngrew by KiB: {grew}", tally.total());
        }
    }
}

async fn answered() {
    let manager = on(MemoryRepo::new()).await;
    define(&manager, Source::default().round_trip("flooded")).await;
    measured(move |_| {
        let manager = manager.clone();
        async move { told(manager.get_key("flooded").await) }
    })
    .await;
}

/// Eight keys at their default bounds, with every place taken, and refusing more.
async fn admitted() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    for key in 0..8 {
        let stated = Source::default().round_trip(&format!("key {key}"));
        let stated = stated.request_time_limit(NEVER).stateless(false);
        define(&manager, stated).await;
    }
    repo.hang();
    drop(fs::write("/proc/self/clear_refs", "5"));
    let before = kib("VmRSS:");
    let mut admitted = Vec::new();
    for key in 0..8 {
        let key = format!("key {key}");
        for _ in 0..1_100 {
            let (manager, key) = (manager.clone(), key.clone());
            admitted.push(tokio::spawn(async move {
                told(manager.get_back_path_key(&key).await)
            }));
        }
    }
    for key in 0..8 {
        until("its places are taken", async || {
            waiting(&manager, &format!("key {key}")).await >= 768
        })
        .await;
    }
    let grew = kib("VmHWM:").saturating_sub(before);
    println!("requests: {}\ngrew by KiB: {grew}", admitted.len());
    repo.go_on();
    for answer in admitted {
        let told = within(answer).await.expect("no panic");
        assert!(told == "value_1" || told == "busy", "{told}");
    }
}

/// A key whose store hangs, with all the places taken that may wait for it.
async fn hanging() -> (KeysManagement, Source) {
    let (manager, source) = (on(MemoryRepo::new()).await, Source::default());
    let key = source.round_trip("flooded").max_requests(64);
    let key = key.store_time_limit(NEVER).request_time_limit(NEVER);
    define(&manager, key).await;
    source.hang();
    for _ in 0..48 {
        let manager = manager.clone();
        tokio::spawn(async move { drop(manager.get_forward_path_key("flooded").await) });
    }
    until("they wait", async || {
        waiting(&manager, "flooded").await == 48
    })
    .await;
    (manager, source)
}

async fn refused() {
    let (manager, _source) = hanging().await;
    measured(move |_| {
        let manager = manager.clone();
        async move {
            let told = told(manager.get_forward_path_key("flooded").await);
            assert_eq!(told, "busy");
            told
        }
    })
    .await;
}

/// A key with a rotation that runs, and never ends.
async fn rotating(waiting: usize) -> (KeysManagement, RotationId) {
    let (manager, gate) = (on(MemoryRepo::new()).await, Gate::default());
    let key = Source::default().round_trip("flooded");
    let key = key.max_waiting_rotations(waiting);
    define(&manager, key.callback_time_limit(NEVER)).await;
    let passed = Arc::new(gate.clone());
    let call = move |_: keyward::KeyChange| {
        let gate = Arc::clone(&passed);
        async move { gate.pass().await }
    };
    let registered = manager.register_on_change("flooded", "hangs", call).await;
    registered.expect("it registers");
    let declared = manager.declare(Change::of("flooded")).await;
    gate.arrived(1).await;
    (manager, declared.expect("it is accepted"))
}

async fn too_many_rotations() {
    let (manager, _id) = rotating(4).await;
    for _ in 0..4 {
        let declared = manager.declare(Change::of("flooded")).await;
        declared.expect("it waits");
    }
    measured(move |_| {
        let manager = manager.clone();
        async move {
            let told = done(&manager.declare(Change::of("flooded")).await);
            assert_eq!(told, "busy");
            told.to_owned()
        }
    })
    .await;
}

fn gone<T>(answer: Option<T>) -> String {
    let told = if answer.is_none() { "gone" } else { "told" };
    told.to_owned()
}

async fn gone_from_the_store() {
    let (manager, source) = (on(MemoryRepo::new()).await, Source::default());
    define(&manager, source.round_trip("flooded")).await;
    source.hang();
    let asked = manager.clone();
    measured(move |_| {
        let manager = asked.clone();
        async move { gone(ask_and_go(manager.get_forward_path_key("flooded")).await) }
    })
    .await;
    until("nobody waits", async || {
        waiting(&manager, "flooded").await == 0
    })
    .await;
}

async fn gone_from_the_repo() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    let stated = Source::default().round_trip("flooded").stateless(false);
    define(&manager, stated).await;
    repo.hang();
    measured(move |_| {
        let manager = manager.clone();
        async move { gone(ask_and_go(manager.get_back_path_key("flooded")).await) }
    })
    .await;
    repo.go_on();
}

async fn gone_from_a_rotation() {
    let (manager, id) = rotating(4).await;
    measured(move |_| {
        let manager = manager.clone();
        async move { gone(ask_and_go(manager.wait(id)).await) }
    })
    .await;
}

async fn gone_from_the_status() {
    let (manager, _id) = rotating(4).await;
    measured(move |_| {
        let manager = manager.clone();
        async move { gone(ask_and_go(manager.status()).await) }
    })
    .await;
}

async fn gone_from_the_history() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    repo.hang();
    measured(move |_| {
        let manager = manager.clone();
        async move { gone(ask_and_go(manager.history(10)).await) }
    })
    .await;
    repo.go_on();
}

async fn gone_from_a_search() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    define(&manager, Source::default().round_trip("flooded")).await;
    repo.hang();
    measured(move |_| {
        let manager = manager.clone();
        async move {
            let change = Change::of("flooded").old("value_1").id(Uuid::new_v4());
            let mut declared = pin!(manager.declare(change));
            let answer = ask_and_go(&mut declared).await;
            // By now the search may have been asked for.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            gone(answer)
        }
    })
    .await;
    repo.go_on();
}

/// A coordinator that died, and whose successor reads a journal that hangs: large declarations are
/// deferred, and given up.
async fn gone_from_a_journal_that_is_read() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    define(&manager, Source::default().round_trip("flooded")).await;
    repo.hang();
    assert!(manager.kill_actor(&ActorName::Coordinator, 1));
    repo.gate().arrived(1).await;
    let new_keys: Arc<str> = "n".repeat(100_000).into();
    let asked = manager.clone();
    measured(move |_| {
        let (manager, new_keys) = (asked.clone(), Arc::clone(&new_keys));
        async move {
            let change = Change::of("flooded").old("value_1").new_keys(&*new_keys);
            gone(ask_and_go(manager.declare(change)).await)
        }
    })
    .await;
    repo.go_on();
    let declared = within(manager.declare(Change::of("flooded"))).await;
    declared.expect("it goes on");
}

/// Seals nothing: a cipher that is not optimized takes minutes for so many bytes.
struct Plain;

impl CryptoTool for Plain {
    fn seal(&self, plain: &[u8], _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Ok(plain.to_vec())
    }

    fn open(&self, sealed: &[u8], _: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Ok(Zeroizing::new(sealed.to_vec()))
    }
}

/// A manager on this folder, with the key `documents` and a callback of it that waits at the gate.
async fn on_folder(folder: &Path, gate: &Gate) -> KeysManagement {
    let builder = builder().data_folder(folder).crypto_tool(Plain);
    let manager = builder.start().await.expect("it starts");
    let key = Source::default().round_trip("documents");
    let key = key.max_waiting_rotations(WAITING);
    define(&manager, key.callback_time_limit(NEVER)).await;
    let gate = gate.clone();
    let call = move |change: KeyChange| {
        let gate = gate.clone();
        let (old, new) = (change.old_keys.clone(), change.new_keys.clone());
        async move {
            gate.pass().await;
            let is_whole = |keys: Option<SecretKeyPair>| {
                keys.is_some_and(|pair| pair.forward().expose().len() == MIB)
            };
            if is_whole(old) && is_whole(new) {
                Ok(())
            } else {
                Err("the keys are not those that were declared")
            }
        }
    };
    let registered = manager.register_on_change("documents", "waits", call).await;
    registered.expect("it registers");
    manager
}

const MIB: usize = 1_024 * 1_024;
const WAITING: usize = 128;

/// So many rotations wait, each with 2 MiB of keys; in this life, and in the next.
async fn waiting_rotations() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Gate::default();
    let manager = on_folder(&folder.path().join("data"), &gate).await;
    drop(fs::write("/proc/self/clear_refs", "5"));
    let before = kib("VmRSS:");
    let mut ids = Vec::new();
    for no in 0..WAITING {
        let keys = |which: u8| SecretKeyValue::new(vec![which.wrapping_add(no as u8); MIB]);
        let change = Change::of("documents").old(keys(1)).new_keys(keys(2));
        ids.push(manager.declare(change).await.expect("it is accepted"));
    }
    let mut grew = kib("VmRSS:").saturating_sub(before);
    println!("in its life: {grew} KiB");
    let last = ids.last().copied().expect("there are some");
    let keys = manager.recover_keys(last).await.expect("it holds them");
    assert_eq!(
        keys.new.expect("they were declared").back().expose().len(),
        MIB
    );
    manager.shutdown().await.expect("it shuts down");
    drop(manager);
    drop(fs::write("/proc/self/clear_refs", "5"));
    let before = kib("VmRSS:");
    let manager = on_folder(&folder.path().join("data"), &gate).await;
    grew = grew.max(kib("VmHWM:").saturating_sub(before));
    println!("requests: {WAITING}\ngrew by KiB: {grew}");
    // Each gets its own keys when it begins.
    gate.open();
    let report = manager.wait(ids[2]).await.expect("it ends");
    assert_eq!(report.state, RotationState::Completed, "{report:?}");
}
