//! What a store is refused with by itself, and what goes wrong around foreign code.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use keyward::guard::fault::Fault;
use keyward::guard::foreign_call::Ended;
use keyward::guard::plugins::{PluginThreads, Plugins};
use keyward::guard::this_thread::Role;
use keyward::secret::scrub::Scrubber;
use keyward::store::closure::IntoStore;
use keyward::store::keys_store::{FetchResult, Fetching, StoreRequest};
use keyward::{CommandStore, EnvStore, FileStore, KeysStore, StoreError};
use tokio::sync::oneshot;

use crate::canary::{OLD_FORWARD, PRINTED, TOLD};
use crate::commands::command;
use crate::errors::Seen;
use crate::support::{Gate, SHORT};

async fn fetched<M>(store: impl IntoStore<M>) -> FetchResult {
    match store.into_store().fetch(&StoreRequest::new("key")) {
        Fetching::Async(fetch) => fetch.await,
        Fetching::Blocking(fetch) => fetch(),
        other => panic!("an unknown way to fetch: {other:?}"),
    }
}

async fn refused<M>(seen: &mut Seen, variant: &str, store: impl IntoStore<M>) {
    let error = fetched(store).await.expect_err(variant);
    let knows = Scrubber::new([TOLD, OLD_FORWARD].map(Into::into));
    seen.said.add(&error.described(&knows));
    seen.real::<StoreError>(variant, error);
}

pub(super) async fn all(seen: &mut Seen) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    fs::write(&file, PRINTED).expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("it is mine");
    refused(seen, "SharedFile", FileStore::new(&file)).await;
    refused(seen, "Missing", FileStore::new(folder.path().join("none"))).await;
    refused(seen, "Missing", EnvStore::new("KEYWARD_NO_SUCH_VARIABLE")).await;
    refused(seen, "NotAFile", FileStore::new(folder.path())).await;
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is mine");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let Some(Fetching::Blocking(look)) = FileStore::new(&link).look(&StoreRequest::new("key"))
    else {
        panic!("a file is looked at where that may block");
    };
    seen.real::<StoreError>("NotWritable", look().expect_err("it is a link"));
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("it is mine");
    refused(seen, "Io", FileStore::new(file.join("below"))).await;
    refused(seen, "Failed", || Err::<&str, _>(format!("no: {TOLD}"))).await;
    refused(seen, "Failed", async || {
        Err::<&str, _>(std::io::Error::other(OLD_FORWARD))
    })
    .await;
    refused(seen, "Nothing", || None::<&str>).await;
    let none = CommandStore::new(folder.path().join("program"));
    refused(seen, "Start", none).await;
    not_made_here(seen);
    let fails = command("cat $1; cat $1 >&2; exit 1", &file);
    refused(seen, "Command", fails).await;
    let hangs = command("cat $1; cat $1 >&2; sleep 1000", &file);
    refused(seen, "TimedOut", hangs.time_limit(SHORT)).await;
    let endless = command("cat $1; exec head -c 1100000 /dev/zero", &file);
    refused(seen, "Invalid", endless).await;
    faults(seen).await;
}

/// What races, and tests in processes of their own, bring about.
fn not_made_here(seen: &mut Seen) {
    let reason = "it is made of names, and of what the system says";
    let files = "/keys/forward and /keys/back".to_owned();
    seen.constructed(
        "ReadOnly",
        StoreError::ReadOnly,
        "it has no words but its own",
    );
    seen.constructed("Unsettled", StoreError::Unsettled { files }, reason);
    let cause = std::io::Error::from_raw_os_error(11).into();
    let what = "another process";
    seen.constructed("Refused", StoreError::Refused { what, cause }, reason);
    seen.constructed("ChildrenIgnored", StoreError::ChildrenIgnored, reason);
    let program = "sh".to_owned();
    seen.constructed("Reaped", StoreError::Reaped { program }, reason);
}

async fn faults(seen: &mut Seen) {
    let threads = PluginThreads::default();
    let mut one = threads;
    one.stores = 1;
    let plugins = Plugins::start(one).expect("it starts");
    let long = Duration::from_secs(60);
    let gate = Gate::default();
    let held = gate.clone();
    let slot = plugins.store_threads().try_reserve().expect("a thread");
    let waits = move || {
        held.pass_blocking();
        TOLD
    };
    let (then, run) = ended();
    slot.run(waits, SHORT, then);
    let run = run.await.expect("every call is answered");
    seen.refused("TimedOut", run.answer);
    let none = plugins.store_threads().try_reserve();
    seen.refused::<_, Fault>("NoThread", none.map(drop));
    let why = "Resource temporarily unavailable".to_owned();
    let refused = Fault::ThreadRefused { why };
    seen.constructed("ThreadRefused", refused, "it quotes the system only");
    gate.open();
    run.returned.await;
    let panics = async || -> &'static str { panic!("a plug-in panics with {TOLD}") };
    let (then, run) = ended();
    plugins.run_async(Role::Store, panics, long, || (), then);
    let run = run.await.expect("every call is answered");
    let fault = run.answer.expect_err("it panics");
    let knows = Scrubber::new([TOLD.into()]);
    seen.said.add(&fault.described(&knows));
    seen.real("Panicked", fault);
    plugins.close();
    let gone = plugins.store_threads().try_reserve();
    seen.refused("Gone", gone.map(drop));
}

fn ended<T: Send + 'static>() -> (impl FnOnce(Ended<T>) + Send, oneshot::Receiver<Ended<T>>) {
    let (told, ended) = oneshot::channel();
    (move |end| drop(told.send(end)), ended)
}
