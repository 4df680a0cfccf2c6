//! Every error of every code, made by what makes it, with keys in all that it is made from: none
//! shows a key, in `Debug`, in `Display`, or in its sources.
//!
//! What is here is compared with the sources: a new variant or a new code is missing until it
//! is added here.

mod below;
mod folders;
mod journals;
mod keys;
pub mod repo;
mod rotations;
mod serving;
mod start;
mod supervision;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Debug;

use keyward::crypto::error::CryptoError;
use keyward::guard::fault::Fault;
use keyward::guard::forked::Forked;
use keyward::guard::this_thread::MustNotBlock;
use keyward::journal::error::JournalError;
use keyward::key::name::InvalidName;
use keyward::repo::conformance::ConformanceFailure;
use keyward::repo::error::RepoError;
use keyward::rotation::act::InvalidReason;
use keyward::secret::value::InvalidKey;
use keyward::wire::invalid::InvalidMessage;
use keyward::{
    BackupError, CandidatesError, InvalidGrant, InvalidVersionId, KeeperError, KeyError, NoTag,
    ReloadError, RotationError, ServeError, StartError, StoreError, VersionsError,
};

use crate::heard::{Said, log};
use crate::sources;

/// An error with a code.
trait Coded: Error {
    /// The name of its type.
    const NAME: &'static str;

    /// Its code.
    fn coded(&self) -> &'static str;
}

macro_rules! coded {
    ($($name:ident),* $(,)?) => {$(
        impl Coded for $name {
            const NAME: &'static str = stringify!($name);

            fn coded(&self) -> &'static str {
                self.code()
            }
        }
    )*};
}

coded!(
    BackupError,
    ConformanceFailure,
    CryptoError,
    Fault,
    Forked,
    InvalidGrant,
    InvalidKey,
    InvalidMessage,
    InvalidName,
    InvalidReason,
    InvalidVersionId,
    JournalError,
    KeeperError,
    KeyError,
    MustNotBlock,
    NoTag,
    ReloadError,
    RepoError,
    RotationError,
    ServeError,
    StartError,
    StoreError,
    VersionsError,
);

impl Coded for CandidatesError<String> {
    const NAME: &'static str = "CandidatesError";

    fn coded(&self) -> &'static str {
        self.code()
    }
}

/// The errors that were seen.
#[derive(Default)]
struct Seen {
    said: Said,
    /// What the text of each variant of each type has, as the sources say.
    texts: BTreeMap<(String, String), Vec<String>>,
    /// Type and variant.
    variants: BTreeSet<(String, String)>,
    codes: BTreeSet<String>,
    /// How many variants only a test can make.
    constructed: BTreeSet<(String, String)>,
}

impl Seen {
    /// An error that keyward answered, of this variant.
    #[track_caller]
    fn real<E: Coded>(&mut self, variant: &str, error: E) {
        let text = error.to_string();
        let shown = format!("{}: {text}", error.coded());
        assert_eq!(format!("{error:?}"), shown);
        assert_eq!(format!("{error:#?}"), shown);
        let mut rest = text.as_str();
        for piece in &self.texts[&(E::NAME.into(), variant.into())] {
            let at = rest.find(piece);
            let at = at.unwrap_or_else(|| panic!("{variant} was wanted: {shown}"));
            rest = &rest[at + piece.len()..];
        }
        self.variants.insert((E::NAME.into(), variant.into()));
        self.take(&error);
    }

    /// The error of a call that must fail so.
    #[track_caller]
    fn refused<T: Debug, E: Coded>(&mut self, variant: &str, result: Result<T, E>) {
        self.real(variant, result.expect_err(variant));
    }

    /// The error of a change of a key with versions that must be refused so.
    #[track_caller]
    fn of_versions<T: Debug>(&mut self, variant: &str, result: Result<T, RotationError>) {
        let error = result.expect_err(variant);
        self.real("OfVersions", error.clone());
        match error {
            RotationError::OfVersions(error) => self.real(variant, error),
            other => panic!("{variant} was wanted: {other}"),
        }
    }

    /// An error that a test cannot bring about; it is made by hand, and the reason says why no key
    /// comes near it.
    #[track_caller]
    fn constructed<E: Coded>(&mut self, variant: &str, error: E, reason: &str) {
        assert!(!reason.is_empty());
        self.constructed.insert((E::NAME.into(), variant.into()));
        self.real(variant, error);
    }

    fn take<E: Coded>(&mut self, error: &E) {
        self.codes.insert(error.coded().to_owned());
        self.said.error(error);
        let mut source = error.source();
        while let Some(cause) = source {
            let (said, again) = (error.to_string(), cause.to_string());
            assert!(!said.contains(&again), "the source says again: {said}");
            self.said.error(cause);
            source = cause.source();
        }
    }
}

/// The types whose errors are not made here, with the reason.
const ELSEWHERE: [(&str, &str); 2] = [
    (
        "DemoError",
        "the binary's own: paths, names of documents, what the system says, and the errors that are \
         made here; `demo.rs` looks for the demo's keys in all that it prints at level trace",
    ),
    (
        "CommandError",
        "the binary's own: paths, names of workers and rotations, what the system says, and the errors \
         that are made here; a key is never an argument",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_error_of_any_code_shows_a_key() {
    let log = log();
    let mut seen = Seen::default();
    for error in sources::errors() {
        let of = |variant| (error.name.clone(), variant);
        let texts = error.texts.into_iter();
        seen.texts
            .extend(texts.map(|(variant, text)| (of(variant), text)));
    }
    keys::all(&mut seen).await;
    rotations::all(&mut seen).await;
    folders::all(&mut seen).await;
    start::all(&mut seen).await;
    supervision::all(&mut seen).await;
    serving::all(&mut seen).await;
    journals::all(&mut seen);
    below::all(&mut seen).await;
    seen.said.assert_clean();
    log.assert_clean();

    let mut missing = Vec::new();
    let (mut variants, mut codes) = (0, BTreeSet::new());
    for error in sources::errors() {
        let elsewhere = ELSEWHERE.iter().any(|(name, _)| *name == error.name);
        assert_eq!(elsewhere, error.of_the_binary, "{}", error.name);
        if elsewhere {
            continue;
        }
        variants += error.variants.len();
        for variant in error.variants {
            let of = (error.name.clone(), variant);
            if !seen.variants.contains(&of) {
                missing.push(format!("variant {of:?}"));
            }
        }
        codes.extend(error.codes);
    }
    missing.extend(
        codes
            .difference(&seen.codes)
            .map(|code| format!("code {code}")),
    );
    assert!(
        missing.is_empty(),
        "no error of this kind was looked at; bring it about in tests/secrets/errors: {missing:#?}"
    );
    println!("error variants: {variants}, codes: {}", codes.len());
    println!("made by hand: {:?}", seen.constructed);
}
