//! The requests of one connection: counted, then given to the service that they name.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tower::Service as _;

use crate::management::phase::Phase;
use crate::server::answer::{AnswerBody, refused};
use crate::server::bounds::ServeBounds;
use crate::server::connection::{Connection, Service};
use crate::server::counts::RequestPlace;
use crate::server::incoming::{IncomingMessages, MessageBounds};
use crate::server::keeper::Keeper;
use crate::server::refusal::SocketRefusal;
use crate::server::services::{Served, Services};

/// The requests of one connection.
pub(super) struct ConnectionRequests {
    served: Arc<Served>,
    connection: Arc<Connection>,
}

/// A request with the size and pace of its messages checked.
type CheckedRequest = Request<IncomingMessages>;

impl ConnectionRequests {
    pub(super) fn new(served: Arc<Served>, connection: Arc<Connection>) -> Self {
        Self { served, connection }
    }
}

impl hyper::service::Service<Request<Incoming>> for ConnectionRequests {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (served, connection) = (Arc::clone(&self.served), Arc::clone(&self.connection));
        connection.note_request();
        Box::pin(async move {
            let keeper = &served.keeper;
            let bounds = &keeper.bounds;
            let service = ServiceName::of(request.uri().path());
            let place = match admit(keeper, &connection, service) {
                Ok(place) => Ok(place),
                Err(refusal) => Err(refused(refusal)),
            };
            let (answer, place) = match place {
                Err(refusal) => (refusal, None),
                Ok(place) => {
                    let bounds = MessageBounds {
                        bytes: service.message_bytes(bounds),
                        of_user: bounds.undecoded_bytes_of_user,
                        patience: bounds.patience,
                    };
                    let of_body = Arc::clone(&connection);
                    let mut request =
                        request.map(|body| IncomingMessages::new(body, of_body, bounds));
                    request.extensions_mut().insert(Arc::clone(&connection));
                    let answer = tokio::select! {
                        biased;
                        answer = service.call(&served.services, request) => answer,
                        () = keeper.phases.ended() => refused(SocketRefusal::ShutDown),
                    };
                    (answer, place)
                }
            };
            let (phases, bound) = (keeper.phases.clone(), bounds.undecoded_bytes_of_user);
            let body = |body| AnswerBody::new(body, connection, phases, bound, place);
            Ok(answer.map(body))
        })
    }
}

/// A place for a request, if it needs one.
fn admit(
    keeper: &Keeper,
    connection: &Connection,
    service: ServiceName,
) -> Result<Option<RequestPlace>, SocketRefusal> {
    if let Service::Refused { why, .. } = &connection.service {
        return Err(why.clone());
    }
    if keeper.phases.now() > Phase::Open {
        return Err(SocketRefusal::ShutDown);
    }
    match service {
        // One a connection, and as many as there may be instances.
        ServiceName::Work => Ok(None),
        ServiceName::Keys | ServiceName::Operate | ServiceName::Health | ServiceName::None => {
            connection.request(&keeper.bounds).map(Some)
        }
    }
}

/// The services of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServiceName {
    Keys,
    Work,
    Operate,
    Health,
    None,
}

impl ServiceName {
    /// The service of a path, `/package.Service/Call`.
    fn of(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("keyward.v1.Keys") => Self::Keys,
            Some("keyward.v1.Work") => Self::Work,
            Some("keyward.v1.Operate") => Self::Operate,
            Some("grpc.health.v1.Health") => Self::Health,
            Some(_) | None => Self::None,
        }
    }

    fn message_bytes(self, bounds: &ServeBounds) -> usize {
        match self {
            Self::Keys | Self::Work => bounds.message_bytes,
            Self::Operate | Self::Health | Self::None => bounds.operate_message_bytes,
        }
    }

    async fn call(self, services: &Services, request: CheckedRequest) -> Response<Body> {
        let answered = match self {
            Self::Keys => services.keys.clone().call(request).await,
            Self::Operate => services.operate.clone().call(request).await,
            Self::Health => services.health.clone().call(request).await,
            Self::Work => services.work.clone().call(request).await,
            Self::None => return refused(SocketRefusal::NoSuchCall),
        };
        match answered {
            Ok(answer) => answer,
        }
    }
}
