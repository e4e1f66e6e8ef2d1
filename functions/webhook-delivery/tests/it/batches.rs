//! Webhooks that take several messages in one request.

use ring::hmac;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer, Request, VISIBILITY, assert_attributes};

use crate::support::{World, name, plain, sent, settings, taken, taken_sorted, track};

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn batched(fake: &FakeServer, size: usize) -> Value {
    json!({ "url": fake.url(), "batchSize": size, "signingSecret": SIGNING })
}

fn array(ids: &[&str]) -> String {
    format!("[{}]", ids.iter().map(|id| sent(id)).collect::<Vec<_>>().join(","))
}

fn bodies(fake: &FakeServer) -> Vec<String> {
    fake.requests().into_iter().map(|request| request.body).collect()
}

fn webhook_id(request: &Request) -> String {
    request.header("webhook-id").unwrap().to_owned()
}

#[tokio::test]
async fn messages_arrive_in_order_in_arrays_of_the_configured_size() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([batched(&fake, 3)]));
    world.publish_all(["1", "2", "3", "4", "5", "6", "7"]).await;
    assert!(world.poll(10).await.is_empty());
    let mut bodies = bodies(&fake);
    bodies.sort();
    assert_eq!(bodies, [array(&["1", "2", "3"]), array(&["4", "5", "6"]), array(&["7"])]);
    assert_eq!(world.queue.depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_batch_holds_only_types_that_the_webhook_wants() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([json!({ "url": fake.url(), "batchSize": 10, "types": ["track"] })]));
    for body in [&track("1"), r#"{"type":"delete","userId":"u","messageId":"2"}"#, &track("3")] {
        world.publish(body).await;
    }
    world.poll(10).await;
    assert_eq!(bodies(&fake), [array(&["1", "3"])]);
}

#[tokio::test]
async fn the_signature_is_that_of_the_first_message() {
    let fake = FakeServer::healthy().await;
    let mut settings = settings([batched(&fake, 10)]);
    settings["sharedSecret"] = json!("shared");
    let world = World::new(&settings);
    world.publish_all(["1", "2"]).await;
    world.poll(10).await;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"shared");
    let mac = hmac::sign(&key, sent("1").as_bytes());
    let digits: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(fake.requests()[0].header("x-signature"), Some(digits.as_str()));
}

#[tokio::test]
async fn a_batch_is_retried_as_a_whole_with_the_same_members_and_the_same_id() {
    let fake = FakeServer::answering([Answer::status(503), Answer::ResetAfter]).await;
    let world = World::new(&settings([batched(&fake, 3)]));
    world.publish_all(["1", "2", "3"]).await;
    world.poll(10).await;
    let queued = world.queued().await;
    assert_eq!(queued.len(), 1, "one entry instead of three");
    assert_eq!(queued[0].0, format!("[{},{},{}]", track("1"), track("2"), track("3")));
    assert_attributes(&queued[0].1, &[("webhook", &name(&fake)), ("attempts", "1")]);
    // Messages that arrive later are not part of it.
    world.publish_all(["4", "5"]).await;
    world.poll(2).await;
    world.drain().await;
    let batch = array(&["1", "2", "3"]);
    let attempts: Vec<Request> =
        fake.requests().into_iter().filter(|request| request.body == batch).collect();
    assert!(attempts.len() >= 2, "{:?}", bodies(&fake));
    assert!(attempts.iter().all(|request| webhook_id(request) == webhook_id(&attempts[0])));
    let others = fake.requests().into_iter().filter(|request| request.body != batch).collect::<Vec<_>>();
    assert!(others.iter().all(|request| request.body == array(&["4", "5"])));
    assert_ne!(webhook_id(&others[0]), webhook_id(&attempts[0]));
}

#[tokio::test]
async fn a_batch_of_one_stays_a_batch() {
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let world = World::new(&settings([batched(&fake, 3)]));
    world.publish_all(["1"]).await;
    world.drain().await;
    assert_eq!(bodies(&fake), [array(&["1"]), array(&["1"])]);
    let requests = fake.requests();
    assert_eq!(webhook_id(&requests[0]), webhook_id(&requests[1]));
}

