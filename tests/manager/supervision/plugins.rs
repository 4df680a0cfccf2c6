//! Panics inside every call of every plug-in.

use keyward::crypto::error::CryptoError;
use keyward::management::testing::{Plugin, PluginPanics};
use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;
use keyward::store::closure::IntoStore;
use keyward::{
    AeadCryptoTool, Change, CommandStore, CryptoTool, Effect, EnvStore, FileStore, KeyChange,
    MemoryRepo, RotationState, SecretKeyDefinition, StateRepo,
};

use crate::support::log::Log;
use crate::support::{Gate, SHORT, builder, define, in_memory, until, within};
use crate::world::{Source, back, forward};

/// A life in which the call of this number of a plug-in panics; answers whether there was one.
async fn story(plugin: Plugin, call: u64) -> bool {
    let panics = PluginPanics::default();
    let started = builder()
        .state_repo(MemoryRepo::new())
        .plugin_panics(panics.clone())
        .reopen_every(std::time::Duration::from_millis(10))
        .start()
        .await;
    let manager = started.unwrap();
    let source = Source::new("value_1");
    define(&manager, source.documents().stateless(false)).await;
    let reencrypts = |_: KeyChange| Effect::Reencrypted;
    manager
        .register_on_change("documents", "callback", reencrypts)
        .await
        .unwrap();
    panics.panic_at(plugin, call);
    if forward(&manager).await != "value_1" {
        assert_eq!(plugin, Plugin::Store);
        assert_eq!(
            forward(&manager).await,
            "value_1",
            "a panic is of one request"
        );
    }
    if let Err(error) = manager.save_state("documents").await {
        assert!(error.is_retriable(), "{error}");
        until("it is saved", async || {
            manager.save_state("documents").await.is_ok()
        })
        .await;
    }
    let id = uuid::Uuid::from_u128(1);
    let change = || Change::of("documents").new_keys("value_2").id(id);
    until("it is accepted", async || {
        match manager.declare(change()).await {
            Ok(_) => true,
            Err(error) => {
                assert!(error.is_retriable(), "{error}");
                false
            }
        }
    })
    .await;
    let mut report = within(manager.wait(id.into())).await.unwrap();
    if report.state == RotationState::Stopped {
        assert_eq!(plugin, Plugin::Callback, "{report:?}");
        assert!(
            report.steps[0]
                .error
                .as_deref()
                .unwrap()
                .contains("panicked")
        );
        manager.resume(id.into()).await.unwrap();
        report = within(manager.wait(id.into())).await.unwrap();
    }
    assert_eq!(
        report.state,
        RotationState::Completed,
        "{plugin:?} {call}: {report:?}"
    );
    assert_eq!(back(&manager).await, "value_2");
    let died = manager.status().await.unwrap().actors;
    assert!(died.iter().all(|actor| actor.restarts == 0), "{died:?}");
    let panicked = !panics.is_to_come(plugin);
    panics.panic_at(plugin, 0);
    within(manager.shutdown()).await.unwrap();
    panicked
}

async fn stories(plugin: Plugin) -> u64 {
    let mut calls = 0;
    while story(plugin, calls + 1).await {
        calls += 1;
    }
    calls
}

#[tokio::test]
async fn a_panic_in_any_call_of_a_store_is_an_error_of_that_request() {
    assert!(stories(Plugin::Store).await >= 1);
}

#[tokio::test]
async fn a_panic_in_any_callback_is_its_failure() {
    assert_eq!(stories(Plugin::Callback).await, 1);
}

#[tokio::test]
async fn after_a_panic_in_any_call_of_the_state_repo_all_goes_on() {
    let calls = stories(Plugin::Repo).await;
    assert!(calls >= 10, "only {calls} calls");
}

#[tokio::test]
async fn after_a_panic_in_any_call_of_the_crypto_tool_all_goes_on() {
    let calls = stories(Plugin::Crypto).await;
    assert!(calls >= 10, "only {calls} calls");
}

/// Blocks its thread, as async code must not.
fn blocks(gate: &Gate) -> impl Fn() -> std::future::Ready<&'static str> + Send + Sync + use<> {
    let gate = gate.clone();
    move || {
        gate.pass_blocking();
        std::future::ready("value_1")
    }
}

