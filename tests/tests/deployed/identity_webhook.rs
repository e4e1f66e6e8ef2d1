//! identity-webhook, and its messages on their way to Segment.

use end_to_end::samples;
use serde_json::Value;
use testkit::FakeServer;

use crate::world::{self, golden, sample, send, signed_now};

#[tokio::test]
async fn every_sample_that_is_accepted_is_in_the_queue_and_then_at_segment() {
    let segment = FakeServer::healthy().await;
    let stack = world::setup(&segment).up().await;
    let (mut accepted, mut deleted) = (0, 0);
    for (name, event) in samples("identity-webhook") {
        let golden = golden(&name);
        let mut reply = send(&stack, &signed_now(&name, &event)).await;
        if golden["answer"]["event"] == "signup" && reply.body["event"] == "login" {
            // The ledger knows the user from an earlier sample. Each golden file was made with an empty
            // ledger.
            reply.body["event"] = "signup".into();
        }
        let logs = stack.function("IdentityWebhook").logs();
        assert_eq!(
            (&Value::from(reply.status), &reply.body),
            (&golden["status"], &golden["answer"]),
            "{name}\n{logs}"
        );
        let published = golden["published"].as_array().unwrap();
        accepted += published.len();
        deleted += published.iter().filter(|one| one["message"]["type"] == "delete").count();
    }
    assert!(accepted > deleted && deleted > 0, "the samples hold messages for Segment and others");

    let delivered = stack.deliver("SegmentDelivery").await.unwrap();
    assert_eq!(delivered, accepted - deleted, "a delete is not for Segment");
    let taken = segment.taken();
    assert_eq!(taken.len(), delivered);
    let to_default = |key: &str| key == "sample-write-key-not-secret";
    assert!(taken.iter().all(|(write_key, message)| to_default(write_key) && message["type"] != "delete"));
    assert!(stack.queue("SegmentDeadLetterQueue").await.is_empty().await);
    let logs = ["IdentityWebhook", "SegmentDelivery"].map(|name| stack.function(name).logs()).concat();
    assert!(
        !logs.contains('@') && !logs.contains("do-not-use"),
        "neither mail addresses nor secrets in the logs"
    );
}

#[tokio::test]
async fn without_topic_and_ledger_the_sender_is_asked_to_retry() {
    let stack = world::without_segment().up().await;
    stack.function("IdentityWebhook").warm().await;
    stack.break_everything();
    for name in ["fusionauth.user.login.success", "auth0.login.rule"] {
        let reply = send(&stack, &sample("identity-webhook", name)).await;
        assert_eq!(reply.status, 503, "{name}: {reply:?}");
        assert!(reply.headers.contains_key("retry-after"), "{name}: {reply:?}");
    }
}

/// A function with 128 MB that runs out of memory is killed, and a genuine batch gets no answer.
#[tokio::test]
async fn the_largest_bodies_fit_into_the_functions_memory() {
    let stack = world::without_segment().up().await;
    let event: Value = serde_json::from_str(&sample("identity-webhook", "auth0.logs.array")).unwrap();
    let post = async |body: &str| {
        let mut event = event.clone();
        event["body"] = body.into();
        event["isBase64Encoded"] = false.into();
        send(&stack, &event.to_string()).await
    };
    for unit in ["0,", "{},", "\"\",", r#"{"":0},"#, r#"{"a":[{}]},"#] {
        // Quotes take two bytes each on their way into the function, which takes 6 MB in all.
        let length = unit.len() + unit.matches('"').count();
        let reply = post(&format!("[{}0]", unit.repeat(5_800_000 / length))).await;
        assert_eq!((reply.status, &reply.body["error"]), (413, &"too_large".into()), "{unit}: {reply:?}");
    }
    let record = &serde_json::from_str::<Value>(event["body"].as_str().unwrap()).unwrap()[0];
    let length = record.to_string().len() + record.to_string().matches('"').count();
    let count = 5_800_000 / (length + 1);
    let records: Vec<String> = (0..count)
        .map(|number| {
            let mut record = record.clone();
            record["log_id"] = number.to_string().into();
            record.to_string()
        })
        .collect();
    let reply = post(&format!("[{}]", records.join(","))).await;
    // The emulated topic may be too slow for so many messages, but they are made.
    assert!([200, 503].contains(&reply.status), "{count} records of {length} bytes: {reply:?}");
    let peak = stack.function("IdentityWebhook").peak_memory();
    assert!(peak < 120, "{peak} MiB");
}

