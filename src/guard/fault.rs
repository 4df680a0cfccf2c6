//! What may go wrong around foreign code, and the catching of its panics.

use std::any::Any;
use std::mem;
#[cfg(feature = "embedded")]
use std::panic::resume_unwind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::secret::scrub::Scrubber;
use crate::secret::text::ForeignText;
use crate::secret::visible::debug_with_code;

/// Why a call of foreign code has no answer of its own.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The foreign code was too slow. Async code is dropped at its next await; blocking code goes
    /// on, and keeps its thread. Look into what it waits for, or raise its limit.
    #[error("it did not answer within its time limit of {limit:?}")]
    TimedOut {
        /// The limit that passed.
        limit: Duration,
    },
    /// The foreign code panicked, which is a fault of its own.
    #[error("it panicked; what it said is withheld here, because it may quote a key")]
    Panicked {
        /// What the panic said. It may quote keys, so it shows itself only scrubbed.
        text: ForeignText,
    },
    /// As many calls of blocking code are under way as there may be. See which of them hang; try
    /// again when one has come back, or allow more threads.
    #[error("no thread is left for it: {threads} are allowed")]
    NoThread {
        /// How many threads of this kind are allowed.
        threads: usize,
    },
    /// The system refuses a thread, or a descriptor for it. The operator's: see `ulimit -u` and `-n`, and
    /// `pids.max` of the cgroup.
    #[error(
        "the system refuses a thread for it: {why}; see ulimit -u and -n, and pids.max of its cgroup"
    )]
    ThreadRefused {
        /// What the system said.
        why: String,
    },
    /// keyward is shutting down; this is no fault. Try again in the next life of the program.
    #[error("what runs it has been shut down")]
    Gone,
}

debug_with_code!(Fault);

impl Fault {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TimedOut { .. } => "timed_out",
            Self::Panicked { .. } => "panicked",
            Self::NoThread { .. } | Self::ThreadRefused { .. } => "no_thread",
            Self::Gone => "gone",
        }
    }

    /// The error in words, with a panic's text, which is withheld if it quotes a key that the caller knows.
    pub fn described(&self, scrubber: &Scrubber) -> String {
        match self {
            Self::Panicked { text } => format!("it panicked: {}", text.scrubbed(scrubber)),
            Self::TimedOut { .. }
            | Self::NoThread { .. }
            | Self::ThreadRefused { .. }
            | Self::Gone => self.to_string(),
        }
    }
}

/// Runs a short piece of foreign code in place, with no time limit: a crypto tool, a state repo.
///
/// What it had borrowed may be left half changed when it panics; the caller stops using it, or knows
/// that it stands that. A second panic while the first one unwinds ends the process, as it does
/// everywhere, and so does a panic where a program is built to abort on them.
///
/// # Errors
/// [`Fault::Panicked`].
#[cfg(any(feature = "client", feature = "embedded"))]
pub fn catch<T>(foreign: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(foreign)).map_err(|payload| Fault::Panicked {
        text: text_of(payload),
    })
}

/// Lets `act` do what `job` says; where that panics, `put_back` is given the job before the panic goes
/// on, so that it is not lost.
#[cfg(feature = "embedded")]
pub fn keeping<S, J>(
    state: &mut S,
    job: J,
    act: impl FnOnce(&mut S, &J),
    put_back: impl FnOnce(&mut S, J),
) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| act(state, &job))) {
        put_back(state, job);
        resume_unwind(panic);
    }
}

/// Drops something foreign; a panic in that is passed over, because no caller is left to be told.
pub(super) fn dispose<T>(foreign: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(foreign))) {
        discard(payload);
    }
}

#[cfg(any(feature = "client", feature = "embedded"))]
fn text_of(payload: Box<dyn Any + Send>) -> ForeignText {
    let payload = match payload.downcast::<String>() {
        Ok(text) => return ForeignText::from(*text),
        Err(payload) => payload,
    };
    let text = match payload.downcast_ref::<&'static str>() {
        Some(text) => ForeignText::from(*text),
        None => ForeignText::from("(the panic said nothing)"),
    };
    discard(payload);
    text
}

/// Drops what a panic carried. What a panic in that drop carries is leaked: it could go on for ever.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::value::SecretKeyValue;
    use std::panic::panic_any;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic_any(PanicsWhenDropped);
        }
    }

    fn said(fault: Result<(), Fault>) -> String {
        fault.map_or_else(
            |fault| fault.described(&Scrubber::default()),
            |()| String::new(),
        )
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let number = 7;
        assert_eq!(said(catch(|| panic!("plain"))), "it panicked: plain");
        assert_eq!(
            said(catch(|| panic!("number {number}"))),
            "it panicked: number 7"
        );
        assert_eq!(
            said(catch(|| panic_any(7_u8))),
            "it panicked: (the panic said nothing)"
        );
        assert_eq!(catch(|| 7), Ok(7));
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_does_not_escape() {
        assert_eq!(
            said(catch(|| panic_any(PanicsWhenDropped))),
            "it panicked: (the panic said nothing)"
        );
        dispose(PanicsWhenDropped);
    }

    #[test]
    fn a_panics_text_shows_itself_only_scrubbed() {
        let fault = catch(|| panic!("bad key: {}", "canary-value")).err();
        let shown = format!(
            "{fault:?} {}",
            fault.clone().map(|it| it.to_string()).unwrap_or_default()
        );
        assert!(!shown.contains("canary"), "{shown}");
        let scrubber = Scrubber::new([SecretKeyValue::from("canary-value")]);
        assert_eq!(
            fault.map(|fault| fault.described(&scrubber)).as_deref(),
            Some("it panicked: (withheld: the text contains a key value)")
        );
    }

    #[test]
    fn each_fault_has_a_code_of_its_own() {
        let faults = [
            Fault::TimedOut {
                limit: Duration::from_secs(1),
            },
            Fault::Panicked {
                text: ForeignText::from(String::new()),
            },
            Fault::NoThread { threads: 1 },
            Fault::Gone,
        ];
        let codes = faults.map(|fault| fault.code());
        assert_eq!(codes, ["timed_out", "panicked", "no_thread", "gone"]);
        let why = "Resource temporarily unavailable".to_owned();
        assert_eq!(Fault::ThreadRefused { why }.code(), "no_thread");
    }
}
