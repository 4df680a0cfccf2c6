//! The trait that every source of keys implements, and what it is asked and answers.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::secret::value::SecretKeys;
use crate::store::error::StoreError;
use crate::store::origin::{AskedByKeyward, StoreOrigin};

/// What a store answers; it may grow. Keys become one by `into()`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// The store's present keys.
    pub keys: SecretKeys,
}

impl<K: Into<SecretKeys>> From<K> for Fetched {
    fn from(keys: K) -> Self {
        let keys = keys.into();
        Self { keys }
    }
}

/// What one fetch ends with.
pub type FetchResult = Result<Fetched, StoreError>;

/// What a store is asked for. It may grow; a store that needs none of it ignores it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreRequest {
    key_name: Arc<str>,
    within: Option<Within>,
}

/// The time limit of a fetch that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Within {
    limit: Duration,
    end: Instant,
}

impl StoreRequest {
    /// A request for the key of that name.
    pub fn new(key_name: impl Into<Arc<str>>) -> Self {
        Self {
            key_name: key_name.into(),
            within: None,
        }
    }

    /// The same request, for a fetch that began then and may take so long.
    pub(crate) fn within(&self, limit: Duration, begun: Instant) -> Self {
        let end = begun.checked_add(limit);
        Self {
            key_name: Arc::clone(&self.key_name),
            within: end.map(|end| Within { limit, end }),
        }
    }

    /// How long a store may still take that has a limit of its own, and which limit that is.
    pub(crate) fn left(&self, own: Duration) -> (Duration, Duration) {
        let left = |within: Within| within.end.saturating_duration_since(Instant::now());
        match self.within {
            Some(within) if left(within) < own => (left(within), within.limit),
            Some(_) | None => (own, own),
        }
    }

    /// The name of the key that is wanted, so that one store can serve several keys.
    pub fn key_name(&self) -> &str {
        &self.key_name
    }
}

/// One fetch that has not begun. Dropped before or while it runs, it is given up.
#[non_exhaustive]
pub enum Fetching {
    /// A future. It must not block, and it is run on keyward's own threads inside a tokio runtime (time
    /// and I/O are enabled), so it may use tokio. Dropping it ends it at its next await.
    Async(Pin<Box<dyn Future<Output = FetchResult> + Send>>),
    /// A function that may block. It is run on a thread set apart for that, and cannot be ended
    /// from outside: a time limit that passes leaves it running.
    Blocking(Box<dyn FnOnce() -> FetchResult + Send>),
}

impl Fetching {
    /// A fetch that is a future.
    pub fn future(fetch: impl Future<Output = FetchResult> + Send + 'static) -> Self {
        Self::Async(Box::pin(fetch))
    }

    /// A fetch that may block.
    pub fn blocking(fetch: impl FnOnce() -> FetchResult + Send + 'static) -> Self {
        Self::Blocking(Box::new(fetch))
    }
}

impl fmt::Debug for Fetching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "Fetching::Async",
            Self::Blocking(_) => "Fetching::Blocking",
        })
    }
}

/// New keys that are to take the place of those that a store has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swap {
    /// What a look answered. Where the store has others by now, nothing is replaced.
    pub expected: SecretKeys,
    /// The new keys.
    pub new: SecretKeys,
    /// The id of the change, for what is written on the way: the same whenever the swap is tried again.
    pub name: String,
}

impl Swap {
    /// A swap of these keys.
    pub fn new(
        expected: impl Into<SecretKeys>,
        new: impl Into<SecretKeys>,
        name: impl Into<String>,
    ) -> Self {
        let (expected, new, name) = (expected.into(), new.into(), name.into());
        Self {
            expected,
            new,
            name,
        }
    }
}

/// A source of keys: one value, or a pair.
///
/// Closures without arguments are stores too, see [`IntoStore`](crate::store::closure::IntoStore).
pub trait KeysStore: Send + Sync + 'static {
    /// Says what one fetch is. This call itself must be quick and must not block: it is made where
    /// nothing may wait. Everything that can take time, fail or panic belongs into what it answers.
    ///
    /// When the fetch answers keys, they are the store's present ones; each fetch asks anew. Values
    /// of no bytes or of more than 1 MiB may be answered and are refused later, as `invalid_key`.
    fn fetch(&self, request: &StoreRequest) -> Fetching;

    /// Says what a look is that comes before a [`replace`](Self::replace); none, the default, where keyward
    /// cannot write the store. It answers the store's keys, and may be repeated. It fails with
    /// [`StoreError::NotWritable`] where the store is of a kind that is written, and this one cannot be.
    fn look(&self, request: &StoreRequest) -> Option<Fetching> {
        let _ = request;
        None
    }

    /// Says what putting new keys in the place of the expected ones is; none, the default, where keyward
    /// cannot write the store. It answers the store's keys after it, and may be repeated: where its outcome is
    /// unknown, a look decides. A store that has other keys than the expected ones leaves them and answers
    /// them; of a pair each half counts by itself, so that one that a crash left half new is finished.
    fn replace(&self, request: &StoreRequest, swap: &Swap) -> Option<Fetching> {
        let _ = (request, swap);
        None
    }

    /// Which files it reads, so that no two keys have one that is written.
    #[doc(hidden)]
    fn files(&self, _: AskedByKeyward) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Where the code of `fetch`, and of what it answers, comes from. Only keyward's own stores can
    /// answer anything else.
    #[doc(hidden)]
    fn origin(&self, _: AskedByKeyward) -> StoreOrigin {
        StoreOrigin::Foreign
    }

    /// What events call the source of its keys: a path or a name, and never a key.
    #[doc(hidden)]
    fn source(&self, _: AskedByKeyward) -> String {
        "a store of the program's own".to_owned()
    }
}

impl<S: KeysStore + ?Sized> KeysStore for Arc<S> {
    fn fetch(&self, request: &StoreRequest) -> Fetching {
        (**self).fetch(request)
    }

    fn look(&self, request: &StoreRequest) -> Option<Fetching> {
        (**self).look(request)
    }

    fn replace(&self, request: &StoreRequest, swap: &Swap) -> Option<Fetching> {
        (**self).replace(request, swap)
    }

    fn files(&self, asked: AskedByKeyward) -> Vec<PathBuf> {
        (**self).files(asked)
    }

    fn origin(&self, asked: AskedByKeyward) -> StoreOrigin {
        (**self).origin(asked)
    }

    fn source(&self, asked: AskedByKeyward) -> String {
        (**self).source(asked)
    }
}

impl<S: KeysStore + ?Sized> KeysStore for Box<S> {
    fn fetch(&self, request: &StoreRequest) -> Fetching {
        (**self).fetch(request)
    }

    fn look(&self, request: &StoreRequest) -> Option<Fetching> {
        (**self).look(request)
    }

    fn replace(&self, request: &StoreRequest, swap: &Swap) -> Option<Fetching> {
        (**self).replace(request, swap)
    }

    fn files(&self, asked: AskedByKeyward) -> Vec<PathBuf> {
        (**self).files(asked)
    }

    fn origin(&self, asked: AskedByKeyward) -> StoreOrigin {
        (**self).origin(asked)
    }

    fn source(&self, asked: AskedByKeyward) -> String {
        (**self).source(asked)
    }
}
