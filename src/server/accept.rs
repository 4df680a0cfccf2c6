//! Taking connections in, and each connection's life.

use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::os::unix::net::UnixStream as StdStream;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use crate::guard::fork::kept_descriptor::KeptDescriptor;
use crate::secret::text::told;
use crate::server::connection::{Connection, Service};
use crate::server::io::ReadByPeer;
use crate::server::peer::Peer;
use crate::server::requests::ConnectionRequests;
use crate::server::services::Served;
use crate::server::socket::file::AtPath;
use crate::server::socket::listening::Listening;

/// How often it is looked whether the socket's file is still there.
const LOOKS_EVERY: Duration = Duration::from_secs(5);

/// How long the loop rests where the system gives no descriptor.
const RESTS: Duration = Duration::from_millis(100);

/// How long connections may take to hand over their last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// What HTTP/2 keeps for a connection and a stream until it is read: requests are read at once, so that
/// little is enough.
const WINDOW: u32 = 64 << 10;

/// The headers of a request, its path among them.
const HEADER_BYTES: u32 = 16 << 10;

/// Accepts connections until the end, and ends them.
pub(super) async fn accept(
    served: Arc<Served>,
    listener: StdListener,
    threads: Vec<Handle>,
) -> io::Result<()> {
    let mut listener = Listening::new(listener)?;
    let phases = served.keeper.phases.clone();
    let mut closing = pin!(phases.closing());
    let mut ticks = interval(LOOKS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connections = JoinSet::new();
    let mut next = threads.iter().cycle();
    let mut told = SocketEvents::default();
    loop {
        tokio::select! {
            biased;
            () = &mut closing => break,
            Some(_) = connections.join_next() => {}
            _ = ticks.tick() => {
                if let Some(anew) = told.look(&served) {
                    listener = anew;
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((kept, stream)) => {
                    if let (Some(connection), Some(thread)) = (admit(&served, &stream), next.next()) {
                        let stream = (kept, stream);
                        connections.spawn_on(serve(Arc::clone(&served), stream, connection), thread);
                    }
                }
                Err(error) => {
                    told.refused(&served, &error);
                    sleep(RESTS).await;
                }
            },
        }
    }
    drop(listener);
    drop(served.keeper.file().take());
    phases.ended().await;
    let all = async { while connections.join_next().await.is_some() {} };
    // What is left then is dropped, and with it its connection.
    let _ = timeout(2 * LAST_ANSWERS, all).await;
    Ok(())
}

/// Looks at the peer, and whether there is room for it.
fn admit(served: &Served, stream: &StdStream) -> Option<Connection> {
    let keeper = &served.keeper;
    let peer = match Peer::of(stream) {
        Ok(peer) => peer,
        Err(error) => {
            keeper.events().tell(move || {
                tracing::warn!(%error, "a connection was cut: its peer cannot be known");
            });
            return None;
        }
    };
    let (user, groups) = (peer.user, &peer.groups);
    let known = keeper.grants().know(super::grants::Asker { user, groups });
    let of_user = keeper.counts.of(user);
    let (service, why) = if known {
        match keeper.counts.connection(user) {
            Ok(place) => (Some(Service::Full { _place: place }), None),
            Err(why) => {
                let told = why.to_string();
                let refused = |place| Service::Refused { why, _place: place };
                (keeper.counts.turn_away().map(refused), Some(told))
            }
        }
    } else {
        // Each of its requests is refused, and each refusal is an event.
        let stranger = |place| Service::Stranger { _place: place };
        let service = keeper.counts.turn_away().map(stranger);
        let why = service.is_none();
        (
            service,
            why.then(|| "nothing is granted to its user".to_owned()),
        )
    };
    if let Some(why) = why {
        keeper.tell_cut(&peer, why);
    }
    Some(Connection::new(peer, service?, of_user, &keeper.bounds))
}

/// Serves a connection to its end.
async fn serve(
    served: Arc<Served>,
    (kept, stream): (KeptDescriptor, StdStream),
    connection: Connection,
) {
    let connection = Arc::new(connection);
    let why = match UnixStream::from_std(stream) {
        Ok(stream) => {
            let stream = ReadByPeer::new(stream, kept, served.keeper.bounds.patience);
            to_the_end(&served, stream, &connection).await
        }
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = why {
        served.keeper.tell_cut(&connection.peer, why);
    }
}

/// Serves a connection; answers why it was cut, if it was.
async fn to_the_end(
    served: &Arc<Served>,
    stream: ReadByPeer<UnixStream>,
    connection: &Arc<Connection>,
) -> Option<String> {
    let keeper = &served.keeper;
    let bounds = &keeper.bounds;
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEADER_BYTES)
        // More than are answered: the ones above are told so, and what is above this is reset.
        .max_concurrent_streams(
            u32::try_from(bounds.requests_of_connection)
                .unwrap_or(u32::MAX)
                .saturating_mul(2),
        )
        // Together no more than the time of silence.
        .keep_alive_interval(bounds.silence * 2 / 3)
        .keep_alive_timeout(bounds.silence / 3);
    let io = TokioIo::new(stream);
    let requests = ConnectionRequests::new(Arc::clone(served), Arc::clone(connection));
    let mut http = pin!(http.serve_connection(io, requests));
    let mut first = pin!(sleep(bounds.patience));
    let mut looks = interval(bounds.patience / 2);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ended = pin!(keeper.phases.ended());
    let mut last_answers = pin!(sleep_until(Instant::now()));
    let (mut is_ending, mut is_due_past) = (false, false);
    loop {
        tokio::select! {
            end = http.as_mut() => return end.err().and_then(|error| cause_of_end(&error)),
            why = connection.to_be_cut() => return Some(why),
            _ = looks.tick() => {
                let patience = bounds.patience;
                if connection.unread().is_for(patience) {
                    return Some(format!("its peer has made no room for an answer for {patience:?}"));
                }
            }
            () = &mut first, if !is_due_past => {
                is_due_past = true;
                if !connection.has_asked() {
                    let patience = bounds.patience;
                    return Some(format!("its first request had not come within {patience:?}"));
                }
            }
            () = connection.to_be_ended(), if !is_ending => is_ending = true,
            () = &mut ended, if !is_ending => is_ending = true,
            () = &mut last_answers, if is_ending => return None,
        }
        if is_ending {
            http.as_mut().graceful_shutdown();
            last_answers.as_mut().reset(Instant::now() + LAST_ANSWERS);
        }
    }
}

/// Why a connection ended, unless its peer simply went.
fn cause_of_end(error: &hyper::Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        let of_io = one.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            of_io,
            Some(
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
            )
        ) {
            return None;
        }
        cause = one.source();
    }
    Some(told(error))
}

