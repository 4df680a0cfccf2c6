//! The two paths of an open data folder: the one that people know, and one that stays with it.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::repo::error::RepoError;

/// Where an open folder is.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    /// Its path without links, as it was opened. Another folder may lie there by now.
    pub(super) named: PathBuf,
    /// Leads through the folder's open descriptor: whatever is made by this path, by threads of
    /// RocksDB too, lands in the folder that was opened, wherever that was moved. The same as
    /// `named` where `/proc` is not there.
    pub(super) lasting: PathBuf,
}

impl Paths {
    /// An error about the lasting path, as one about the path that people know.
    pub(super) fn named(&self, error: RepoError) -> RepoError {
        let path = |path: PathBuf| self.named_path(path);
        let text = |text: String| self.named_text(&text);
        match error {
            RepoError::OtherSchema {
                folder,
                found,
                known,
            } => RepoError::OtherSchema {
                folder: path(folder),
                found,
                known,
            },
            RepoError::ForeignContent { folder, entry } => RepoError::ForeignContent {
                folder: path(folder),
                entry,
            },
            RepoError::NotWritable { path: at, cause } => RepoError::NotWritable {
                path: path(at),
                cause: self.named_source(cause),
            },
            RepoError::Full { path: at, cause } => RepoError::Full {
                path: path(at),
                cause: self.named_source(cause),
            },
            RepoError::Damaged { file, what } => RepoError::Damaged {
                file: path(file),
                what: text(what),
            },
            RepoError::Failed { action, cause } => RepoError::Failed {
                action: text(action),
                cause: self.named_source(cause),
            },
            other => other,
        }
    }

    fn named_path(&self, path: PathBuf) -> PathBuf {
        match path.strip_prefix(&self.lasting) {
            Ok(rest) if rest == Path::new("") => self.named.clone(),
            Ok(rest) => self.named.join(rest),
            Err(_) => path,
        }
    }

    fn named_text(&self, text: &str) -> String {
        text.replace(
            &*self.lasting.to_string_lossy(),
            &self.named.to_string_lossy(),
        )
    }

    fn named_source(&self, cause: Box<dyn Error + Send + Sync>) -> Box<dyn Error + Send + Sync> {
        let said = cause.to_string();
        let named = self.named_text(&said);
        if said == named { cause } else { named.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_path_that_people_know() {
        let paths = Paths {
            named: PathBuf::from("/data/keys"),
            lasting: PathBuf::from("/proc/thread-self/fd/7"),
        };
        let cause = "while opening /proc/thread-self/fd/7/000004.log: no";
        let failed = paths.named(RepoError::Failed {
            action: "opening the database in /proc/thread-self/fd/7".to_owned(),
            cause: cause.into(),
        });
        let RepoError::Failed { action, cause } = failed else {
            panic!("{failed}");
        };
        assert_eq!(action, "opening the database in /data/keys");
        assert_eq!(cause.to_string(), "while opening /data/keys/000004.log: no");
        let damaged = |file: &str| {
            paths.named(RepoError::Damaged {
                file: PathBuf::from(file),
                what: String::new(),
            })
        };
        for (file, named) in [
            ("/proc/thread-self/fd/7", "/data/keys"),
            ("/proc/thread-self/fd/7/CURRENT", "/data/keys/CURRENT"),
            ("/elsewhere", "/elsewhere"),
        ] {
            let error = damaged(file);
            assert!(
                matches!(&error, RepoError::Damaged { file, .. } if *file == Path::new(named)),
                "{error}"
            );
        }
    }
}
