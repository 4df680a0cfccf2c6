//! Keys that a person gives: in files, or on standard input. They are read as a store reads its file: one final
//! line end is cut, unless it is said to be part of the key.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keyward::{SecretKeyPair, SecretKeyValue, SecretKeys};

use crate::command_error::CommandError;
use crate::hardening::complain;

/// The longest key.
const MAX_BYTES: usize = 1024 * 1024;

/// Room for the longest key with a line end and a byte too many, and for what `read_to_end` wants free at
/// the end, so that the buffer never grows and leaves a copy.
const ROOM: usize = MAX_BYTES + 64;

/// Where a key is read from.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Whether a final line end is part of the key.
    pub exact: bool,
}

impl Reading {
    /// The key in this file; with a second file, the pair of both.
    ///
    /// # Errors
    /// A file cannot be read, or what it has is no key; the error names it.
    pub fn files(self, one: &Path, back: Option<&Path>) -> Result<SecretKeys, CommandError> {
        let one = self.file(one)?;
        Ok(match back {
            Some(back) => SecretKeyPair::new(one, self.file(back)?).into(),
            None => one.into(),
        })
    }

    fn file(self, path: &Path) -> Result<SecretKeyValue, CommandError> {
        let file = File::open(path).map_err(CommandError::io("opening", path))?;
        let about = file
            .metadata()
            .map_err(CommandError::io("looking at", path))?;
        if about.is_dir() {
            let why = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(CommandError::io("reading", path)(why));
        }
        let mode = about.permissions().mode() & 0o077;
        if about.is_file() && mode != 0 {
            complain(format_args!(
                "warning: others may read {}; chmod 600 it, or make it anew",
                path.display()
            ));
        }
        self.read(file, path)
    }

    /// The key on standard input.
    ///
    /// # Errors
    /// Standard input is a terminal, cannot be read, or what it has is no key.
    pub fn standard_input(self, otherwise: &str) -> Result<SecretKeys, CommandError> {
        let input = io::stdin().lock();
        if input.is_terminal() {
            return Err(CommandError::Usage(format!(
                "give the key in a file, {otherwise}, or on standard input, which is a terminal now; what is \
                 typed there would be seen"
            )));
        }
        let key = self.read(input, &PathBuf::from("standard input"))?;
        Ok(key.into())
    }

    fn read(self, source: impl Read, name: &Path) -> Result<SecretKeyValue, CommandError> {
        let mut bytes = Vec::with_capacity(ROOM);
        let most = u64::try_from(MAX_BYTES + 3).unwrap_or(u64::MAX);
        let read = source.take(most).read_to_end(&mut bytes);
        if !self.exact {
            cut_line_end(&mut bytes);
        }
        // From here on the bytes are wiped, whatever becomes of them.
        let key = SecretKeyValue::new(bytes);
        read.map_err(CommandError::io("reading", name))?;
        match key.check() {
            Ok(()) => Ok(key),
            Err(_) if key.expose().is_empty() => Err(no_key(name, "it is empty")),
            Err(_) => Err(no_key(name, "it is longer than 1 MiB (1,048,576 bytes)")),
        }
    }
}

fn no_key(name: &Path, why: &str) -> CommandError {
    CommandError::NoKey {
        source_name: name.display().to_string(),
        why: why.to_owned(),
    }
}

fn cut_line_end(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], exact: bool) -> Result<Vec<u8>, CommandError> {
        let read = Reading { exact }.read(bytes, Path::new("f"))?;
        Ok(read.expose().to_vec())
    }

    #[test]
    fn one_final_line_end_is_cut_unless_it_belongs_to_the_key() {
        for (given, key) in [
            ("k\n", "k"),
            ("k\r\n", "k"),
            ("k\n\n", "k\n"),
            ("k\r", "k\r"),
            ("k", "k"),
        ] {
            assert_eq!(read(given.as_bytes(), false).unwrap(), key.as_bytes());
            assert_eq!(read(given.as_bytes(), true).unwrap(), given.as_bytes());
        }
    }

    #[test]
    fn a_key_of_one_mebibyte_is_read_and_a_byte_more_or_none_is_refused() {
        let mut longest = vec![b'k'; MAX_BYTES];
        longest.extend(b"\r\n");
        assert_eq!(read(&longest, false).unwrap().len(), MAX_BYTES);
        longest.insert(0, b'k');
        for (bad, exact) in [
            (&longest[..], false),
            (b"", false),
            (b"\n", false),
            (b"", true),
        ] {
            assert_eq!(read(bad, exact).unwrap_err().code(), "invalid_key");
        }
    }

    #[test]
    fn the_buffer_never_grows() {
        let mut bytes = Vec::with_capacity(ROOM);
        let before = bytes.as_ptr();
        let most = u64::try_from(MAX_BYTES + 3).unwrap();
        io::repeat(b'k').take(most).read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.as_ptr(), bytes.capacity()), (before, ROOM));
    }
}
