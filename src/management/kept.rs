//! A state repo or a crypto tool, as the journal has it. Each is dropped inside the guard by itself: a
//! panic in the drop of one while that of the other unwinds would end the process.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::crypto_tool::CryptoTool;
use crate::crypto::error::CryptoError;
use crate::guard::fault::Fault;
use crate::guard::foreign::Foreign;
use crate::management::settings::Settings;
#[cfg(feature = "testing")]
use crate::management::testing::{Plugin, PluginPanics};
use crate::repo::batch::Batch;
use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::repo::state_repo::{StateRepo, Visitor};

/// A plug-in. It is there until this is dropped. With the feature `testing` its calls panic when a test
/// says so.
pub(super) struct Kept<T: ?Sized + Send + Sync + 'static> {
    plugin: Foreign<Arc<T>>,
    #[cfg(feature = "testing")]
    panics: PluginPanics,
}

impl<T: ?Sized + Send + Sync + 'static> Kept<T> {
    pub(super) fn new(
        plugin: Foreign<Arc<T>>,
        #[cfg_attr(not(feature = "testing"), expect(unused_variables))] settings: &Settings,
    ) -> Self {
        Self {
            plugin,
            #[cfg(feature = "testing")]
            panics: settings.panics.clone(),
        }
    }
}

impl Kept<dyn StateRepo> {
    fn repo(&self) -> Result<&dyn StateRepo, RepoError> {
        #[cfg(feature = "testing")]
        self.panics.pass(Plugin::Repo);
        Ok(self.plugin.get().ok_or(RepoError::Closed)?.as_ref())
    }
}

impl StateRepo for Kept<dyn StateRepo> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.repo()?.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.repo()?.scan(space, prefix, visit)
    }

    fn scan_after(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        visit: Visitor<'_>,
    ) -> Result<(), RepoError> {
        self.repo()?.scan_after(space, prefix, after, visit)
    }

    fn scan_back(
        &self,
        space: Space,
        prefix: &[u8],
        before: Option<&[u8]>,
        visit: Visitor<'_>,
    ) -> Result<(), RepoError> {
        self.repo()?.scan_back(space, prefix, before, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.repo()?.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.repo()?.reopen()
    }

    fn backup(&self, folder: &Path) -> Result<(), RepoError> {
        self.repo()?.backup(folder)
    }

    fn close(&self) -> Result<(), RepoError> {
        self.plugin.get().ok_or(RepoError::Closed)?.close()
    }
}

impl Kept<dyn CryptoTool> {
    fn tool(&self) -> Result<&dyn CryptoTool, CryptoError> {
        #[cfg(feature = "testing")]
        self.panics.pass(Plugin::Crypto);
        let tool = self.plugin.get().ok_or_else(|| CryptoError::Failed {
            cause: Fault::Gone.into(),
        })?;
        Ok(tool.as_ref())
    }
}

impl CryptoTool for Kept<dyn CryptoTool> {
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.tool()?.seal(plain, associated)
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.tool()?.open(sealed, associated)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Mutex;

    use super::*;
    use crate::repo::memory::MemoryRepo;

    /// A program's own repo, with an implementation of its own of every method that the trait has.
    #[derive(Clone, Default)]
    struct Recording(Arc<Mutex<Vec<&'static str>>>);

    impl Recording {
        fn called(&self, method: &'static str) -> MemoryRepo {
            self.0.lock().unwrap().push(method);
            MemoryRepo::default()
        }
    }

    impl StateRepo for Recording {
        fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
            self.called("get").get(space, key)
        }

        fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
            self.called("scan").scan(space, prefix, visit)
        }

        fn scan_after(
            &self,
            space: Space,
            prefix: &[u8],
            after: Option<&[u8]>,
            visit: Visitor<'_>,
        ) -> Result<(), RepoError> {
            let repo = self.called("scan_after");
            repo.scan_after(space, prefix, after, visit)
        }

        fn scan_back(
            &self,
            space: Space,
            prefix: &[u8],
            before: Option<&[u8]>,
            visit: Visitor<'_>,
        ) -> Result<(), RepoError> {
            let repo = self.called("scan_back");
            repo.scan_back(space, prefix, before, visit)
        }

        fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
            self.called("apply").apply(batch)
        }

        fn reopen(&self) -> Result<(), RepoError> {
            self.called("reopen").reopen()
        }

        fn backup(&self, folder: &Path) -> Result<(), RepoError> {
            self.called("backup").backup(folder)
        }

        fn close(&self) -> Result<(), RepoError> {
            self.called("close").close()
        }
    }

    #[test]
    fn each_call_of_a_state_repo_is_its_own_one() {
        let repo = Recording::default();
        let plugin: Arc<dyn StateRepo> = Arc::new(repo.clone());
        let kept = Kept::new(Foreign::new(plugin), &Settings::default());
        let mut visit = |_: &[u8], _: &[u8]| ControlFlow::Continue(());
        kept.get(Space::Meta, b"").unwrap();
        kept.scan(Space::Meta, b"", &mut visit).unwrap();
        kept.scan_after(Space::Meta, b"", None, &mut visit).unwrap();
        kept.scan_back(Space::Meta, b"", None, &mut visit).unwrap();
        kept.apply(&Batch::new()).unwrap();
        kept.reopen().unwrap();
        assert!(kept.backup(Path::new("/")).is_err());
        kept.close().unwrap();
        let called = repo.0.lock().unwrap().clone();
        let every_method = [
            "get",
            "scan",
            "scan_after",
            "scan_back",
            "apply",
            "reopen",
            "backup",
            "close",
        ];
        assert_eq!(called, every_method);
    }
}
