//! What can go wrong with a repo.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::guard::forked::Forked;
use crate::repo::space::Space;
use crate::secret::text::told;
use crate::secret::visible::{Visible, debug_with_code};

/// The process that holds a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The id of the holder's process.
    pub pid: u32,
    /// The name of its program, without arguments.
    pub program: String,
    /// Whether it is this process: another manager in it, or an earlier one whose shutdown
    /// has not ended.
    pub is_this_process: bool,
}

impl Holder {
    /// A holder, for adapters of a program's own.
    pub fn new(pid: u32, program: impl Into<String>) -> Self {
        let program = program.into();
        Self {
            pid,
            program,
            is_this_process: false,
        }
    }

    /// A living process of this id, with the name of its program where the system tells it.
    pub(crate) fn of_process(pid: u32) -> Self {
        if pid == std::process::id() {
            return Self::this_process();
        }
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok();
        Self::new(pid, program_name(program))
    }

    /// This very process.
    pub fn this_process() -> Self {
        let mut own = Self::new(
            std::process::id(),
            program_name(std::env::current_exe().ok()),
        );
        own.is_this_process = true;
        own
    }
}

/// The name of the program in an executable's path.
pub(super) fn program_name(path: Option<PathBuf>) -> String {
    let name = path
        .as_deref()
        .and_then(|path| path.file_name())
        .map_or("unknown program".into(), |name| name.to_string_lossy());
    Visible(name).to_string()
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.program)
    }
}