#[tokio::test]
async fn async_plug_ins_that_block_their_threads_are_named_and_others_go_on() {
    let log = Log::begin();
    let manager = in_memory().await;
    let gate = Gate::default();
    for no in 0..6 {
        let name = format!("blocking its thread {no}");
        let key = SecretKeyDefinition::one_way(name.as_str(), blocks(&gate));
        define(&manager, key.store_time_limit(SHORT)).await;
    }
    let key = SecretKeyDefinition::one_way("blocked in a callback", || "v");
    define(&manager, key.callback_time_limit(SHORT)).await;
    let passed = gate.clone();
    let call = move |_: KeyChange| {
        let passed = passed.clone();
        async move { passed.pass_blocking() }
    };
    let key = "blocked in a callback";
    let registered = manager.register_on_change(key, "blocking", call).await;
    registered.unwrap();
    let asked: Vec<_> = (0..6)
        .map(|no| {
            let manager = manager.clone();
            let key = format!("blocking its thread {no}");
            tokio::spawn(async move { manager.get_key(&key).await.unwrap_err() })
        })
        .collect();
    let id = manager.declare(Change::of(key).new_keys("n")).await;
    gate.arrived(7).await;
    // One thread is left, and the timers.
    let store = async || {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        "value_1"
    };
    define(&manager, SecretKeyDefinition::one_way("awaits", store)).await;
    let call = async |_: KeyChange| {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let registered = manager.register_on_change("awaits", "sleeps", call).await;
    registered.unwrap();
    for _ in 0..20 {
        within(manager.get_key("awaits")).await.unwrap();
    }
    let changed = within(manager.key_changed(Change::of("awaits").new_keys("n"))).await;
    assert_eq!(changed.unwrap().state, RotationState::Completed);
    for error in asked {
        let error = within(error).await.unwrap();
        assert_eq!(error.code(), "store_failed");
    }
    let report = within(manager.wait(id.unwrap())).await.unwrap();
    let said = crate::support::error(&report, "main", "blocking");
    assert!(said.contains("still running"), "{said}");
    // A store that blocks its thread is not asked again while it does: it would take all of them.
    for no in 0..6 {
        let key = format!("blocking its thread {no}");
        let again = manager.get_key(&key).await.unwrap_err().to_string();
        assert!(again.contains("still runs"), "{again}");
    }
    assert_eq!(gate.count(), 7);
    for no in 0..6 {
        let key = format!("blocking its thread {no}");
        let named = ["WARN", key.as_str(), "an async store blocks its thread"];
        until("it is named", async || log.lines(&named).len() == 1).await;
    }
    let words = ["blocked in a callback", "main", "blocking"];
    until("it is named", async || {
        !log.lines(&[
            "WARN",
            "an async callback blocks",
            words[0],
            words[1],
            words[2],
        ])
        .is_empty()
    })
    .await;
    assert!(log.lines(&["blocks its thread", "awaits"]).is_empty());
    gate.open();
    until("its thread is back", async || {
        manager.get_key("blocking its thread 0").await.is_ok()
    })
    .await;
    within(manager.shutdown()).await.unwrap();
}

#[tokio::test]
async fn keys_from_variables_files_and_commands_go_on_while_all_threads_of_plug_ins_are_blocked() {
    let started = builder()
        .state_repo(MemoryRepo::new())
        .async_threads(2)
        .store_threads(2)
        .start()
        .await;
    let manager = started.unwrap();
    let gate = Gate::default();
    for no in 0..4 {
        let name = format!("async {no}");
        define(&manager, SecretKeyDefinition::one_way(name, blocks(&gate))).await;
        let passed = gate.clone();
        let store = move || {
            passed.pass_blocking();
            "value_1"
        };
        let name = format!("sync {no}");
        define(&manager, SecretKeyDefinition::one_way(name, store)).await;
    }
    let asked: Vec<_> = (0..4)
        .flat_map(|no| [format!("async {no}"), format!("sync {no}")])
        .map(|key| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.get_key(&key).await.is_ok() })
        })
        .collect();
    gate.arrived(4).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "from a file").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, private).unwrap();
    let command = CommandStore::new("echo").arg("a key");
    let stores = [
        ("variable", EnvStore::new("PATH").into_store()),
        ("file", FileStore::new(&path).into_store()),
        ("command", command.into_store()),
    ];
    for (key, store) in stores {
        define(&manager, SecretKeyDefinition::one_way(key, store)).await;
        let call = |_: KeyChange| {};
        let registered = manager.register_on_change(key, "blocking", call).await;
        registered.unwrap();
        for _ in 0..5 {
            within(manager.get_key(key)).await.unwrap();
        }
        let changed = within(manager.key_changed(Change::of(key).new_keys("n"))).await;
        assert_eq!(changed.unwrap().state, RotationState::Completed);
    }
    assert_eq!(gate.count(), 4, "no more begin than there are threads");
    gate.open();
    for asked in asked {
        assert!(within(asked).await.unwrap());
    }
}

/// Panics when it is dropped, and tells on which thread that is.
struct TellsItsDrop(std::sync::mpsc::Sender<String>);

impl Drop for TellsItsDrop {
    fn drop(&mut self) {
        let here = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = self.0.send(here);
        panic!("a drop that panics");
    }
}

