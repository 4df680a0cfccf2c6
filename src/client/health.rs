//! Whether the keeper is well, by the standard health service.

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::handle::Client;
use crate::rotation::error::RotationError;

impl Client {
    /// Whether rotations can run in the keeper. Each user with a grant may ask;
    /// [`status`](Self::status) says why they cannot.
    ///
    /// # Errors
    /// `permission_denied`, `keeper_unavailable`, `timed_out`, `forked`.
    pub async fn is_serving(&self) -> Result<bool, RotationError> {
        let connection = self.connection();
        let mut health = HealthClient::new(connection.channel.clone());
        let service = String::new();
        let answer = connection
            .ask(health.check(HealthCheckRequest { service }))
            .await?;
        Ok(answer.status() == ServingStatus::Serving)
    }
}
