//! Errors come out with the code, the text and the retriable that they went in with.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::{prop_assert, prop_assert_eq, proptest};
use tonic::{Code, Status};

use crate::key::error::KeyError;
use crate::key::keeper_error::KeeperError;
use crate::key::name::{KeyName, WorkerName};
use crate::rotation::error::RotationError;
use crate::wire::errors::MAX_TEXT_BYTES;
use crate::wire::generated::Refusal;
use crate::wire::tests::samples;

fn key() -> KeyName {
    KeyName::new("documents").unwrap()
}

#[test]
fn an_error_of_a_key_is_the_same_for_a_client() {
    for (error, code) in [
        (KeyError::NotDefined { key: key() }, Code::NotFound),
        (
            KeyError::TimedOut {
                key: key(),
                limit: Duration::from_secs(1),
            },
            Code::Unavailable,
        ),
        (
            KeyError::StateUnreadable {
                key: key(),
                why: "torn\nin two".to_owned(),
            },
            Code::FailedPrecondition,
        ),
    ] {
        let status = Status::from(Refusal::from(&error));
        assert_eq!(status.code(), code);
        let there = KeeperError::from(Refusal::of_status(&status).unwrap());
        let there = KeyError::from(there);
        assert_eq!(there.code(), error.code());
        assert_eq!(there.is_retriable(), error.is_retriable());
        let shown = error.to_string().replace('\n', "\\n");
        assert_eq!(there.to_string(), shown);
        assert_eq!(format!("{there:?}"), format!("{}: {shown}", error.code()));
        assert!(std::error::Error::source(&there).is_none());
    }
}

#[test]
fn a_status_that_is_not_the_keepers_is_told_from_one_that_is() {
    assert!(Refusal::of_status(&Status::unavailable("the connection ended")).is_none());
}

#[test]
fn a_very_long_text_is_cut_where_a_character_ends() {
    let workers = (0..200).map(|no| WorkerName::new(&format!("wörker {no}")).unwrap());
    let error = RotationError::NotConfirmed {
        id: samples::call().step.rotation,
        workers: workers.collect(),
    };
    let status = Status::from(Refusal::from(&error));
    assert!(status.message().len() <= MAX_TEXT_BYTES);
    assert!(status.message().ends_with("… (cut)"));
    assert!(status.details().len() < 3 * 1024);
}

proptest! {
    #[test]
    fn any_status_is_taken(code in 0..20_i32, text in "\\PC{0,40}", details in vec(any::<u8>(), 0..200)) {
        let status = Status::with_details(Code::from_i32(code), text, details.into());
        prop_assert!(Refusal::of_status(&status).is_none_or(|refusal| refusal.code.len() < 200));
    }

    #[test]
    fn any_error_of_a_keeper_comes_out_as_it_went_in(code in "[a-z_]{1,30}", retriable in any::<bool>(), text in "[a-zä€ ]{0,90}") {
        let refusal = Refusal::new(&code, retriable, text.clone());
        let back = Refusal::of_status(&Status::from(refusal.clone()));
        prop_assert_eq!(back, Some(refusal));
    }
}
