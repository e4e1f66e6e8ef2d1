//! The messages that each webhook gets.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use platform::clock::Clock;
use ring::hmac;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use crate::support::{World, plain, sent, settings, taken, taken_sorted, track};

/// The examples in the documentation of Segment's Webhooks destination, without `version` and with a
/// `messageId`.
const MESSAGES: [&str; 7] = [
    r#"{"type":"page","messageId":"1","userId":"019mr8mf4r","properties":{"path":"/pricing","title":"Segment Pricing"},"timestamp":"2012-12-02T00:30:08.276Z"}"#,
    r#"{"type":"screen","messageId":"2","userId":"019mr8mf4r","name":"Main Screen","timestamp":"2012-12-02T00:30:08.276Z","context":{"os":{"name":"iPhone OS","version":"7.1"}}}"#,
    r#"{"type":"identify","messageId":"3","userId":"019mr8mf4r","traits":{"email":"achilles@segment.com","friendCount":29},"timestamp":"2012-12-02T00:30:08.276Z"}"#,
    r#"{"type":"track","messageId":"4","userId":"019mr8mf4r","event":"Purchased an Item","properties":{"revenue":"39.95","shippingMethod":"2-day"},"timestamp":"2012-12-02T00:30:08.276Z"}"#,
    r#"{"type":"alias","messageId":"5","previousId":"previousId","userId":"userId","timestamp":"2012-12-02T00:30:08.276Z"}"#,
    r#"{"type":"group","messageId":"6","groupId":"0e8c78ea9d97a7b8185e8632","userId":"019mr8mf4r","traits":{"employees":329,"total billed":830},"timestamp":"2012-12-02T00:30:08.276Z"}"#,
    r#"{"type":"delete","messageId":"7","userId":"019mr8mf4r","timestamp":"2012-12-02T00:30:08.276Z"}"#,
];

#[tokio::test]
async fn each_type_of_message_arrives_as_the_documentation_shows_it() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([json!({ "url": format!("{}/x?key=k", fake.url()) })]));
    for message in MESSAGES {
        world.publish(message).await;
        assert!(world.poll(1).await.is_empty());
    }
    let requests = fake.requests();
    for (request, message) in requests.iter().zip(MESSAGES) {
        assert_eq!(request.line, "POST /x?key=k");
        assert_eq!(request.header("user-agent"), Some("Segment.io/1.0"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("x-signature"), None, "there is no shared secret");
        let expected = match message {
            deletion if deletion.contains("delete") => deletion.to_owned(),
            message => message.replacen('{', r#"{"version":1,"#, 1),
        };
        assert_eq!(request.body, expected);
    }
    assert_eq!(requests.len(), MESSAGES.len());
    assert_eq!(world.queue.depth().await.unwrap(), 0);
}

#[tokio::test]
async fn static_headers_are_sent_and_the_user_agent_and_content_type_can_be_set() {
    let fake = FakeServer::healthy().await;
    let headers = json!({
        "Authorization": "Bearer hunter2", "X-Source": "segue", "User-Agent": "mine/1.0",
        "content-type": "application/json; charset=utf-8",
    });
    let world = World::new(&settings([json!({ "url": fake.url(), "headers": headers })]));
    world.publish_all(["1"]).await;
    world.poll(1).await;
    let request = &fake.requests()[0];
    for (name, value) in headers.as_object().unwrap() {
        let values: Vec<&str> = request
            .headers
            .iter()
            .filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(values, [value.as_str().unwrap()], "{name}");
    }
}

#[tokio::test]
async fn a_webhook_gets_the_configured_types() {
    let (some, all) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let some_types = json!({ "url": some.url(), "types": ["identify", "delete"] });
    let world = World::new(&settings([some_types, plain(&all)]));
    for message in MESSAGES {
        world.publish(message).await;
    }
    assert!(world.poll(10).await.is_empty());
    assert_eq!(taken_sorted(&some), ["3", "7"]);
    assert_eq!(taken_sorted(&all), ["1", "2", "3", "4", "5", "6", "7"]);
}

#[tokio::test]
async fn a_message_that_no_webhook_wants_is_deleted() {
    let fake = FakeServer::healthy().await;
    for success in ["all", "any"] {
        let mut settings = settings([json!({ "url": fake.url(), "types": ["delete"] })]);
        settings["success"] = json!(success);
        let world = World::new(&settings);
        world.publish_all(["1"]).await;
        assert!(world.poll(1).await.is_empty());
        assert!(fake.requests().is_empty());
        assert_eq!(world.queue.depth().await.unwrap(), 0);
        assert_eq!(world.dead_letters().await, []);
    }
}

#[tokio::test]
async fn a_fresh_message_goes_to_all_webhooks_at_once() {
    let fake = FakeServer::start(|_| Answer::Late(Duration::from_millis(300))).await;
    let webhooks = (1..=5).map(|path| json!({ "url": format!("{}/{path}", fake.url()) }));
    let world = World::new(&settings(webhooks));
    world.publish_all(["1"]).await;
    assert!(world.poll(1).await.is_empty());
    assert_eq!(fake.peak(), 5);
    let mut lines: Vec<String> = fake.requests().into_iter().map(|request| request.line).collect();
    lines.sort();
    assert_eq!(lines, ["POST /1", "POST /2", "POST /3", "POST /4", "POST /5"]);
}

#[tokio::test]
async fn one_slow_webhook_does_not_delay_the_others() {
    let slow = FakeServer::start(|_| Answer::SlowBody(Duration::from_millis(300))).await;
    let fast = FakeServer::healthy().await;
    let world = World::new(&settings([plain(&slow), plain(&fast)]));
    world.publish_all(["1"]).await;
    tokio::select! {
        _ = world.poll(1) => panic!("the slow one was not waited for"),
        () = async { while fast.requests().is_empty() { tokio::time::sleep(Duration::from_millis(1)).await } } => {}
    }
}

#[tokio::test]
async fn the_sent_body_is_a_fixed_point_of_nodes_json() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([plain(&fake)]));
    world.publish("{\"type\":\"identify\",\"userId\":\"u\",\"traits\":{\"b\":1.0,\"2\":1e2,\"t\":\"\\ufffe\\u0041é😀\"}}").await;
    world.poll(1).await;
    let expected = "{\"version\":1,\"type\":\"identify\",\"userId\":\"u\",\"traits\":{\"2\":100,\"b\":1,\"t\":\"\u{fffe}Aé😀\"}}";
    assert_eq!(fake.requests()[0].body, expected);
}

