//! A deleted stack, and a new one after it.

use end_to_end::HttpRequest;
use serde_json::json;
use testkit::{Answer, FakeServer};

use super::{auth0_login, begin};
use crate::world::{WRITE_KEYS, identity, ids};

#[tokio::test]
async fn the_kept_resources_of_a_deleted_stack_can_be_given_to_a_new_one() {
    let Some((aws, release)) = begin().await else { return };
    let segment = FakeServer::start(|_| Answer::status(400)).await;
    let url = segment.url();
    let parameters = [("SegmentEndpoint", url.as_str())];
    let first = aws.deploy("segue", &release, &parameters).await;
    first.store("WriteKeysSecret", WRITE_KEYS).await;
    first.store("IdentitySecret", &identity()).await;
    let track =
        r#"{"userId":"u1","event":"Left","messageId":"left-1","writeKey":"sample-write-key-not-secret"}"#;
    let reply = first.send(HttpRequest::new("POST", "/v1/track", &[], track.as_bytes())).await;
    assert_eq!(reply.status, 200, "{reply:?}");

    assert_eq!(auth0_login(&first).await, json!({"event": "signup"}));

    let dead = first.queue("SegmentDeadLetterQueue").await;
    aws.eventually("both messages are dead", async || dead.counts().await.0 == 2).await;

    aws.delete("segue").await;
    assert_eq!(dead.counts().await.0, 2, "the queue is kept");

    segment.set(|_| Answer::ok());
    // ministack derives names only from the stack's name, where CloudFormation adds a random part. A stack of
    // the same name would thus replace the kept queues with new ones.
    let ledger = first.output("LedgerTable");
    let parameters = [&parameters[..], &[("LedgerTableName", ledger)]].concat();
    let second = aws.deploy("segue-again", &release, &parameters).await;
    second.store("WriteKeysSecret", WRITE_KEYS).await;
    second.store("IdentitySecret", &identity()).await;
    assert_eq!(auth0_login(&second).await, json!({"event": "login"}), "the ledger knows the user");
    assert_eq!(dead.redrive(&second.queue("SegmentQueue").await).await, 2);
    let is_there = |id: &String| id == "left-1";
    aws.eventually("it is at Segment", async || ids(&segment).iter().any(is_there)).await;
}
