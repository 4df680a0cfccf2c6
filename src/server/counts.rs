//! How much of what is bounded is taken: connections, requests, bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::bounds::ServeBounds;
use crate::server::refusal::SocketRefusal;

/// So many connections that are not to be served are answered, each at most for a short time, so that
/// their peers hear why. Further ones are cut at once.
const TURNED_AWAY: usize = 16;

/// So many users without a connection may be known until they are forgotten.
const FORGOTTEN_FROM: usize = 64;

/// What is taken of a socket's bounds.
pub(super) struct Counts {
    bounds: ServeBounds,
    connections: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    instances: Arc<Semaphore>,
    users: Mutex<HashMap<u32, Weak<UserCounts>>>,
}

/// What one user has taken.
pub(super) struct UserCounts {
    connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    undecoded: Arc<Semaphore>,
    unsent: Arc<Semaphore>,
}

/// The place of a connection.
pub(super) struct ConnectionPlace {
    /// As long as a connection of it is there, the user is known.
    _of_user: Arc<UserCounts>,
    _permits: [OwnedSemaphorePermit; 2],
}

/// What a request takes as long as it is under way.
#[derive(Debug)]
pub(super) struct RequestPlace {
    _permits: [OwnedSemaphorePermit; 2],
}

/// A number of places. More than a semaphore can count are as good as that many.
pub(super) fn places(bound: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bound.min(Semaphore::MAX_PERMITS)))
}

fn take(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).try_acquire_owned().ok()
}

fn take_bytes(places: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let bytes = u32::try_from(bytes).ok()?;
    Arc::clone(places).try_acquire_many_owned(bytes).ok()
}

impl Counts {
    pub(super) fn new(bounds: ServeBounds) -> Self {
        Self {
            connections: places(bounds.connections),
            turned_away: places(TURNED_AWAY),
            instances: places(bounds.instances),
            users: Mutex::default(),
            bounds,
        }
    }

    /// A place for a connection of a user.
    pub(super) fn connection(&self, user: u32) -> Result<ConnectionPlace, SocketRefusal> {
        let of_user = self.of(user);
        let bounds = &self.bounds;
        let permit_of_user =
            take(&of_user.connections).ok_or(SocketRefusal::ConnectionsOfUser {
                bound: bounds.connections_of_user,
            })?;
        let permit = take(&self.connections).ok_or(SocketRefusal::Connections {
            bound: bounds.connections,
        })?;
        Ok(ConnectionPlace {
            _of_user: of_user,
            _permits: [permit_of_user, permit],
        })
    }

    /// A permit for a connection that is only told that it is not served.
    pub(super) fn turn_away(&self) -> Option<OwnedSemaphorePermit> {
        take(&self.turned_away)
    }

    /// A place for an instance of a worker, as long as its stream lives.
    pub(super) fn instance(&self) -> Option<OwnedSemaphorePermit> {
        take(&self.instances)
    }

    /// Waits until there is no stream of an instance.
    pub(super) async fn no_instances(&self) {
        let all = self.bounds.instances.min(Semaphore::MAX_PERMITS);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        drop(self.instances.acquire_many(all).await);
    }

    /// What a user has taken.
    pub(super) fn of(&self, user: u32) -> Arc<UserCounts> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = users.get(&user).and_then(Weak::upgrade) {
            return known;
        }
        if users.len() >= FORGOTTEN_FROM {
            users.retain(|_, known| known.strong_count() > 0);
        }
        let bytes = self.bounds.undecoded_bytes_of_user;
        let counts = Arc::new(UserCounts {
            connections: places(self.bounds.connections_of_user),
            requests: places(self.bounds.requests_of_user),
            undecoded: places(bytes),
            unsent: places(bytes),
        });
        users.insert(user, Arc::downgrade(&counts));
        counts
    }
}

impl UserCounts {
    /// A place for a request of a connection that has these places.
    pub(super) fn request(
        &self,
        of_connection: &Arc<Semaphore>,
        bounds: &ServeBounds,
    ) -> Result<RequestPlace, SocketRefusal> {
        let first = take(of_connection).ok_or(SocketRefusal::RequestsOfConnection {
            bound: bounds.requests_of_connection,
        })?;
        let second = take(&self.requests).ok_or(SocketRefusal::RequestsOfUser {
            bound: bounds.requests_of_user,
        })?;
        Ok(RequestPlace {
            _permits: [first, second],
        })
    }

    /// Room for a message that comes.
    pub(super) fn undecoded(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        take_bytes(&self.undecoded, bytes)
    }

    /// Room for an answer that waits to be read.
    pub(super) fn unsent(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        take_bytes(&self.unsent, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        Counts::new(ServeBounds {
            connections: 3,
            connections_of_user: 2,
            requests_of_connection: 1,
            requests_of_user: 2,
            undecoded_bytes_of_user: 10,
            ..ServeBounds::default()
        })
    }

    fn code<T>(result: Result<T, SocketRefusal>) -> Option<&'static str> {
        result.err().map(|refusal| refusal.reason())
    }

    #[test]
    fn connections_are_bounded_for_all_and_for_one_user() {
        let counts = counts();
        let mut anna = vec![counts.connection(1).ok(), counts.connection(1).ok()];
        assert_eq!(
            code(counts.connection(1)),
            Some("too_many_connections_of_user")
        );
        let _ben = counts.connection(2).ok();
        assert_eq!(code(counts.connection(3)), Some("too_many_connections"));
        assert_eq!(code(counts.connection(2)), Some("too_many_connections"));
        anna.pop();
        assert_eq!(code(counts.connection(2)), None);
    }

    #[test]
    fn requests_are_bounded_for_a_connection_and_for_a_user() {
        let counts = counts();
        let bounds = &counts.bounds;
        let user = counts.of(1);
        let (one, other, third) = (places(1), places(1), places(1));
        let first = user.request(&one, bounds).ok();
        let refused = user.request(&one, bounds);
        assert_eq!(code(refused), Some("too_many_requests_of_connection"));
        let _second = user.request(&other, bounds).ok();
        let refused = user.request(&third, bounds);
        assert_eq!(code(refused), Some("too_many_requests_of_user"));
        assert_eq!(third.available_permits(), 1, "what was taken is given back");
        drop(first);
        assert_eq!(code(user.request(&third, bounds)), None);
        assert_eq!(code(counts.of(2).request(&places(1), bounds)), None);
    }

    #[test]
    fn bytes_are_bounded_for_a_user_and_the_same_over_all_its_connections() {
        let counts = counts();
        let taken = counts.of(1).undecoded(7);
        let again = counts.of(1);
        assert!(taken.is_some() && again.undecoded(4).is_some());
        let user = counts.of(1);
        let taken = user.undecoded(7);
        assert!(taken.is_some() && counts.of(1).undecoded(4).is_none());
        assert!(counts.of(2).undecoded(10).is_some());
        assert!(user.unsent(10).is_some(), "answers have room of their own");
        drop(taken);
        assert!(user.undecoded(10).is_some() && user.undecoded(usize::MAX).is_none());
    }

    #[test]
    fn users_without_a_connection_are_forgotten() {
        let counts = counts();
        let kept = counts.of(0);
        for user in 0..10_000 {
            drop(counts.of(user));
        }
        assert!(counts.users.lock().unwrap().len() <= FORGOTTEN_FROM + 1);
        assert!(Arc::ptr_eq(&kept, &counts.of(0)));
    }
}