#[tokio::test]
async fn every_request_is_signed_with_the_current_and_the_previous_secret() {
    let keys = ["k".repeat(24), "l".repeat(32)];
    let signing = keys.each_ref().map(|key| format!("whsec_{}", STANDARD.encode(key)));
    let shared = ["the current one", "the previous one"];
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let mut settings = settings([json!({ "url": fake.url(), "signingSecret": signing })]);
    settings["sharedSecret"] = json!(shared);
    let world = World::new(&settings);
    world.publish_all(["m-1"]).await;
    world.poll(1).await;
    let first = world.clock.now();
    world.clock.advance(Duration::from_secs(5));
    world.poll(1).await;
    let requests = fake.requests();
    for (request, at) in requests.iter().zip([first, first + Duration::from_secs(5)]) {
        assert_eq!(request.body, sent("m-1"));
        for (header, secret) in ["x-signature", "x-signature-previous"].into_iter().zip(shared) {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
            let mac = hmac::sign(&key, request.body.as_bytes());
            let digits: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(request.header(header), Some(digits.as_str()), "{header}");
        }
        let (id, time) = ("m-1", at.as_second().to_string());
        assert_eq!(request.header("webhook-id"), Some(id));
        assert_eq!(request.header("webhook-timestamp"), Some(time.as_str()));
        let signed = format!("{id}.{time}.{}", request.body);
        let macs = keys.each_ref().map(|key| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
            format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
        });
        assert_eq!(request.header("webhook-signature"), Some(macs.join(" ").as_str()));
    }
    assert_eq!(requests.len(), 2);
}

#[tokio::test]
async fn one_undecodable_message_affects_no_other() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([plain(&fake)]));
    let array = format!("[{}]", track("3"));
    for body in [&track("1"), "not json", r#"{"type":"track","userId":[]}"#, &array, &track("2")] {
        world.publish(body).await;
    }
    assert!(world.poll(10).await.is_empty());
    assert_eq!(taken_sorted(&fake), ["1", "2"]);
    let dead = world.dead_letters().await;
    let why: Vec<_> =
        dead.iter().map(|(_, attributes)| (&*attributes["failure"], &*attributes["reason"])).collect();
    assert_eq!(
        why,
        [
            ("invalid", "the body is not JSON: there is a syntax error at line 1 column 2"),
            ("invalid", "userId: must be a string"),
            ("invalid", "the body is JSON but not an object"),
        ]
    );
    let bodies: Vec<&str> = dead.iter().map(|(body, _)| body.as_str()).collect();
    assert_eq!(bodies, ["not json", r#"{"type":"track","userId":[]}"#, &array], "as they came");
}

#[tokio::test]
async fn an_empty_batch_is_handled() {
    let world = World::new(&settings([json!({ "url": "http://127.0.0.1:9" })]));
    assert_eq!(world.engine.handle(Vec::new()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_message_published_twice_is_delivered_twice_with_one_id() {
    let fake = FakeServer::healthy().await;
    let signing = format!("whsec_{}", STANDARD.encode("k".repeat(24)));
    let world = World::new(&settings([json!({ "url": fake.url(), "signingSecret": signing })]));
    world.publish_all(["1", "1"]).await;
    world.poll(10).await;
    assert_eq!(taken(&fake), ["1", "1"]);
    let ids: Vec<Value> = fake.requests().iter().map(|request| json!(request.header("webhook-id"))).collect();
    assert_eq!(ids, ["1", "1"]);
}