#[tokio::test]
async fn no_thread_of_keywards_own_drops_a_store_or_a_callback_however_it_goes_away() {
    let (told, dropped) = std::sync::mpsc::channel();
    let store = |async_one: bool| {
        let kept = TellsItsDrop(told.clone());
        let kept = std::sync::Arc::new(kept);
        match async_one {
            true => (move || {
                let kept = std::sync::Arc::clone(&kept);
                async move {
                    let _kept = &kept;
                    "value_1"
                }
            })
            .into_store(),
            false => (move || {
                let _kept = &kept;
                "value_1"
            })
            .into_store(),
        }
    };
    let callback = || {
        let kept = TellsItsDrop(told.clone());
        move |_: KeyChange| {
            let _kept = &kept;
        }
    };
    let manager = in_memory().await;
    let mut kept = 0;
    for async_one in [true, false] {
        let name = format!("a key {async_one}");
        let definition = || SecretKeyDefinition::one_way(name.as_str(), store(async_one));
        define(&manager, definition()).await;
        let refused = manager.define_key(definition()).await;
        assert_eq!(refused.unwrap_err().code(), "invalid_definition");
        let abandoned =
            tokio::time::timeout(std::time::Duration::ZERO, manager.define_key(definition()));
        drop(abandoned.await);
        within(manager.get_key(&name)).await.unwrap();
        let register = |callback_name: &'static str| {
            manager.register_on_change(&name, callback_name, callback())
        };
        register("stays").await.unwrap();
        let refused = register("stays").await;
        assert_eq!(refused.unwrap_err().code(), "callback_taken");
        register("leaves").await.unwrap();
        let changed = within(manager.key_changed(Change::of(&name).new_keys("n"))).await;
        assert_eq!(changed.unwrap().state, RotationState::Completed);
        let removed = manager.remove_callback("main", &name, "leaves").await;
        removed.unwrap();
        let worker = manager.join(&format!("worker {async_one}")).await.unwrap();
        let registered = worker.register_on_change(&name, "c", callback()).await;
        registered.unwrap();
        worker.leave().await.unwrap();
        kept += 7;
    }
    within(manager.shutdown()).await.unwrap();
    drop(manager);
    let here = std::thread::current().name().unwrap_or_default().to_owned();
    for _ in 0..kept {
        let thread = dropped.recv_timeout(std::time::Duration::from_secs(20));
        let thread = thread.expect("it is dropped in the end");
        let may = [
            here.as_str(),
            "keyward-drop",
            "keyward-store",
            "keyward-callback",
        ];
        assert!(may.contains(&thread.as_str()), "dropped on {thread}");
    }
}

#[tokio::test]
async fn a_refused_store_whose_drop_takes_long_keeps_no_other_key_waiting() {
    struct SlowToDrop(Gate);
    impl Drop for SlowToDrop {
        fn drop(&mut self) {
            self.0.pass_blocking();
        }
    }
    let (manager, gate) = (in_memory().await, Gate::default());
    let others = ["a", "b", "c", "d"];
    for name in others {
        define(&manager, Source::new("v").one_way(name)).await;
    }
    for _ in 0..4 {
        let kept = SlowToDrop(gate.clone());
        let store = move || {
            let _kept = &kept;
            "never"
        };
        let refused = manager
            .define_key(SecretKeyDefinition::one_way("a", store))
            .await;
        refused.unwrap_err();
    }
    gate.arrived(4).await;
    for name in others {
        within(manager.get_key(name)).await.unwrap();
    }
    gate.open();
}

/// A repo, or a crypto tool, that tells where it is dropped, and panics then.
struct Telling<T> {
    of: T,
    _tells: TellsItsDrop,
}

impl StateRepo for Telling<MemoryRepo> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.of.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.of.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.of.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.of.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.of.close()
    }
}

impl CryptoTool for Telling<AeadCryptoTool> {
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.of.seal(plain, associated)
    }

    fn open(
        &self,
        sealed: &[u8],
        associated: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, CryptoError> {
        self.of.open(sealed, associated)
    }
}

#[tokio::test]
async fn no_thread_of_an_actor_drops_a_repo_or_a_crypto_tool_and_a_panic_in_that_is_caught() {
    let (told, dropped) = std::sync::mpsc::channel();
    let repo = || Telling {
        of: MemoryRepo::new(),
        _tells: TellsItsDrop(told.clone()),
    };
    let tool = || Telling {
        of: AeadCryptoTool::derive(&crate::support::MASTER_KEY.into(), b"a test").unwrap(),
        _tells: TellsItsDrop(told.clone()),
    };
    let given = || builder().state_repo(repo()).crypto_tool(tool());
    let refused = given().store_threads(0).start().await;
    assert_eq!(refused.unwrap_err().code(), "zero_bound");
    let manager = given().start().await.unwrap();
    define(&manager, Source::new("v").documents().stateless(false)).await;
    assert_eq!(forward(&manager).await, "v");
    manager.save_state("documents").await.unwrap();
    within(manager.shutdown()).await.unwrap();
    drop(manager);
    for _ in 0..4 {
        let thread = dropped.recv_timeout(std::time::Duration::from_secs(20));
        let thread = thread.expect("it is dropped in the end");
        let is_actors = thread.contains("arbiter") || thread == "keyward-actors";
        assert!(
            !is_actors && thread != "keyward-timer",
            "dropped on {thread}"
        );
    }
}
