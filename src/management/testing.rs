//! Fault injection for tests, with the feature `testing` only: a plug-in call panics when a
//! test says so.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::guard::foreign::Foreign;
use crate::store::keys_store::{Fetching, KeysStore, StoreRequest, Swap};
use crate::store::origin::{AskedByKeyward, StoreOrigin};
use crate::worker::callback::{Callback, CallbackKind};

/// A kind of plug-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plugin {
    /// A store that is asked for keys.
    Store,
    /// A callback that is called.
    Callback,
    /// The state repo.
    Repo,
    /// The crypto tool.
    Crypto,
}

impl Plugin {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Store, Self::Callback, Self::Repo, Self::Crypto];
}

/// Which plug-in calls panic. A clone is the same one: a test keeps one and gives one to the builder.
#[derive(Clone, Default)]
pub struct PluginPanics {
    left: Arc<[AtomicU64; 4]>,
}

impl fmt::Debug for PluginPanics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PluginPanics")
    }
}

impl PluginPanics {
    /// The call of this number from now on panics, 1 being the next; 0 none.
    pub fn panic_at(&self, plugin: Plugin, call: u64) {
        self.counter(plugin).store(call, Ordering::SeqCst);
    }

    /// Whether the panic that was asked for last is still to come.
    pub fn is_to_come(&self, plugin: Plugin) -> bool {
        self.counter(plugin).load(Ordering::SeqCst) > 0
    }

    fn counter(&self, plugin: Plugin) -> &AtomicU64 {
        let [store, callback, repo, crypto] = &*self.left;
        match plugin {
            Plugin::Store => store,
            Plugin::Callback => callback,
            Plugin::Repo => repo,
            Plugin::Crypto => crypto,
        }
    }

    pub(super) fn pass(&self, plugin: Plugin) {
        let order = Ordering::SeqCst;
        let one_less = |left: u64| left.checked_sub(1);
        if self.counter(plugin).fetch_update(order, order, one_less) == Ok(1) {
            std::panic::resume_unwind(Box::new("a plug-in panics for a test"));
        }
    }

    pub(crate) fn store(&self, store: Foreign<Arc<dyn KeysStore>>) -> Foreign<Arc<dyn KeysStore>> {
        let panics = self.clone();
        store.map(|of| Arc::new(Panicking { of, panics }) as Arc<dyn KeysStore>)
    }

    pub(crate) fn callback(&self, callback: Callback) -> Callback {
        let panics = self.clone();
        let runs = match callback.runs {
            CallbackKind::Async(call) => CallbackKind::Async(Arc::new(move |change| {
                let (panics, called) = (panics.clone(), call(change));
                Box::pin(async move {
                    panics.pass(Plugin::Callback);
                    called.await
                })
            })),
            CallbackKind::Blocking(call) => CallbackKind::Blocking(Arc::new(move |change| {
                panics.pass(Plugin::Callback);
                call(change)
            })),
        };
        Callback { runs, ..callback }
    }
}

struct Panicking<T: ?Sized> {
    of: Arc<T>,
    panics: PluginPanics,
}

impl KeysStore for Panicking<dyn KeysStore> {
    fn fetch(&self, request: &StoreRequest) -> Fetching {
        self.panics.pass(Plugin::Store);
        self.of.fetch(request)
    }

    fn look(&self, request: &StoreRequest) -> Option<Fetching> {
        self.panics.pass(Plugin::Store);
        self.of.look(request)
    }

    fn replace(&self, request: &StoreRequest, swap: &Swap) -> Option<Fetching> {
        self.panics.pass(Plugin::Store);
        self.of.replace(request, swap)
    }

    fn files(&self, asked: AskedByKeyward) -> Vec<PathBuf> {
        self.of.files(asked)
    }

    fn origin(&self, asked: AskedByKeyward) -> StoreOrigin {
        self.of.origin(asked)
    }

    fn source(&self, asked: AskedByKeyward) -> String {
        self.of.source(asked)
    }
}
