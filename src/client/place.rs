//! Where the keeper's socket is: what the program says, else `KEYWARD_SOCKET`, else the place of a
//! keeper of the host.

use std::env::{self, VarError};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::{self, Path, PathBuf};

use crate::key::keeper_error::KeeperError;

/// Where a keeper of the host listens unless it is told otherwise.
const OF_THE_HOST: &str = "/run/keyward/keyward.sock";

/// The variable that names another place.
const VARIABLE: &str = "KEYWARD_SOCKET";

/// The place of the socket as the environment says it.
///
/// # Errors
/// `invalid_socket`.
pub(super) fn of_environment() -> Result<PathBuf, KeeperError> {
    match env::var(VARIABLE) {
        Ok(place) => checked(address(&place, VARIABLE)?, VARIABLE),
        Err(VarError::NotPresent) => checked(Path::new(OF_THE_HOST), "the default"),
        Err(VarError::NotUnicode(place)) => checked(Path::new(&place), VARIABLE),
    }
}

/// The place of the socket as the program says it: a path, or a `unix:` address.
///
/// # Errors
/// `invalid_socket`.
pub(super) fn given(place: &Path) -> Result<PathBuf, KeeperError> {
    match place.to_str() {
        Some(text) => checked(address(text, "it")?, "it"),
        None => checked(place, "it"),
    }
}

/// The path of a place that may be an address: `unix:PATH` or `unix:///PATH`.
fn address<'a>(place: &'a str, of: &str) -> Result<&'a Path, KeeperError> {
    let Some(rest) = place.strip_prefix("unix:") else {
        return Ok(Path::new(place));
    };
    match rest.strip_prefix("//") {
        None => Ok(Path::new(rest)),
        Some(path) if path.starts_with('/') => Ok(Path::new(path)),
        Some(_) => Err(invalid(format!(
            "the socket {place}: {of} names a host; an address is unix:PATH or unix:///PATH"
        ))),
    }
}

/// The whole path, if it can be a socket's.
fn checked(place: &Path, of: &str) -> Result<PathBuf, KeeperError> {
    if place.as_os_str() == OsStr::new("") {
        let text = format!("the socket's path is empty: {of} has to name the keeper's socket");
        return Err(invalid(text));
    }
    let whole = path::absolute(place).map_err(|error| {
        let shown = place.display();
        invalid(format!(
            "the socket {shown}: its whole path is unknown: {error}"
        ))
    })?;
    match SocketAddr::from_pathname(&whole) {
        Ok(_) => Ok(whole),
        Err(_) => Err(invalid(format!(
            "the socket {}: its path has {} bytes, and the system takes 107, without a zero byte; name a \
             shorter one",
            whole.display(),
            whole.as_os_str().as_bytes().len()
        ))),
    }
}

fn invalid(text: String) -> KeeperError {
    KeeperError::new("invalid_socket", false, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_or_an_address_of_one() {
        for place in ["/run/a.sock", "unix:/run/a.sock", "unix:///run/a.sock"] {
            assert_eq!(given(Path::new(place)), Ok(PathBuf::from("/run/a.sock")));
        }
        let here = env::current_dir().unwrap();
        for place in ["a.sock", "unix:a.sock"] {
            assert_eq!(given(Path::new(place)), Ok(here.join("a.sock")));
        }
    }

    #[test]
    fn a_place_that_can_be_no_sockets_is_refused_with_its_name() {
        let long = format!("/{}", "n".repeat(107));
        for (place, says) in [
            ("", "empty"),
            ("unix:", "empty"),
            ("unix://host/run/a.sock", "unix://host/run/a.sock"),
            (long.as_str(), "108 bytes"),
        ] {
            let error = given(Path::new(place)).unwrap_err();
            assert_eq!(error.code(), "invalid_socket");
            assert!(error.to_string().contains(says), "{error}");
        }
        let longest = format!("/{}", "n".repeat(106));
        assert!(given(Path::new(&longest)).is_ok());
    }
}
