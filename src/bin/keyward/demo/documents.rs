//! A worker's documents: encrypted files, replaced as a whole or not at all.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use keyward::{AeadCryptoTool, CryptoTool, SecretKeyValue};

use crate::demo::error::DemoError;
use crate::demo::layout::Layout;

/// What the shared key is derived with for documents.
const SALT: &[u8] = b"keyward demo documents";

/// The tool that seals and opens documents under a value of the shared key.
///
/// # Errors
/// The value is too short.
pub fn tool(key: &SecretKeyValue) -> Result<AeadCryptoTool, DemoError> {
    Ok(AeadCryptoTool::derive(key, SALT)?)
}

/// One worker's documents.
#[derive(Debug, Clone)]
pub struct Documents {
    worker: String,
    folder: PathBuf,
    count: u32,
}

impl Documents {
    /// So many documents of a worker.
    pub fn of(layout: &Layout, worker: &str, count: u32) -> Self {
        Self {
            worker: worker.to_owned(),
            folder: layout.documents(worker),
            count,
        }
    }

    /// The numbers of the documents.
    pub fn numbers(&self) -> std::ops::RangeInclusive<u32> {
        1..=self.count
    }

    /// A document's name, which is sealed with it: no document passes for another.
    pub fn name(&self, no: u32) -> String {
        format!("{}/document-{no:05}", self.worker)
    }

    fn path(&self, no: u32) -> PathBuf {
        self.folder.join(format!("document-{no:05}.sealed"))
    }

    fn next_path(&self, no: u32) -> PathBuf {
        self.folder.join(format!("document-{no:05}.next"))
    }

    /// Makes the folder, for its user only.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create_folder(&self) -> Result<(), DemoError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(DemoError::io("creating", &self.folder))
    }

    /// Writes a document for the first time.
    ///
    /// # Errors
    /// What sealing or the operating system says.
    pub fn create(&self, no: u32, tool: &AeadCryptoTool, plain: &[u8]) -> Result<(), DemoError> {
        let sealed = tool.seal(plain, self.name(no).as_bytes())?;
        let path = self.path(no);
        let mut file = File::create_new(&path).map_err(DemoError::io("creating", &path))?;
        file.write_all(&sealed)
            .map_err(DemoError::io("writing", &path))
    }

    /// The encrypted bytes; none if the file is gone.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn read(&self, no: u32) -> Result<Option<Vec<u8>>, DemoError> {
        let path = self.path(no);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DemoError::io("reading", &path)(error)),
        }
    }

    /// Writes a document's next content beside it, durably; what a crash left there is replaced.
    ///
    /// # Errors
    /// What sealing or the operating system says.
    pub fn write_next(
        &self,
        no: u32,
        tool: &AeadCryptoTool,
        plain: &[u8],
    ) -> Result<(), DemoError> {
        let sealed = tool.seal(plain, self.name(no).as_bytes())?;
        let path = self.next_path(no);
        let mut file = File::create(&path).map_err(DemoError::io("creating", &path))?;
        file.write_all(&sealed)
            .and_then(|()| file.sync_all())
            .map_err(DemoError::io("writing", &path))
    }

    /// Puts a document's next content in its place.
    ///
    /// # Errors
    /// What the operating system says; the document is as it was.
    pub fn switch(&self, no: u32) -> Result<(), DemoError> {
        let next = self.next_path(no);
        fs::rename(&next, self.path(no)).map_err(DemoError::io("renaming", &next))
    }

    /// Makes every switch durable. On return no crash of the machine undoes one.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sync(&self) -> Result<(), DemoError> {
        sync_folder(&self.folder)
    }

    /// How many files there are that are no documents: what an interrupted call left.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn leftovers(&self) -> Result<usize, DemoError> {
        let failed = DemoError::io("listing", &self.folder);
        let files = fs::read_dir(&self.folder).map_err(failed)?;
        let next = |entry: &fs::DirEntry| {
            Path::new(&entry.file_name()).extension() == Some("next".as_ref())
        };
        Ok(files.flatten().filter(next).count())
    }
}

fn sync_folder(folder: &Path) -> Result<(), DemoError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(DemoError::io("writing", folder))
}
