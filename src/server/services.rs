//! The services of a socket, each as the library for gRPC calls it.

use std::sync::Arc;

use tonic_health::pb::health_server::HealthServer;

use crate::server::health::HealthService;
use crate::server::keeper::Keeper;
use crate::server::keys::KeysService;
use crate::server::operate::OperateService;
use crate::server::work::WorkService;
use crate::server::work::registry::Registry;
use crate::wire::generated::keys_server::KeysServer;
use crate::wire::generated::operate_server::OperateServer;
use crate::wire::generated::work_server::WorkServer;

/// What the requests of all connections need.
pub(super) struct Served {
    pub(super) keeper: Arc<Keeper>,
    pub(super) services: Services,
}

/// The services of a socket.
pub(super) struct Services {
    pub(super) keys: KeysServer<KeysService>,
    pub(super) work: WorkServer<WorkService>,
    /// The instances that the streams of `work` are of.
    pub(super) instances: Arc<Registry>,
    pub(super) operate: OperateServer<OperateService>,
    pub(super) health: HealthServer<HealthService>,
}

impl Services {
    pub(super) fn new(keeper: &Arc<Keeper>) -> Self {
        // The body of a request refuses what is larger, before any of it is kept.
        let keys = KeysServer::new(KeysService::new(Arc::clone(keeper)));
        let operate = OperateServer::new(OperateService::new(Arc::clone(keeper)));
        let work = WorkService::new(keeper);
        let instances = work.registry();
        let work = WorkServer::new(work);
        let health = HealthServer::new(HealthService::new(Arc::clone(keeper)));
        Self {
            keys: keys.max_decoding_message_size(usize::MAX),
            work: work.max_decoding_message_size(usize::MAX),
            instances,
            operate: operate.max_decoding_message_size(usize::MAX),
            health: health.max_decoding_message_size(usize::MAX),
        }
    }
}
