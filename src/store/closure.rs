//! Closures as stores: any sync or async closure without arguments is one, passed directly.

use std::any::Any;
use std::env::VarError;
use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use crate::secret::text::ForeignText;
use crate::secret::value::InvalidKey;
use crate::store::error::StoreError;
use crate::store::keys_store::{FetchResult, Fetched, Fetching, KeysStore, StoreRequest};
use crate::store::origin::{AskedByKeyward, StoreOrigin};

/// What can be given where a store is wanted: a [`KeysStore`], an `Arc` or `Box` of one, or a
/// closure without arguments that answers a [`StoreAnswer`] or a future of one.
///
/// A closure that is not async may block. `Marker` is found by the compiler: what a closure answers tells
/// the three apart. Name it by a type parameter of your own and forget it.
///
/// ```
/// use std::sync::Arc;
/// use keyward::store::{closure::IntoStore, env::EnvStore, keys_store::KeysStore};
///
/// fn store<M>(given: impl IntoStore<M>) -> Arc<dyn KeysStore> {
///     given.into_store()
/// }
///
/// store(|| "one value");
/// store(|| ("forward half", "back half"));
/// store(|| std::env::var("MY_KEY"));
/// store(|| async { Ok::<_, std::io::Error>(vec![1, 2, 3]) });
/// store(EnvStore::new("MY_KEY"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of keys",
    label = "neither a `KeysStore` nor a closure that answers keys",
    note = "a closure takes no arguments, is `Fn + Send + Sync + 'static`, and answers a value \
            (text or bytes), a pair of them, or an `Option` or `Result` of that, or a `Send` future \
            of one of these; an `async` closure moves clones of what it captured into its future"
)]
pub trait IntoStore<Marker> {
    /// The store.
    fn into_store(self) -> Arc<dyn KeysStore>;
}

impl<S: KeysStore> IntoStore<()> for S {
    fn into_store(self) -> Arc<dyn KeysStore> {
        Arc::new(self)
    }
}

impl<C, A> IntoStore<(A,)> for C
where
    C: Fn() -> A + Send + Sync + 'static,
    A: StoreAnswer,
{
    fn into_store(self) -> Arc<dyn KeysStore> {
        let closure = Arc::new(self);
        Arc::new(FromFetch(move || {
            let closure = Arc::clone(&closure);
            Fetching::blocking(move || closure().into_fetched())
        }))
    }
}

impl<C, F> IntoStore<(F, F::Output)> for C
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output: StoreAnswer> + Send,
{
    fn into_store(self) -> Arc<dyn KeysStore> {
        let closure = Arc::new(self);
        Arc::new(FromFetch(move || {
            let closure = Arc::clone(&closure);
            // The closure is called in the future: it is foreign code, and `fetch` runs unguarded.
            Fetching::future(async move { closure().await.into_fetched() })
        }))
    }
}

struct FromFetch<C>(C);

impl<C: Fn() -> Fetching + Send + Sync + 'static> KeysStore for FromFetch<C> {
    fn fetch(&self, _request: &StoreRequest) -> Fetching {
        self.0()
    }

    fn origin(&self, _: AskedByKeyward) -> StoreOrigin {
        StoreOrigin::Closure
    }
}

/// What a closure may answer: whatever turns into [`Fetched`] (a value, a pair), an `Option` of it
/// (`None` is `store_failed`), or a `Result` of either (an error is `store_failed` with its text).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer of a store",
    note = "a store answers a value (text or bytes), a pair of them, or an `Option` or `Result` of \
            that"
)]
pub trait StoreAnswer {
    /// The answer as what a fetch ends with.
    ///
    /// # Errors
    /// [`StoreError::Nothing`] for `None`; for an error, [`StoreError::Failed`] with its text, or
    /// the very same error if it is keyward's own.
    fn into_fetched(self) -> FetchResult;
}

impl<K: Into<Fetched>> StoreAnswer for K {
    fn into_fetched(self) -> FetchResult {
        Ok(self.into())
    }
}

impl<A: StoreAnswer> StoreAnswer for Option<A> {
    fn into_fetched(self) -> FetchResult {
        self.ok_or(StoreError::Nothing)?.into_fetched()
    }
}

impl<A: StoreAnswer, E: Display + 'static> StoreAnswer for Result<A, E> {
    fn into_fetched(self) -> FetchResult {
        match self {
            Ok(answer) => answer.into_fetched(),
            Err(error) => Err(failure(&error)),
        }
    }
}