/// A provider of the user's own, in the secret that holds more than a function's environment does.
#[tokio::test]
async fn a_provider_in_the_mappings_secret_is_received_and_a_rule_in_the_parameter_is_on_top() {
    let file =
        std::fs::read_to_string(end_to_end::tools::root().join("events/provider-files/acme.toml")).unwrap();
    let more_than_an_environment = format!("{file}\n{}", "# a comment\n".repeat(1_000));
    let setup = world::without_segment()
        .secret("IdentitySecret", r#"{"acme": {"bearer": "sample"}}"#)
        .given_secret("MappingsSecretArn", &more_than_an_environment);
    let rule = "[acme.on.\"session.started\"]\ntrack = { event = \"Came Back\" }";
    let stack = setup.parameter("Mappings", rule).up().await;
    let mut event: Value =
        serde_json::from_str(&sample("identity-webhook", "okta.user.session.end")).unwrap();
    event["rawPath"] = "/identity/acme".into();
    event["requestContext"]["http"]["path"] = "/identity/acme".into();
    event["pathParameters"]["proxy"] = "acme".into();
    for (name, token, status) in
        [("user.created", "sample", 200), ("session.started", "sample", 200), ("user.created", "forged", 401)]
    {
        let path = format!("events/provider-files/acme/{name}.json");
        event["body"] = std::fs::read_to_string(end_to_end::tools::root().join(path)).unwrap().into();
        event["headers"]["authorization"] = format!("Bearer {token}").into();
        let reply = send(&stack, &event.to_string()).await;
        let logs = stack.function("IdentityWebhook").logs();
        assert_eq!(reply.status, status, "{name}: {reply:?}\n{logs}");
    }
    let messages = stack.queue("SegmentQueue").await.drain().await;
    let messages: Vec<String> = messages.iter().map(|(message, _)| message.to_string()).collect();
    let has = |part: &str| messages.iter().any(|message| message.contains(part));
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(has("ada@example.com") && has("Signed Up") && has("Came Back"), "{messages:?}");
}

/// A misspelled field that should be hashed would be sent in the clear.
#[tokio::test]
async fn with_a_fault_in_the_protection_of_a_field_no_event_of_any_provider_is_sent() {
    let mapping = "[fields]\n'traits.emial' = 'hash'";
    let stack = world::without_segment().parameter("Mappings", mapping).up().await;
    for name in ["fusionauth.user.create.complete", "auth0.login.rule", "clerk.user.created"] {
        let reply = send(&stack, &signed_now(name, &sample("identity-webhook", name))).await;
        assert!(reply.status >= 500, "{name}: {reply:?}");
    }
    let logs = stack.function("IdentityWebhook").logs();
    let expected = "MAPPINGS:2:1: no rule sets";
    assert!(logs.contains(expected) && logs.contains("traits.email"), "{logs}");
    assert!(stack.queue("SegmentQueue").await.is_empty().await);
}

#[tokio::test]
async fn a_hash_without_a_key_and_a_misspelled_event_type_are_logged_and_nothing_is_sent_unhashed() {
    let mapping = "fields.'traits.email' = 'hash'\nfusionauth.on.'user.login.succes'.track = {}";
    let secret = r#"{"fusionauth":{"signingSecrets":["segue-sample-signing-secret-do-not-use"]}}"#;
    let setup = world::without_segment().secret("IdentitySecret", secret);
    let stack = setup.parameter("Mappings", mapping).up().await;
    stack.function("IdentityWebhook").warm().await;
    let name = "fusionauth.user.create.complete";
    let reply = send(&stack, &sample("identity-webhook", name)).await;
    assert_eq!((reply.status, &reply.body["error"]), (503, &"no_hash_key".into()), "{reply:?}");
    let logs = stack.function("IdentityWebhook").logs();
    for expected in ["did you mean", "user.login.success", "has no hashKey"] {
        assert!(logs.contains(expected), "{expected}: {logs}");
    }
    assert!(stack.queue("SegmentQueue").await.is_empty().await);
}
