//! Keys from environment variables.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use keyward::store::env::EnvStore;

use crate::stores::{error, fetched, value};
use crate::support::alone::{again, passes};

#[test]
fn variables_are_taken_as_they_are() {
    let mut process = again(in_its_own_process);
    process.env("KW_TEXT", "text\n");
    process.env("KW_BYTES", OsString::from_vec(vec![0xff, 0xfe, b'k']));
    process.env("KW_EMPTY", "");
    passes(process);
}

#[test]
#[ignore = "needs the variables that the test above sets"]
fn in_its_own_process() {
    assert_eq!(value(&EnvStore::new("KW_TEXT")), b"text\n");
    assert_eq!(value(&EnvStore::new("KW_BYTES")), [0xff, 0xfe, b'k']);
    assert_eq!(error(&EnvStore::new("KW_EMPTY")).code(), "invalid_key");
    let keys = fetched(&EnvStore::pair("KW_TEXT", "KW_BYTES")).unwrap();
    assert!(keys.is_pair());
    assert_eq!(keys.to_pair().forward().expose(), b"text\n");
    assert_eq!(keys.to_pair().back().expose(), [0xff, 0xfe, b'k']);
}

#[test]
fn a_missing_variable_is_named() {
    for store in [
        EnvStore::new("KW_NO_SUCH"),
        EnvStore::pair("PATH", "KW_NO_SUCH"),
    ] {
        let error = error(&store);
        assert_eq!(error.code(), "store_failed");
        assert!(error.to_string().contains("KW_NO_SUCH"), "{error}");
    }
}
