//! Lives of programs with a callback that kills its process again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::worker::callback::KeyChange;
use keyward::{Change, Effect, KeysManagement, RotationReport, RotationState, SecretKeyDefinition};
use uuid::Uuid;

use crate::crash::life::Log;
use crate::support;
use crate::support::killer::die;

/// A program whose callback `kills` kills it, until the file `mended` is there. With the file
/// `resume`, it resumes the rotation where it finds it stopped.
pub async fn live_with_a_killer(folder: PathBuf) {
    let log = Log::open(&folder);
    let manager = open(&folder).await;
    manager
        .define_key(definition("documents"))
        .await
        .expect("it is defined");
    let (mended, told) = (folder.join("mended"), log.clone());
    let kills = move |change: KeyChange| {
        told.tell(&format!("begin kills {}", change.key.attempt()));
        if !mended.exists() {
            die();
        }
    };
    manager
        .register_on_change("documents", "kills", kills)
        .await
        .expect("it registers");
    let told = log.clone();
    let after = move |_: KeyChange| told.tell("begin after");
    manager
        .register_on_change("documents", "after", after)
        .await
        .expect("it registers");
    let change = change("documents", 1);
    let id = manager.declare(change).await.expect("it is accepted");
    let mut report = manager.wait(id).await.expect("it settles");
    if report.state == RotationState::Stopped && folder.join("resume").exists() {
        manager.resume(id).await.expect("it is resumed");
        report = manager.wait(id).await.expect("it settles");
    }
    tell(&log, &report);
    manager.shutdown().await.expect("it shuts down");
}

/// A program with two keys: in its first two lives a callback of each runs when it dies, later the
/// one of the key `deadly` kills it as soon as it is called.
pub async fn live_with_suspects(folder: PathBuf, life: u64) {
    let log = Log::open(&folder);
    let manager = open(&folder).await;
    for key in ["calm", "deadly"] {
        manager
            .define_key(definition(key))
            .await
            .expect("it is defined");
    }
    let runs = Arc::new(AtomicBool::new(false));
    let (told, calm_runs) = (log.clone(), Arc::clone(&runs));
    let calm = move |_: KeyChange| {
        told.tell("begin calm");
        calm_runs.store(true, Ordering::SeqCst);
        // Long enough for the other one to be called beside it, if that were done.
        std::thread::sleep(Duration::from_millis(50));
        if life <= 2 {
            loop {
                std::thread::park();
            }
        }
        told.tell("end calm");
    };
    manager
        .register_on_change("calm", "call", calm)
        .await
        .expect("it registers");
    let told = log.clone();
    let deadly = move |_: KeyChange| -> Effect {
        while life <= 2 && !runs.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        told.tell("begin deadly");
        die();
    };
    manager
        .register_on_change("deadly", "call", deadly)
        .await
        .expect("it registers");
    let ids = [
        manager
            .declare(change("calm", 1))
            .await
            .expect("it is accepted"),
        manager
            .declare(change("deadly", 2))
            .await
            .expect("it is accepted"),
    ];
    for id in ids {
        tell(&log, &manager.wait(id).await.expect("it settles"));
    }
    manager.shutdown().await.expect("it shuts down");
}

async fn open(folder: &Path) -> KeysManagement {
    let options = FolderOptions::new(folder.join("data"));
    support::on(RocksDbRepo::open(&options).expect("it opens after a crash")).await
}

fn definition(key: &str) -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip(key, || "value_1").callback_time_limit(support::LIMIT)
}

fn change(key: &str, id: u128) -> Change {
    Change::of(key)
        .old("value_1")
        .new_keys("value_2")
        .id(Uuid::from_u128(id))
}

fn tell(log: &Log, report: &RotationReport) {
    for step in &report.steps {
        log.tell(&format!(
            "report {} {} {} {} {} {}",
            report.key,
            report.state,
            step.callback,
            step.status,
            step.attempt,
            step.error.as_deref().unwrap_or_default(),
        ));
    }
}