/// What was told of the socket, so that it is told once.
#[derive(Default)]
struct SocketEvents {
    at_path: Option<AtPath>,
    refused: Option<Instant>,
}

impl SocketEvents {
    /// Looks whether the socket's file is still there, and makes it again where it was removed.
    fn look(&mut self, served: &Served) -> Option<Listening> {
        let mut file = served.keeper.file();
        let file = file.as_mut()?;
        let at_path = file.at_path().ok()?;
        let path = file.path().display().to_string();
        let events = served.keeper.events();
        let is_new = self.at_path.replace(at_path) != Some(at_path);
        match at_path {
            AtPath::Ours => None,
            AtPath::Another => {
                if is_new {
                    events.tell(move || {
                        tracing::error!(
                            path,
                            "another file lies at the socket's path: nobody can connect; move it away"
                        );
                    });
                }
                None
            }
            AtPath::Nothing => {
                let made = file.make_again().and_then(Listening::new);
                match made {
                    Ok(listener) => {
                        events.tell(move || {
                            tracing::warn!(
                                path,
                                "the socket's file was removed, and is made again"
                            );
                        });
                        Some(listener)
                    }
                    Err(error) => {
                        if is_new {
                            let error = error.to_string();
                            events.tell(move || {
                                tracing::error!(
                                    path,
                                    error,
                                    "the socket's file was removed, and cannot be made again"
                                );
                            });
                        }
                        None
                    }
                }
            }
        }
    }

    /// Tells that the system gives no connection, unless it was told a moment ago.
    fn refused(&mut self, served: &Served, error: &io::Error) {
        let aborted = Errno::from_io_error(error) == Some(Errno::CONNABORTED);
        let recently = |at: &Instant| at.elapsed() < LOOKS_EVERY;
        if aborted || self.refused.as_ref().is_some_and(recently) {
            return;
        }
        self.refused = Some(Instant::now());
        let error = error.to_string();
        served.keeper.events().tell(move || {
            tracing::error!(error, "the system gives no connection; it is tried again");
        });
    }
}
