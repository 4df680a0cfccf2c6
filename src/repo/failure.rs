//! What an error of RocksDB means.

use std::path::{Path, PathBuf};

use rocksdb::ErrorKind;

use crate::repo::error::RepoError;
use crate::repo::files;
use crate::repo::table_check;

/// What an error of RocksDB means. It has no kinds for most of this, but its texts name the file and
/// quote the operating system.
pub(super) fn failure(action: &str, folder: &Path, error: rocksdb::Error) -> RepoError {
    let text = error.to_string();
    // RocksDB suspects the manifest when a table cannot be opened; the manifest was checked before.
    let text = text
        .split("  The file ")
        .next()
        .unwrap_or_default()
        .to_owned();
    let named = named_file(&text)
        .map(str::to_owned)
        .or_else(|| numbered_log(&text));
    let file = named.map_or_else(|| folder.to_owned(), |name| folder.join(name));
    let says = |texts: &[&str]| texts.iter().any(|part| text.contains(part));
    if says(&[
        "No space left on device",
        "Disk quota exceeded",
        "File too large",
    ]) {
        return RepoError::Full {
            path: file,
            source: Box::new(error),
        };
    }
    if says(&["Permission denied", "Read-only file system"]) {
        return RepoError::NotWritable {
            path: file,
            source: Box::new(error),
        };
    }
    if says(&["Too many open files"]) {
        return RepoError::NoDescriptor {
            path: file,
            source: Box::new(error),
        };
    }
    let missing = says(&["No such file or directory", "Column family not found"]);
    if missing || error.kind() == ErrorKind::Corruption {
        let file = if file == folder {
            damaged_table(folder).unwrap_or(file)
        } else {
            file
        };
        return RepoError::Damaged { file, what: text };
    }
    RepoError::Failed {
        action: format!("{action} in {}", folder.display()),
        source: Box::new(error),
    }
}

fn damaged_table(folder: &Path) -> Option<PathBuf> {
    let mut tables = files::numbered(folder, "sst").ok()?.into_iter();
    tables.find(|table| table_check::is_damaged(table))
}

/// The first of RocksDB's files that a text names.
fn named_file(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.split(|c| !is_part(c))
        .map(|word| word.trim_end_matches('.'))
        .find(|word| {
            let table_or_log = word.split_once('.').is_some_and(|(number, kind)| {
                files::is_number(number) && matches!(kind, "sst" | "log" | "blob")
            });
            table_or_log || files::is_manifest(word) || matches!(*word, "CURRENT" | "IDENTITY")
        })
}

/// The log that a text names by its number only: one that is missing, or shorter than it was.
fn numbered_log(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("log number: ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let number: u64 = digits.parse().ok()?;
    Some(format!("{number:06}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_damaged_file_is_found_in_the_texts_of_rocksdb() {
        for (text, file) in [
            (
                "block checksum mismatch: stored = 1, computed = 2 in /a b/x/000009.sst offset 0",
                "000009.sst",
            ),
            (
                "While opening a file: /d/MANIFEST-000005: No such file",
                "MANIFEST-000005",
            ),
            ("Can't access /000012.sst: IO error", "000012.sst"),
            ("in log file 000004.log.", "000004.log"),
        ] {
            assert_eq!(named_file(text), Some(file));
        }
        assert_eq!(named_file("something went wrong in /d/1.5"), None);
    }

    #[test]
    fn a_log_is_found_by_its_number() {
        for (text, file) in [
            (
                "Size mismatch: WAL (log number: 4) in MANIFEST is 9 bytes , but actually is 8",
                Some("000004.log"),
            ),
            ("Missing WAL with log number: 1234567.", Some("1234567.log")),
            ("Missing WAL with log number: ", None),
            ("something went wrong", None),
        ] {
            assert_eq!(numbered_log(text).as_deref(), file);
        }
    }
}