/// Why a repo refused. No variant holds a value.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// The repo was closed. The caller's fault: open it anew.
    #[error("the repo is closed; open it anew")]
    Closed,
    /// A write failed, and what became of it is unknown until the repo is opened again; or the last
    /// attempt to do so failed. Retriable after `reopen`.
    #[error("the repo is unavailable until it is reopened: {}", Visible(.reason))]
    Unavailable {
        /// What happened before.
        reason: String,
    },
    /// Another value was found than the batch expects; nothing was written. The writer of that value
    /// has taken over: read anew, do not retry.
    #[error(
        "nothing was written: space `{space}` does not hold what was expected, somebody else has written"
    )]
    PreconditionFailed {
        /// Where.
        space: Space,
    },
    /// Another repo has the folder open, in another process or in this one. Stop that one, or take
    /// another folder.
    #[error("the data folder {} is already open, {}", Visible(.folder.display()), held_by(.holder))]
    AlreadyOpen {
        /// The data folder.
        folder: PathBuf,
        /// The process that has it open, if that could be read.
        holder: Option<Holder>,
    },
    /// The folder at the data folder's path, or the lock file in it, is not the one that was opened:
    /// it was moved or removed, or another one was put in its place. Nothing more is written, for
    /// good. Put the folder back, or restore a backup, and start anew.
    #[error("the data folder {} is not the one that was opened any more: {what}; nothing more is written; put the folder back or restore a backup, then start this program anew", Visible(.folder.display()))]
    FolderLost {
        /// The path of the data folder.
        folder: PathBuf,
        /// What became of it.
        what: String,
    },
    /// The process is a child of `fork()`. The program's fault: start keyward after the fork.
    #[error(transparent)]
    Forked(#[from] Forked),
    /// Others than the owner may enter the folder. Whoever set it up has to `chmod 700` it, or to
    /// allow it by the option `allow_shared_folder`.
    #[error("the data folder {} has mode {mode:03o}, so others can get into it; run `chmod 700` on it or set the option allow_shared_folder", Visible(.folder.display()))]
    LooseFolder {
        /// The data folder.
        folder: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The folder belongs to another user. Run as that one, `chown` it, or allow it by the option
    /// `allow_shared_folder`.
    #[error("the data folder {} belongs to user {owner}, and this is user {user}; run as its owner, change the owner, or set the option allow_shared_folder", Visible(.folder.display()))]
    ForeignOwner {
        /// The data folder.
        folder: PathBuf,
        /// The id of the user it belongs to.
        owner: u32,
        /// The id of the user that this process runs as.
        user: u32,
    },
    /// There is something, and it is no folder. Name another path.
    #[error("{} is not a folder; name a folder for the data, it is created if it is missing", Visible(.path.display()))]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder holds something else than keyward's data; nothing in it was touched. Name an
    /// empty or a missing folder.
    #[error("the folder {} holds no keyward database but other things ({}); nothing was changed, name an empty or a missing folder", Visible(.folder.display()), Visible(.entry))]
    ForeignContent {
        /// The data folder.
        folder: PathBuf,
        /// One of the things that were found.
        entry: String,
    },
    /// The folder was written by another version of keyward, whose layout this one does not know;
    /// nothing in it was touched. Use that version.
    #[error("the data folder {} has schema version {found}, and this keyward knows version {known}; use the keyward that wrote it", Visible(.folder.display()))]
    OtherSchema {
        /// The data folder.
        folder: PathBuf,
        /// The version that was found.
        found: u32,
        /// The version that this keyward writes.
        known: u32,
    },
    /// The process may not write there. Change the permissions or the user, or name another folder.
    #[error("{} is not writable: {}; change its permissions or the user that runs this, or name another folder", Visible(.path.display()), told(cause.as_ref()))]
    NotWritable {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The disk, the quota or the allowed file size is used up. Make room, then reopen.
    #[error("no room left on the disk for {}: {}; make room (nothing that was written before is lost)", Visible(.path.display()), told(cause.as_ref()))]
    Full {
        /// The folder or file that had to grow.
        path: PathBuf,
        /// What the operating system or RocksDB said.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The system refuses a thread. Raise what limits them, or run fewer programs.
    #[error(
        "the system refuses a thread that RocksDB needs: {cause}; raise the limit of threads (`ulimit -u`, TasksMax of systemd, pids.max of a cgroup)"
    )]
    NoThread {
        /// What the operating system said.
        cause: io::Error,
    },
    /// The process, or the whole system, has as many files open as it may. Raise what limits them.
    #[error("no file descriptor is left for {}: {}; raise the limit of open files (`ulimit -n`, LimitNOFILE of systemd)", Visible(.path.display()), told(cause.as_ref()))]
    NoDescriptor {
        /// The folder or file that was to be opened.
        path: PathBuf,
        /// What the operating system or RocksDB said.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// A file was changed, cut or removed from outside, or the disk is failing.
    #[error("the file {} is damaged: {}; restore the whole data folder from a backup, nothing was changed", Visible(.file.display()), Visible(.what))]
    Damaged {
        /// The file, or the data folder where it cannot be told.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A backup cannot be put there; nothing of one is there. Name a folder that is missing or empty.
    #[error("no backup can be put in {}: {why}", Visible(.target.display()))]
    BackupTarget {
        /// The folder that was named.
        target: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The repo makes no backups. Copy it by its own means.
    #[error("this state repo makes no backups; copy it by its own means, or use a data folder")]
    NoBackup,
    /// Anything else; also for adapters of a program's own.
    #[error("the repo failed: {}: {}", Visible(.action), told(cause.as_ref()))]
    Failed {
        /// What was being done, and where.
        action: String,
        /// What the operating system, RocksDB or the adapter said.
        cause: Box<dyn Error + Send + Sync>,
    },
}

debug_with_code!(RepoError);

impl RepoError {
    /// Whether this repo answers nothing any more, however often it is reopened.
    pub fn is_for_good(&self) -> bool {
        matches!(
            self,
            Self::Closed | Self::FolderLost { .. } | Self::Forked(_)
        )
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Closed => "repo_closed",
            Self::Unavailable { .. } => "repo_unavailable",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::AlreadyOpen { .. } => "already_open",
            Self::FolderLost { .. } => "folder_lost",
            Self::Forked(error) => error.code(),
            Self::LooseFolder { .. } => "loose_folder",
            Self::ForeignOwner { .. } => "foreign_owner",
            Self::NotAFolder { .. } => "not_a_folder",
            Self::ForeignContent { .. } => "foreign_content",
            Self::OtherSchema { .. } => "other_schema",
            Self::NotWritable { .. } => "not_writable",
            Self::Full { .. } => "disk_full",
            Self::NoThread { .. } => "no_thread",
            Self::NoDescriptor { .. } => "no_descriptor",
            Self::Damaged { .. } => "damaged_files",
            Self::BackupTarget { .. } => "backup_target",
            Self::NoBackup => "no_backup",
            Self::Failed { .. } => "repo_failed",
        }
    }
}

fn held_by(holder: &Option<Holder>) -> String {
    match holder {
        Some(holder) if holder.is_this_process => format!(
            "held by {holder}, which is this one: use the manager that it has (a clone is the same \
             one), or wait for the end of its shutdown"
        ),
        Some(holder) => format!("held by {holder}; stop that program or use another folder"),
        None => {
            "and its holder could not be read; stop that program or use another folder".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_what_the_system_said_and_for_which_file_once() {
        let failed = |number| {
            let action = "writing at /data/000004.log".to_owned();
            let cause = Box::new(std::io::Error::from_raw_os_error(number));
            RepoError::Failed { action, cause }.to_string()
        };
        for (number, said) in [(5, "Input/output error"), (24, "Too many open files")] {
            let text = failed(number);
            assert_eq!(text.matches(said).count(), 1, "{text}");
            assert!(text.contains("/data/000004.log"), "{text}");
        }
    }

    #[test]
    fn what_an_adapter_says_is_visible_short_and_whole_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("the link is down\nINFO all is well")]
        struct Adapter(#[source] std::io::Error);
        let cause = std::io::Error::other("no route ".repeat(1_000));
        let error = RepoError::Failed {
            action: "asking".to_owned(),
            cause: Box::new(Adapter(cause)),
        };
        let text = error.to_string();
        assert!(
            text.contains("down\\nINFO all is well: no route no route"),
            "{text}"
        );
        assert!(text.len() < 1_200, "{text}");
    }
}
