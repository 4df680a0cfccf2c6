//! The keys of a program: under which name, and where it finds them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use keyward::SecretKeyValue;
use tempfile::{Builder, NamedTempFile};

use crate::run::error::RunError;

/// The value of each key that a program has.
pub type HeldKeys = BTreeMap<String, SecretKeyValue>;

/// Which key a program is given, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// The key's name.
    pub key: String,
    /// Where its value is put.
    pub place: Place,
}

/// Where a program finds the value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file, which is replaced at a change.
    File(PathBuf),
    /// In a variable of its environment, which is as it is at its start.
    Variable(String),
}

impl FromStr for KeyPlace {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let form = "write KEY=file:PATH or KEY=env:VARIABLE";
        let (key, place) = given.split_once('=').ok_or(form)?;
        let place = match place.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Place::File(path.into()),
            Some(("env", name)) if !name.is_empty() && !name.contains('=') => {
                Place::Variable(name.to_owned())
            }
            Some(_) | None => return Err(form.to_owned()),
        };
        if key.is_empty() {
            return Err(form.to_owned());
        }
        Ok(Self {
            key: key.to_owned(),
            place,
        })
    }
}

/// Puts values into files: each is whole, or what it was before. With a key's name, that key's alone.
///
/// # Errors
/// Which file cannot be written, and what the system says.
pub fn write_files(
    places: &[KeyPlace],
    held: &HeldKeys,
    only: Option<&str>,
) -> Result<(), RunError> {
    let mut written = Vec::new();
    for KeyPlace { key, place } in places {
        let Place::File(path) = place else { continue };
        if let Some(value) = held.get(key)
            && only.is_none_or(|only| only == key)
        {
            let file = write_beside(path, value).map_err(RunError::file(path))?;
            written.push((path, file));
        }
    }
    // All are written before the first is in its place.
    for (path, file) in written {
        let moved = file.persist(path).map_err(|failed| failed.error);
        moved.map_err(RunError::file(path))?;
    }
    Ok(())
}

/// A file of mode 0600 in the same folder, which is gone with its handle.
fn write_beside(path: &Path, value: &SecretKeyValue) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = Builder::new().prefix(".keyward-").tempfile_in(folder)?;
    file.write_all(value.expose())?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_place_are_read_from_one_argument() {
        let file = |key: &str, path: &str| KeyPlace {
            key: key.to_owned(),
            place: Place::File(path.into()),
        };
        assert_eq!("a=file:x/y".parse(), Ok(file("a", "x/y")));
        assert_eq!("a=file:x:y=z".parse(), Ok(file("a", "x:y=z")));
        let variable: KeyPlace = "a b=env:TOKEN".parse().unwrap();
        assert_eq!(variable.place, Place::Variable("TOKEN".to_owned()));
        for wrong in [
            "",
            "a",
            "a=",
            "a=x",
            "a=file:",
            "a=env:",
            "a=env:A=B",
            "=file:x",
            "a=File:x",
        ] {
            assert!(wrong.parse::<KeyPlace>().is_err(), "{wrong}");
        }
    }
}
