//! A stack that is deleted, and one that is made after it.

use end_to_end::HttpRequest;
use fakes::FakeServer;

use super::begin;
use crate::world::{WRITE_KEYS, away, ids};

#[tokio::test]
async fn what_a_deleted_stack_still_held_can_be_given_to_a_new_one() {
    let Some((aws, release)) = begin().await else { return };
    let segment = FakeServer::start(|_| away()).await;
    let url = segment.url();
    let parameters = [("SegmentEndpoint", url.as_str())];
    let first = aws.deploy("segue", &release, &parameters).await;
    first.store("WriteKeysSecret", WRITE_KEYS).await;
    let track =
        r#"{"userId":"u1","event":"Left","messageId":"left-1","writeKey":"sample-write-key-not-secret"}"#;
    let reply = first.send(HttpRequest::new("POST", "/v1/track", &[], track.as_bytes())).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    aws.eventually("Segment refuses it", async || !segment.requests().is_empty()).await;

    let queue = first.queue("SegmentQueue").await;
    aws.delete("segue").await;
    aws.eventually("the message is in the queue that was kept", async || queue.counts().await.0 == 1).await;

    segment.set(|_| fakes::Answer::ok());
    // ministack names what it makes by the stack alone, where CloudFormation adds something random. So a stack of the
    // same name would get new queues in the place of those that were kept.
    let second = aws.deploy("segue-again", &release, &parameters).await;
    second.store("WriteKeysSecret", WRITE_KEYS).await;
    assert_eq!(queue.redrive(&second.queue("SegmentQueue").await).await, 1);
    aws.eventually("it is at Segment", async || ids(&segment) == ["left-1"]).await;
}
