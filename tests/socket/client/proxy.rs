//! A way to a socket that ends after so many bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToKeeper,
    ToClient,
}

/// Where connections are cut: once, after so many bytes that went this way over all of them.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    pub way: Way,
    pub after: u64,
}

/// A socket that leads to another one.
pub struct Proxy {
    pub path: PathBuf,
    counts: Arc<Counts>,
}

struct Counts {
    cut: Option<Cut>,
    gone: [AtomicU64; 2],
    cuts: AtomicU64,
}

impl Counts {
    /// How many of these bytes may pass, and whether the cut comes then.
    fn pass(&self, way: Way, bytes: usize) -> (usize, bool) {
        let bytes = bytes as u64;
        let before = self.gone[way as usize].fetch_add(bytes, Ordering::SeqCst);
        match self.cut {
            Some(cut) if cut.way == way && before < cut.after && before + bytes >= cut.after => {
                self.cuts.fetch_add(1, Ordering::SeqCst);
                ((cut.after - before) as usize, true)
            }
            _ => (bytes as usize, false),
        }
    }
}

impl Proxy {
    /// Listens beside the keeper's socket.
    pub fn new(keeper: &Path, cut: Option<Cut>) -> Self {
        let path = keeper.with_extension(format!("proxy{}", cut.map_or(0, |cut| cut.after)));
        drop(std::fs::remove_file(&path));
        let listener = UnixListener::bind(&path).unwrap();
        let counts = Arc::new(Counts {
            cut,
            gone: Default::default(),
            cuts: AtomicU64::new(0),
        });
        let (keeper, of_all) = (keeper.to_owned(), Arc::clone(&counts));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(keeper) = UnixStream::connect(&keeper).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_keeper, to_keeper) = keeper.into_split();
                let over = Arc::new(Notify::new());
                let counts = [Arc::clone(&of_all), Arc::clone(&of_all)];
                let [one, other] = counts;
                let of = [Arc::clone(&over), over];
                let [over, too] = of;
                tokio::spawn(lead(from_client, to_keeper, Way::ToKeeper, one, over));
                tokio::spawn(lead(from_keeper, to_client, Way::ToClient, other, too));
            }
        });
        Self { path, counts }
    }

    /// How many bytes went this way.
    pub fn gone(&self, way: Way) -> u64 {
        self.counts.gone[way as usize].load(Ordering::SeqCst)
    }

    /// Whether it has cut.
    pub fn has_cut(&self) -> bool {
        self.counts.cuts.load(Ordering::SeqCst) > 0
    }
}

/// Leads bytes until one end is closed, or the cut comes; then both ways end.
async fn lead(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    counts: Arc<Counts>,
    over: Arc<Notify>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = over.notified() => return,
        };
        let (may, is_cut) = counts.pass(way, read);
        if read == 0 || to.write_all(&buffer[..may]).await.is_err() || is_cut {
            over.notify_one();
            return;
        }
    }
}
