//! Troubles of AWS and of the functions: accepted messages are delivered or become dead letters, and no other
//! message is accepted.

use std::{collections::BTreeSet, time::Duration};

use end_to_end::{Service, Setup, Stack, Trouble};
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use crate::world::{self, deliver_until, ids, sample, send};

/// A little more than SegmentQueue's visibility timeout.
const VISIBILITY: Duration = Duration::from_secs(721);

/// Calls `/v1/batch` with this many messages with these ids. Returns the status.
async fn call(stack: &Stack, prefix: &str, count: usize) -> u16 {
    let message = |index| json!({"type": "track", "userId": "u1", "event": "e", "messageId": format!("{prefix}-{index:03}")});
    let batch: Vec<Value> = (0..count).map(message).collect();
    let body = json!({"writeKey": "sample-write-key-not-secret", "batch": batch}).to_string();
    stack.http("POST", "/v1/batch", &[], body.as_bytes()).await.status
}

fn expected(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}-{index:03}")).collect()
}

/// With cold and warm functions, and with failing and hanging services, the sender is asked to retry in time.
/// When it does, the message arrives.
#[tokio::test]
async fn if_any_service_is_away_the_sender_is_asked_to_retry_and_nothing_is_lost() {
    let segment = FakeServer::healthy().await;
    let stack = world::setup(&segment).up().await;
    let webhook = |name: &str| sample("identity-webhook", name);
    let (login, first_login) = (webhook("fusionauth.user.login.success"), webhook("auth0.login.action"));
    let track = sample("tracking-api", "track");
    for (service, trouble) in [
        (Service::Sns, Trouble::Failing),
        (Service::Sns, Trouble::Hanging),
        (Service::DynamoDb, Trouble::Failing),
        (Service::DynamoDb, Trouble::Hanging),
        (Service::SecretsManager, Trouble::Failing),
        (Service::SecretsManager, Trouble::Hanging),
    ] {
        for warm in [true, false] {
            for (name, function) in stack.functions() {
                if ["IdentityWebhook", "TrackingApi"].contains(&name) {
                    function.cool();
                    if warm {
                        function.warm().await;
                    }
                }
            }
            stack.trouble(service, trouble);
            for (what, event) in [("login", &login), ("first login", &first_login), ("track", &track)] {
                let needed = match service {
                    Service::Sns => true,
                    Service::DynamoDb => what == "first login",
                    // A value that was read before is used.
                    _ => !warm,
                };
                let case = format!("{service:?} {trouble:?}, warm: {warm}, {what}");
                let reply = send(&stack, event).await;
                assert_eq!(reply.status, if needed { 503 } else { 200 }, "{case}: {reply:?}");
                assert_eq!(reply.headers.contains_key("retry-after"), needed, "{case}");
            }
            stack.restore(service);
            // A secret that could not be read is read again after 5 s at the earliest.
            for event in [&login, &first_login, &track] {
                let accepted =
                    stack.eventually("a repeat is taken", async || send(&stack, event).await.status == 200);
                accepted.await.unwrap();
            }
        }
    }
    stack.deliver("SegmentDelivery").await.unwrap();
    let taken = ids(&segment);
    assert!(taken.len() >= 4, "a login, a first login and a track: {taken:?}");
    assert!(stack.queue("SegmentDeadLetterQueue").await.is_empty().await);
}

#[tokio::test]
async fn slow_services_do_not_matter() {
    let segment = FakeServer::healthy().await;
    let stack = world::setup(&segment).up().await;
    for service in Service::ALL {
        stack.trouble(service, Trouble::Slow(Duration::from_millis(150)));
    }
    for round in ["cold", "warm"] {
        assert_eq!(call(&stack, round, 3).await, 200, "{}", stack.diagnosis().await);
        let login = send(&stack, &sample("identity-webhook", "auth0.login.action")).await;
        assert_eq!(login.status, 200, "{}", stack.diagnosis().await);
    }
    stack.deliver("SegmentDelivery").await.unwrap();
    let taken = ids(&segment);
    assert!(
        [expected("cold", 3), expected("warm", 3)].concat().iter().all(|id| taken.contains(id)),
        "{taken:?}"
    );
}

