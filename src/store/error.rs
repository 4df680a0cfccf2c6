//! What can go wrong when a store is asked.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use crate::secret::scrub::Scrubber;
use crate::secret::text::ForeignText;
use crate::secret::value::InvalidKey;
use crate::secret::visible::{Visible, debug_with_code};

/// Why a store gave no keys. It can be cloned, because one fetch may answer many askers.
///
/// Neither `Debug` nor `Display` shows what foreign code said, since that may quote keys;
/// [`described`](Self::described) does, unless it quotes a key that is known.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A variable or a file is not there. The operator's fault: set it, or name another one.
    #[error(
        "{} is missing; set it, or name another source for this key",
        Visible(what)
    )]
    Missing {
        /// What is missing, by kind and name.
        what: String,
    },
    /// A store of the program's own answered an error. Its author knows what to do.
    #[error("the store failed")]
    Failed {
        /// What the store said.
        text: ForeignText,
    },
    /// A store of the program's own answered `None`. It has no key to give; its author knows why.
    #[error("the store answered nothing; it must answer a value or a pair")]
    Nothing,
    /// A key file is a folder, pipe, socket or device. The operator's fault: name a regular file.
    #[error("{} is not a regular file; a key file must be one", Visible(path.display()))]
    NotAFile {
        /// The file as it was named.
        path: PathBuf,
    },
    /// The group or others have a right on the key file. The operator's fault: `chmod 600` it, or
    /// say `allow_shared_file` on the store where that is meant.
    #[error(
        "{} is open to others (mode {mode:03o}); make it 600, or allow it by name with \
         allow_shared_file", Visible(path.display())
    )]
    SharedFile {
        /// The file as it was named; a symlink's target is what was looked at.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The store is none that keyward writes.
    #[error("keyward cannot write this store; put the new key there yourself")]
    ReadOnly,
    /// A key file cannot be replaced by one with the new key. The operator's fault: put the file in a folder
    /// that this process may write, or say [`read_only`](crate::FileStore::read_only) on the store and put the new
    /// key in place after the rotation.
    #[error(
        "{} cannot be replaced: {why}; put it where it can be, or say read_only on its store and put the \
         new key in place yourself", Visible(path.display())
    )]
    NotWritable {
        /// The file as it was named.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// A key file cannot be opened or read. The operator's or the system's fault, see the source.
    #[error("cannot read the key file {}: {cause}", Visible(path.display()))]
    Io {
        /// The file as it was named.
        path: PathBuf,
        /// What the system said.
        cause: Arc<io::Error>,
    },
    /// Key files changed whenever they were looked at. The fault of what writes them: it must put a
    /// new key in place in one step.
    #[error(
        "{} changes while it is read, again and again; put a new key in place by renaming a finished \
         file over it, and a pair by swapping a link to the folder of both",
        Visible(files)
    )]
    Unsettled {
        /// The file as it was named, or both files of a pair.
        files: String,
    },
    /// A command cannot be started: mostly a program that does not exist or may not be executed. It
    /// needs a tokio runtime, too.
    #[error("cannot run {}: {cause}", Visible(program))]
    Start {
        /// The program, its whole path if it was named by one, and where it was looked for.
        program: String,
        /// What the system said.
        cause: Arc<io::Error>,
    },
    /// The system refuses what every command needs, whatever its program. The fault of a limit, or of
    /// a profile of system calls; see the source.
    #[error("no command can be run, the system refuses {what}: {cause}")]
    Refused {
        /// What is refused.
        what: &'static str,
        /// What the system said.
        cause: Arc<io::Error>,
    },
    /// This process ignores SIGCHLD, so that the system throws away how commands end. The fault of
    /// what started the process, from which it has that, or of the program itself.
    #[error(
        "this process ignores SIGCHLD, or has set SA_NOCLDWAIT, so that how a command ends cannot be \
         told; set SIGCHLD to its default at the start of the program, as what started it may ignore it"
    )]
    ChildrenIgnored,
    /// Other code of this process reaped the command, as `waitpid(-1)` does with whatever ends, and
    /// has its exit status. The fault of that code: it must wait only for what it started.
    #[error(
        "{} was started, but other code of this process reaped it (waitpid(-1), or wait) and has its \
         exit status; that code must wait only for the children that it started",
        Visible(program)
    )]
    Reaped {
        /// The program that was started.
        program: String,
    },
    /// A command ended, but not with success. Its author's or the operator's fault; what it printed
    /// on its standard error says more.
    #[error("{} failed ({status})", Visible(program))]
    Command {
        /// The program as it was named.
        program: String,
        /// Its exit status, or the signal that ended it.
        status: ExitStatus,
        /// What it printed on its standard error. It is withheld if it quotes what the command printed on
        /// its standard output.
        stderr: ForeignText,
    },
    /// A command did not end in time, and was killed. Raise its limit, or see what it waits for.
    #[error("{} did not end within {limit:?}, and was killed", Visible(program))]
    TimedOut {
        /// The program as it was named.
        program: String,
        /// The limit that passed.
        limit: Duration,
        /// What it had printed on its standard error. It is withheld if it quotes what the command had
        /// printed on its standard output.
        stderr: ForeignText,
    },
    /// The store gave what is no key.
    #[error(transparent)]
    Invalid(#[from] InvalidKey),
}

debug_with_code!(StoreError);

impl StoreError {
    /// The stable code: `invalid_key` for what is no key, `store_not_writable` for what cannot be replaced,
    /// `store_failed` for everything else.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(reason) => reason.code(),
            Self::ReadOnly | Self::NotWritable { .. } => "store_not_writable",
            Self::Missing { .. }
            | Self::Failed { .. }
            | Self::Nothing
            | Self::NotAFile { .. }
            | Self::SharedFile { .. }
            | Self::Io { .. }
            | Self::Unsettled { .. }
            | Self::Start { .. }
            | Self::Refused { .. }
            | Self::ChildrenIgnored
            | Self::Reaped { .. }
            | Self::Command { .. }
            | Self::TimedOut { .. } => "store_failed",
        }
    }

    /// The error in words, with what foreign code said; that is withheld whole if it quotes a key that
    /// the caller knows, and shortened after that.
    pub fn described(&self, scrubber: &Scrubber) -> String {
        let said = match self {
            Self::Failed { text } => format!("{self}: {}", text.scrubbed(scrubber)),
            Self::Command { stderr, .. } | Self::TimedOut { stderr, .. } => {
                let stderr = stderr.scrubbed(scrubber);
                match stderr.is_empty() {
                    true => format!("{self}; it said nothing on its standard error"),
                    false => format!("{self}; its standard error: {stderr}"),
                }
            }
            Self::Missing { .. }
            | Self::Nothing
            | Self::NotAFile { .. }
            | Self::SharedFile { .. }
            | Self::ReadOnly
            | Self::NotWritable { .. }
            | Self::Io { .. }
            | Self::Unsettled { .. }
            | Self::Start { .. }
            | Self::Refused { .. }
            | Self::ChildrenIgnored
            | Self::Reaped { .. }
            | Self::Invalid(_) => self.to_string(),
        };
        scrubber.scrub_str(&said)
    }
}