fn failure<E: Display + 'static>(error: &E) -> StoreError {
    typed(error)
        .and_then(translated)
        .unwrap_or_else(|| StoreError::Failed {
            text: ForeignText::of_error(error),
        })
}

/// The error with its type, where that is one that `translated` has a word for.
fn typed(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(error.as_ref());
    }
    if let Some(error) = error.downcast_ref::<Box<dyn Error>>() {
        return Some(error.as_ref());
    }
    if let Some(error) = error.downcast_ref::<VarError>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<InvalidKey>() {
        return Some(error);
    }
    error.downcast_ref::<StoreError>().map(|error| error as _)
}

/// An error that says more by its type than by its text, or too much by its text:
/// [`VarError`] quotes a value that is not UTF-8, and that value is a key.
fn translated(error: &(dyn Error + 'static)) -> Option<StoreError> {
    if let Some(error) = error.downcast_ref::<VarError>() {
        return Some(match error {
            VarError::NotPresent => StoreError::Missing {
                what: "an environment variable".to_owned(),
            },
            VarError::NotUnicode(_) => StoreError::Failed {
                text: "the environment variable is not UTF-8; EnvStore takes any bytes".into(),
            },
        });
    }
    if let Some(reason) = error.downcast_ref::<InvalidKey>() {
        return Some((*reason).into());
    }
    error.downcast_ref::<StoreError>().cloned()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::unix::ffi::OsStringExt;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::secret::scrub::Scrubber;
    use crate::secret::value::{SecretKeyPair, SecretKeyValue, SecretKeys};
    use crate::store::env::EnvStore;

    fn fetching<M>(given: impl IntoStore<M>) -> Fetching {
        given.into_store().fetch(&StoreRequest::new("a key"))
    }

    fn fetched<M>(given: impl IntoStore<M>) -> FetchResult {
        match fetching(given) {
            Fetching::Blocking(fetch) => fetch(),
            Fetching::Async(fetch) => futures_util::FutureExt::now_or_never(fetch).unwrap(),
        }
    }

    fn single<M>(given: impl IntoStore<M>) -> Vec<u8> {
        let keys = fetched(given).unwrap().keys;
        assert!(!keys.is_pair());
        keys.to_pair().forward().expose().to_vec()
    }

    fn pair<M>(given: impl IntoStore<M>) -> (Vec<u8>, Vec<u8>) {
        let keys = fetched(given).unwrap().keys;
        assert!(keys.is_pair());
        let pair = keys.to_pair();
        let halves = (pair.forward().expose(), pair.back().expose());
        (halves.0.to_vec(), halves.1.to_vec())
    }

    fn error<M>(given: impl IntoStore<M>) -> StoreError {
        fetched(given).unwrap_err()
    }

    fn said(error: &StoreError) -> String {
        error.described(&Scrubber::default())
    }

    #[test]
    fn a_closure_may_answer_one_value_of_any_kind() {
        assert_eq!(single(|| "value"), b"value");
        assert_eq!(single(|| "value".to_owned()), b"value");
        assert_eq!(single(|| vec![1, 2]), [1, 2]);
        assert_eq!(single(|| [1, 2]), [1, 2]);
        assert_eq!(single(|| b"value"), b"value");
        assert_eq!(single(|| SecretKeyValue::from("value")), b"value");
        assert_eq!(single(|| SecretKeys::from("value")), b"value");
    }

    #[test]
    fn a_closure_may_answer_a_pair() {
        let halves = (b"enc".to_vec(), b"dec".to_vec());
        assert_eq!(pair(|| ("enc", "dec")), halves);
        assert_eq!(pair(|| ("enc".to_owned(), vec![100, 101, 99])), halves);
        assert_eq!(pair(|| SecretKeyPair::new("enc", "dec")), halves);
        assert_eq!(pair(|| async { ("enc", "dec") }), halves);
    }

    #[test]
    fn a_closure_may_answer_an_option_or_a_result() {
        assert_eq!(single(|| Some("value")), b"value");
        assert_eq!(single(|| Ok::<_, io::Error>("value")), b"value");
        assert_eq!(single(|| Ok::<_, String>(Some("value"))), b"value");
        assert_eq!(pair(|| Some(("a", "b"))), (b"a".to_vec(), b"b".to_vec()));
        assert!(matches!(error(|| None::<&str>), StoreError::Nothing));
        let nothing = error(|| Ok::<Option<String>, String>(None));
        assert!(matches!(nothing, StoreError::Nothing));
        assert_eq!(nothing.code(), "store_failed");
    }

    #[test]
    fn the_error_of_a_closure_is_the_stores_error() {
        let plain = error(|| Err::<String, _>(io::Error::other("the vault is shut")));
        assert_eq!(plain.code(), "store_failed");
        assert_eq!(said(&plain), "the store failed: the vault is shut");
        assert!(!format!("{plain} {plain:?}").contains("vault"));
        let text = error(|| Err::<&str, _>("shut"));
        assert_eq!(said(&text), "the store failed: shut");
        let boxed = error(|| -> Result<String, Box<dyn Error>> { Err("shut".into()) });
        assert_eq!(said(&boxed), "the store failed: shut");
        let own = error(|| Err::<&str, _>(StoreError::Invalid(InvalidKey::Empty)));
        assert_eq!(own.code(), "invalid_key");
        let own = error(|| SecretKeys::from("").check().map(|()| "never"));
        assert_eq!(own.code(), "invalid_key");
    }

    #[test]
    fn a_variable_that_is_no_text_is_not_quoted() {
        let value = || std::ffi::OsString::from_vec(b"canary\xff".to_vec());
        let direct = error(move || Err::<String, _>(VarError::NotUnicode(value())));
        let boxed = error(move || -> Result<String, Box<dyn Error + Send + Sync>> {
            Err(VarError::NotUnicode(value()).into())
        });
        for error in [direct, boxed] {
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn a_variable_may_be_read_by_a_closure() {
        assert!(!single(|| std::env::var("PATH")).is_empty());
        let missing = error(|| std::env::var("KEYWARD_NO_SUCH_VARIABLE"));
        assert!(matches!(missing, StoreError::Missing { .. }));
    }

    #[test]
    fn an_async_closure_may_answer_all_of_these() {
        struct MyError;
        impl Display for MyError {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("mine")
            }
        }
        assert_eq!(single(|| async { "value" }), b"value");
        assert_eq!(single(async || "value"), b"value");
        assert_eq!(single(|| async { Ok::<_, MyError>("v".to_string()) }), b"v");
        assert_eq!(single(|| async { Some(vec![7]) }), [7]);
        let failed = error(|| async { Err::<String, _>(MyError) });
        assert_eq!(said(&failed), "the store failed: mine");
        assert!(matches!(
            error(|| async { None::<String> }),
            StoreError::Nothing
        ));
    }

    #[test]
    fn a_closure_may_share_what_it_captures() {
        let shared = Arc::new(Mutex::new("first".to_owned()));
        let seen = Arc::clone(&shared);
        let store = (move || seen.lock().unwrap().clone()).into_store();
        assert_eq!(single(Arc::clone(&store)), b"first");
        *shared.lock().unwrap() = "second".to_owned();
        assert_eq!(single(store), b"second");

        let seen = Arc::clone(&shared);
        let later = move || {
            let seen = Arc::clone(&seen);
            async move {
                seen.lock()
                    .map(|text| text.clone())
                    .map_err(|e| e.to_string())
            }
        };
        assert_eq!(single(later), b"second");
    }

    #[test]
    fn functions_and_boxed_closures_are_closures() {
        fn named() -> Result<&'static str, io::Error> {
            Ok("value")
        }
        async fn named_async() -> Option<String> {
            Some("value".to_owned())
        }
        let boxed: Box<dyn Fn() -> String + Send + Sync> = Box::new(|| "value".to_owned());
        assert_eq!(single(named), b"value");
        assert_eq!(single(named_async), b"value");
        assert_eq!(single(boxed), b"value");
    }

    #[test]
    fn a_store_may_be_given_plain_boxed_or_shared() {
        let path = std::env::var("PATH").unwrap().into_bytes();
        let shared: Arc<dyn KeysStore> = Arc::new(EnvStore::new("PATH"));
        let boxed: Box<dyn KeysStore> = Box::new(EnvStore::new("PATH"));
        assert_eq!(single(EnvStore::new("PATH")), path);
        assert_eq!(single(shared), path);
        assert_eq!(single(boxed), path);
    }

    #[test]
    fn asking_a_store_what_a_fetch_is_calls_no_closure() {
        let calls = Arc::new(AtomicUsize::new(0));
        let (sync, asynchronous) = (Arc::clone(&calls), Arc::clone(&calls));
        let blocking = fetching(move || {
            sync.fetch_add(1, Ordering::Relaxed);
            "value"
        });
        let future = fetching(move || {
            asynchronous.fetch_add(1, Ordering::Relaxed);
            async { "value" }
        });
        assert!(matches!(blocking, Fetching::Blocking(_)));
        assert!(matches!(future, Fetching::Async(_)));
        drop((blocking, future));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    }
}
