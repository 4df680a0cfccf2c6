//! What the demo and its server are told on the command line.

use std::path::PathBuf;

use clap::Args;

use crate::demo::protocol::Hold;
use crate::printing::Printing;

/// Shows a rotation that survives a crash, on real files, in a few seconds
///
/// In a temporary folder every worker encrypts documents of its own under one shared key. A server
/// process then changes the key: worker after worker decrypts its documents with the old key and
/// encrypts them with the new one. In the middle of one worker's documents the server is killed
/// (SIGKILL) and started again; it goes on by itself. At the end every document is opened with
/// the new key and compared with the original.
///
/// Exit status: 0 only if no document was lost, no finished step ran again, and the interrupted one
/// did.
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct DemoOptions {
    /// How many workers share the key, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: u32,
    /// How many documents each worker has, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub documents: u32,
    /// Leave the folder, its keys too, and say where it is
    #[arg(long)]
    pub keep: bool,
    /// Fixes the documents' content and the moment of the kill; the keys are random all the same
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub printing: Printing,
}

/// The demo's server; `keyward demo` starts it.
#[derive(Debug, Clone, Args)]
pub struct ServerOptions {
    /// The demo's folder
    #[arg(long)]
    pub folder: PathBuf,
    /// How many workers there are
    #[arg(long)]
    pub workers: u32,
    /// How many documents each worker has
    #[arg(long)]
    pub documents: u32,
    /// The process that started this one, and without which it ends
    #[arg(long)]
    pub parent: i32,
    /// Where to wait for the end, as WORKER:DOCUMENTS
    #[arg(long)]
    pub hold: Option<Hold>,
}