#[tokio::test]
async fn a_refused_batch_is_one_dead_letter_and_comes_back_as_the_same_batch() {
    let fake = FakeServer::answering([Answer::status(410)]).await;
    let world = World::new(&settings([batched(&fake, 5)]));
    world.publish_all(["1", "2", "3"]).await;
    world.drain().await;
    let dead = world.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0, format!("[{},{},{}]", track("1"), track("2"), track("3")));
    assert_attributes(
        &dead[0].1,
        &[("webhook", &name(&fake)), ("failure", "client_error"), ("status", "410"), ("attempts", "1")],
    );
    world.redrive().await;
    world.drain().await;
    let requests = fake.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].body, requests[0].body);
    assert_eq!(webhook_id(&requests[1]), webhook_id(&requests[0]));
    assert_eq!(world.dead_letters().await, []);
}

#[tokio::test]
async fn no_batch_is_too_large_for_one_message_of_a_queue() {
    let fake = FakeServer::start(|_| Answer::status(503)).await;
    let world = World::new(&settings([batched(&fake, 1_000)]));
    for id in 0..40 {
        let text = "é".repeat(15_000);
        let body =
            format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"{id:02}","text":"{text}"}}"#);
        world.publish(&body).await;
    }
    world.poll(50).await;
    let queued = world.queued().await;
    assert_eq!(queued.len(), 5);
    for (body, attributes) in queued {
        let attributes: usize = attributes.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
        assert!(body.len() + attributes <= 256 * 1_024, "{} and {attributes} bytes", body.len());
    }
    fake.set(|_| Answer::ok());
    world.drain().await;
    assert_eq!(taken_sorted(&fake), (0..40).map(|id| format!("{id:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_webhook_with_batches_and_one_without_that_both_fail_lose_nothing() {
    let [batches, others, single] = [(); 3].map(|()| FakeServer::start(|_| Answer::status(503)));
    let (batches, others, single) = (batches.await, others.await, single.await);
    let world = World::new(&settings([batched(&batches, 2), batched(&others, 3), plain(&single)]));
    world.publish_all(["1", "2", "3", "4", "5"]).await;
    assert!(world.poll(10).await.is_empty());
    let mut queued: Vec<(String, String)> = world
        .queued()
        .await
        .into_iter()
        .map(|(body, attributes)| (attributes["webhook"].clone(), body))
        .collect();
    queued.sort();
    let entry = |fake: &FakeServer, ids: &[&str], array: bool| {
        let body = ids.iter().map(|id| track(id)).collect::<Vec<_>>().join(",");
        (name(fake), if array { format!("[{body}]") } else { body })
    };
    let mut expected = vec![
        entry(&batches, &["1", "2"], true),
        entry(&batches, &["3", "4"], true),
        entry(&batches, &["5"], false),
        entry(&others, &["1", "2", "3"], true),
        entry(&others, &["4", "5"], true),
    ];
    expected.extend(["1", "2", "3", "4", "5"].map(|id| entry(&single, &[id], false)));
    expected.sort();
    assert_eq!(queued, expected);
    for fake in [&batches, &others, &single] {
        fake.set(|_| Answer::ok());
    }
    world.drain().await;
    for fake in [&batches, &others, &single] {
        assert_eq!(taken_sorted(fake), ["1", "2", "3", "4", "5"]);
    }
}

#[tokio::test]
async fn messages_that_share_a_failed_batch_are_replaced_together_or_not_at_all() {
    let (failing, healthy) = (FakeServer::start(|_| Answer::status(503)).await, FakeServer::healthy().await);
    let world = World::new(&settings([batched(&failing, 2), plain(&healthy)]));
    world.publish_all(["1", "2", "3"]).await;
    world.flaky.failures.set(1);
    assert_eq!(world.poll(10).await.len(), 3);
    assert_eq!(world.queue.depth().await.unwrap(), 3);
    failing.set(|_| Answer::ok());
    world.clock.advance(VISIBILITY);
    world.drain().await;
    assert_eq!(taken(&failing).len(), 3);
    assert_eq!(taken_sorted(&healthy), ["1", "1", "2", "2", "3", "3"]);
}

#[tokio::test]
async fn a_failed_batch_does_not_bring_a_delivered_one_back() {
    let fake = FakeServer::start(|request| match request.body.contains("\"1\"") {
        true => Answer::status(503),
        false => Answer::ok(),
    })
    .await;
    let world = World::new(&settings([batched(&fake, 2)]));
    world.publish_all(["1", "2", "3", "4"]).await;
    world.flaky.failures.set(1);
    assert_eq!(world.poll(10).await.len(), 2);
    fake.set(|_| Answer::ok());
    world.clock.advance(VISIBILITY);
    world.drain().await;
    assert_eq!(taken_sorted(&fake), ["1", "2", "3", "4"]);
}
