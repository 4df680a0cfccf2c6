//! Callbacks: any sync or async closure that takes a [`KeyChange`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::guard::foreign::Foreign;
use crate::key::state::Effect;
#[cfg(feature = "embedded")]
use crate::rotation::instance::CallbackOf;
use crate::secret::text::ForeignText;
use crate::secret::value::SecretKeyPair;
use crate::worker::handle::OnChangeKeyDefinition;

/// What a callback is given.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyChange {
    /// The old keys, if any were declared or held.
    pub old_keys: Option<SecretKeyPair>,
    /// The new keys, if they were declared.
    pub new_keys: Option<SecretKeyPair>,
    /// The handle on the key and on this call.
    pub key: OnChangeKeyDefinition,
}

/// How a callback ended, as its own code says: the effect on the data, or an error text.
pub type CallbackResult = Result<Effect, ForeignText>;

/// What a callback answers that is being dropped.
const GONE: &str = "the callback is gone";

type AsyncCall =
    dyn Fn(KeyChange) -> Pin<Box<dyn Future<Output = CallbackResult> + Send>> + Send + Sync;
type BlockingCall = dyn Fn(KeyChange) -> CallbackResult + Send + Sync;

/// A callback, ready to be registered; closures become one by themselves.
#[cfg_attr(
    not(any(feature = "client", feature = "embedded")),
    allow(dead_code, reason = "what calls it is not in this build")
)]
#[derive(Clone)]
pub struct Callback {
    pub(crate) runs: CallbackKind,
    /// Whether what it changes ends with the process.
    pub(crate) in_memory: bool,
}

/// Where a callback runs.
#[cfg_attr(
    not(any(feature = "client", feature = "embedded")),
    allow(dead_code, reason = "what calls it is not in this build")
)]
#[derive(Clone)]
pub(crate) enum CallbackKind {
    /// On keyward's runtime.
    Async(Arc<AsyncCall>),
    /// On a thread set apart.
    Blocking(Arc<BlockingCall>),
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.runs {
            CallbackKind::Async(_) => "Callback(async)",
            CallbackKind::Blocking(_) => "Callback(blocking)",
        })
    }
}

/// What a callback may return: nothing, an [`Effect`], or a result of either.
pub trait CallbackAnswer {
    /// The answer as keyward takes it.
    fn into_result(self) -> CallbackResult;
}

impl CallbackAnswer for () {
    fn into_result(self) -> CallbackResult {
        Ok(Effect::Nothing)
    }
}

impl CallbackAnswer for Effect {
    fn into_result(self) -> CallbackResult {
        Ok(self)
    }
}

impl<T: CallbackAnswer, E: fmt::Display + 'static> CallbackAnswer for Result<T, E> {
    fn into_result(self) -> CallbackResult {
        match self {
            Ok(answer) => answer.into_result(),
            Err(error) => Err(ForeignText::of_error(&error)),
        }
    }
}

/// What can be registered as a callback. `Marker` is found by the compiler: what a closure answers tells
/// one that answers at once, on a thread set apart, from one that answers a future, on keyward's runtime.
pub trait IntoCallback<Marker> {
    /// The callback.
    fn into_callback(self) -> Callback;
}

impl IntoCallback<()> for Callback {
    fn into_callback(self) -> Callback {
        self
    }
}

impl<F, A> IntoCallback<(A,)> for F
where
    F: Fn(KeyChange) -> A + Send + Sync + 'static,
    A: CallbackAnswer,
{
    fn into_callback(self) -> Callback {
        let kept = Foreign::new(self);
        Callback::of_data(CallbackKind::Blocking(Arc::new(move |change| {
            match kept.get() {
                Some(call) => call(change).into_result(),
                None => Err(GONE.into()),
            }
        })))
    }
}

impl<F, Fut> IntoCallback<(Fut, Fut::Output)> for F
where
    F: Fn(KeyChange) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: CallbackAnswer,
{
    fn into_callback(self) -> Callback {
        let kept = Foreign::new(self);
        let call: Arc<AsyncCall> = Arc::new(move |change| {
            let answer = kept.get().map(|call| call(change));
            Box::pin(async move {
                match answer {
                    Some(answer) => answer.await.into_result(),
                    None => Err(GONE.into()),
                }
            })
        });
        Callback::of_data(CallbackKind::Async(call))
    }
}

impl Callback {
    fn of_data(runs: CallbackKind) -> Self {
        Self {
            runs,
            in_memory: false,
        }
    }

    /// The same as a callback of memory.
    pub(crate) fn of_memory(self) -> Self {
        Self {
            in_memory: true,
            ..self
        }
    }

    /// What it changes.
    #[cfg(feature = "embedded")]
    pub(crate) fn of(&self) -> CallbackOf {
        if self.in_memory {
            CallbackOf::Memory
        } else {
            CallbackOf::Data
        }
    }

    /// Whether it needs a thread of its own while it runs.
    pub fn blocks(&self) -> bool {
        match self.runs {
            CallbackKind::Async(_) => false,
            CallbackKind::Blocking(_) => true,
        }
    }
}
