//! The standard health service.

use keyward::wire::generated::StatusRequest;
use keyward::{MemoryRepo, SecretKeyDefinition, Space};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::ground::{Ground, code};
use crate::server::operate::listing;
use crate::support::faulty::{Fault, FaultyRepo};
use crate::support::{define, on, until, within};

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn the_health_service_says_serving_while_rotations_can_run() {
    let repo = FaultyRepo::on(MemoryRepo::new());
    let keys = on(repo.clone()).await;
    define(&keys, SecretKeyDefinition::round_trip("documents", || "v")).await;
    let ground = Ground::serve(keys, |options| options).await;
    let client = ground.client().await;
    let mut health = HealthClient::new(client.channel.clone());
    for service in [
        "",
        "keyward.v1.Keys",
        "keyward.v1.Operate",
        "keyward.v1.Work",
    ] {
        let said = health.check(of(service)).await.unwrap().into_inner();
        assert_eq!(said.status(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(code(health.check(of("other")).await), "NotFound");
    let mut watched = health.watch(of("")).await.unwrap().into_inner();
    let first = within(watched.message()).await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    repo.reopening_fails(u32::MAX);
    repo.next_write(Space::Rotations, Fault::Fails);
    let _paused = ground.keys.declare(keyward::Change::of("documents")).await;
    until("the status is NOT_SERVING", async || {
        let said = health.check(of("")).await.unwrap().into_inner();
        said.status() == ServingStatus::NotServing
    })
    .await;
    // Why, the status says.
    let mut operate = client.operate.clone();
    let status = operate.status(StatusRequest {}).await;
    let status = listing(status).await.into_status().unwrap();
    let here = ground.keys.status().await.unwrap().paused;
    assert!(status.paused.is_some() && status.paused == here, "{here:?}");
    let next = within(watched.message()).await.unwrap().unwrap();
    assert_eq!(next.status(), ServingStatus::NotServing);
}