/// Conservation: accepted messages are at Segment or are dead letters, no matter what happens to the
/// functions and the queue.
#[tokio::test]
async fn functions_that_are_killed_or_stopped_lose_nothing() {
    let segment = FakeServer::healthy().await;
    // The limit is short, so that the test does not wait two minutes.
    let short = |template: &mut Value| {
        template["Resources"]["SegmentDelivery"]["Properties"]["Timeout"] = 5.into();
    };
    let stack = world::setup(&segment).edited(short).up().await;
    for (round, signal) in ["KILL", "STOP"].into_iter().enumerate() {
        let prefix = format!("round{round}");
        assert_eq!(call(&stack, &prefix, 25).await, 200);
        // Segment takes the batch, but its answer arrives only after the function is gone.
        segment.set(|_| Answer::Late(Duration::from_secs(30)));
        let before = segment.requests().len();
        let meanwhile = async {
            stack
                .eventually("a request to Segment", async || segment.requests().len() > before)
                .await
                .unwrap();
            stack.function("SegmentDelivery").signal_busy(signal)
        };
        let (failed, hit) = tokio::join!(stack.deliver("SegmentDelivery"), meanwhile);
        let kind = if signal == "KILL" { "Runtime.ExitError" } else { "Sandbox.Timedout" };
        assert_eq!((failed.unwrap_err().kind.as_str(), hit), (kind, 1));
        segment.set(|_| Answer::ok());
        let (_, hidden, _) = stack.queue("SegmentQueue").await.counts().await;
        assert!(hidden > 0, "the batch is still in the queue");
        stack.advance(VISIBILITY).await;
        stack.deliver("SegmentDelivery").await.unwrap();
        let taken = ids(&segment);
        assert!(expected(&prefix, 25).iter().all(|id| taken.contains(id)), "{signal}: {taken:?}");
    }
    assert!(stack.queue("SegmentQueue").await.is_empty().await);
    assert!(stack.queue("SegmentDeadLetterQueue").await.is_empty().await);
}

/// One record that cannot be read, one that arrives twice, and a queue that fails while a message must be put
/// back.
#[tokio::test]
async fn a_poison_record_duplicates_and_a_failing_queue_affect_no_other_message() {
    let segment = FakeServer::healthy().await;
    let stack = world::setup(&segment).up().await;
    let queue = stack.queue("SegmentQueue").await;
    let attributes = [("type", "track"), ("writeKey", "default")];
    let message =
        |id: &str| json!({"type": "track", "userId": "u1", "event": "e", "messageId": id}).to_string();
    for id in ["one", "two", "two", "three"] {
        queue.send(&message(id), &attributes).await;
    }
    queue.send("{\"type\":", &attributes).await;
    assert_eq!(stack.deliver("SegmentDelivery").await.unwrap(), 5);
    assert_eq!(ids(&segment), ["one", "three", "two"]);
    let dead = stack.queue("SegmentDeadLetterQueue").await.drain().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0, "{\"type\":");

    // Segment refuses one of three, and SQS does not take it back. Only this one is reported as failed, and
    // stays.
    segment.set(|request| match request.body.contains("refused") {
        true => Answer::status(400),
        false => Answer::ok(),
    });
    for id in ["four", "refused", "five"] {
        queue.send(&message(id), &attributes).await;
    }
    stack.fail("sqs:SendMessage", true);
    let done = stack.deliver("SegmentDelivery").await.unwrap();
    assert_eq!(done, 2);
    let taken: BTreeSet<String> = ids(&segment).into_iter().collect();
    assert!(taken.contains("four") && taken.contains("five") && !taken.contains("refused"));
    assert_eq!(queue.counts().await, (0, 1, 0));
    stack.fail("sqs:SendMessage", false);
    stack.advance(VISIBILITY).await;
    assert_eq!(stack.deliver("SegmentDelivery").await.unwrap(), 1);
    assert_eq!(stack.queue("SegmentDeadLetterQueue").await.drain().await.len(), 1);
}

/// A user gives Segment another write key and stores it. All messages wait until then.
#[tokio::test]
async fn a_write_key_is_rotated_while_messages_arrive_and_none_is_lost() {
    let segment = FakeServer::healthy().await;
    let accepts = |key: &'static str| {
        move |request: &testkit::Request| match request.write_key() == key {
            true => Answer::ok(),
            false => Answer::status(401),
        }
    };
    segment.set(accepts("old"));
    let keys = r#"{"default":"old"}"#;
    let stack = Setup::default()
        .parameter("SegmentEndpoint", segment.url())
        .secret("WriteKeysSecret", keys)
        .up()
        .await;
    let publish = async |id: &str| {
        let body = json!({"type": "track", "userId": "u1", "event": "e", "messageId": id}).to_string();
        stack.publish(&body, &[("type", "track"), ("writeKey", "default")]).await;
    };
    publish("before").await;
    stack.deliver("SegmentDelivery").await.unwrap();
    assert_eq!(ids(&segment), ["before"]);

    segment.set(accepts("new"));
    publish("between").await;
    stack.deliver("SegmentDelivery").await.unwrap();
    assert_eq!(ids(&segment), ["before"], "it waits");
    stack.rotate("WriteKeysSecret", r#"{"default":"new"}"#).await;
    publish("after").await;
    // Within seconds, because Segment refused the old key. The secret is read again after five seconds at the
    // earliest.
    deliver_until(&stack, "SegmentDelivery", || ids(&segment).len() == 3).await;
    assert_eq!(ids(&segment), ["after", "before", "between"]);
    let keys: BTreeSet<String> = segment.taken().into_iter().map(|(write_key, _)| write_key).collect();
    assert_eq!(keys, ["new".to_owned(), "old".to_owned()].into());
    assert!(stack.queue("SegmentDeadLetterQueue").await.is_empty().await);
}
