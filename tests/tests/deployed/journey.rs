//! The whole bundle with every part of the template turned on: from the HTTP API, the schedule and the user
//! pool to Segment, its Public API and the webhooks.

use std::process::Stdio;

use end_to_end::{Setup, Stack, samples, tools};
use serde_json::{Value, json};
use testkit::{Answer, FakeServer, postgres::PostgresServer};
use tokio::process::Command;

use crate::world::{self, away, golden, ids, sample, send, signed_now, webhook};

/// The services outside the stack.
struct Outside {
    segment: FakeServer,
    public_api: FakeServer,
    one: FakeServer,
    two: FakeServer,
    database: PostgresServer,
}

impl Outside {
    async fn start() -> Self {
        // Each fails once, so that a message takes every possible way.
        Self {
            segment: FakeServer::answering([away()]).await,
            public_api: FakeServer::answering([away()]).await,
            one: FakeServer::answering([away()]).await,
            two: FakeServer::healthy().await,
            database: PostgresServer::start().await,
        }
    }

    fn setup(&self) -> Setup {
        let setup =
            world::with_webhooks(world::setup(&self.segment), &[webhook(&self.one), webhook(&self.two)]);
        let setup = world::with_warehouse(setup, &self.database);
        world::with_cognito(world::with_regulations(setup, &self.public_api))
            .parameter("AlarmEmail", "operator@example.com")
            .parameter("Tracing", "Active")
            // The trigger reads the secret only if the mapping hashes a field.
            .parameter("Mappings", "[fields]\n'traits.email' = 'hash'")
            .parameter("TrackEventInput", r#"{"user_id":"nightly-report","event":"Schedule Ran"}"#)
    }
}

/// Waits until all messages are processed.
async fn quiet(stack: &Stack) {
    let queues = ["SegmentQueue", "WebhookQueue", "WarehouseQueue", "RegulationQueue"];
    let quiet = stack.eventually("the queues are empty", async || {
        for queue in queues {
            if !stack.queue(queue).await.is_empty().await {
                return false;
            }
        }
        true
    });
    quiet.await.unwrap();
}

#[tokio::test]
async fn every_accepted_message_is_delivered_with_exactly_the_needed_permissions() {
    let outside = Outside::start().await;
    let stack = outside.setup().up().await;
    outside.database.stop();
    stack.poll();

    // Every sample of the functions behind the HTTP API.
    let mut expected = Vec::new();
    for (name, event) in samples("identity-webhook") {
        let golden = golden(&name);
        let reply = send(&stack, &signed_now(&name, &event)).await;
        assert_eq!(Value::from(reply.status), golden["status"], "{name}: {reply:?}");
        let published = golden["published"].as_array().unwrap().iter().map(|one| &one["message"]);
        expected.extend(published.map(|message| message["type"].as_str().unwrap().to_owned()));
    }
    // Auth0 logs a new user in twice.
    let login = sample("identity-webhook", "auth0.login.action")
        .replace("auth0|691fa0c4e1b2d3f405162738", "auth0|new");
    let answers = [send(&stack, &login).await.body, send(&stack, &login).await.body];
    assert_eq!(answers, [json!({"event": "signup"}), json!({"event": "login"})]);
    for (name, event) in samples("tracking-api") {
        assert_eq!(send(&stack, &event).await.status, 200, "{name}");
    }
    for (name, event) in samples("cognito-trigger") {
        let answer = stack.function("CognitoTrigger").invoke(event.clone()).await.unwrap();
        assert_eq!(answer, event.trim(), "{name}");
    }
    for (_, payload) in samples("track-event") {
        stack.function("TrackEvent").invoke(payload).await.unwrap();
    }
    assert_eq!(stack.http("GET", "/health", &[], b"").await.status, 200);
    assert_eq!(stack.http("GET", "/", &[], b"").await.status, 404);

    // Messages wait for a database that is away.
    let waits = stack.eventually("messages wait for the database", async || {
        stack.queue("WarehouseQueue").await.delayed().await > 0
    });
    waits.await.unwrap();
    outside.database.restart().await;

    // A Segment library.
    let printed = analytics_node(&stack.url()).await;
    let sent: Vec<&str> = printed["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["messageId"].as_str().unwrap())
        .collect();
    assert!(sent.len() > 10);
    quiet(&stack).await;
    let (segment, one, two) = (ids(&outside.segment), ids(&outside.one), ids(&outside.two));
    for id in &sent {
        for place in [&segment, &one, &two] {
            assert!(place.iter().any(|arrived| arrived == id) || is_kept_from_segment(&printed, id), "{id}");
        }
    }
    assert_eq!(one, two, "each webhook has every message");
    let tables = ["tracks", "identifies", "pages", "screens", "groups", "aliases"];
    let select = tables.map(|table| format!("SELECT id FROM segue.{table}")).join(" UNION ALL ");
    let rows = outside.database.rows(&select).await;
    for id in &sent {
        assert!(rows.iter().any(|row| row[0] == *id), "{id} is not in the database");
    }
    let mut signups: Vec<Value> = outside.segment.taken().into_iter().map(|(_, message)| message).collect();
    signups.retain(|message| message["userId"] == "auth0|new" && message["event"] == "signup");
    signups.dedup_by_key(|message| message["messageId"].clone());
    assert_eq!(signups.len(), 1, "each user signs up once");
    let deletions = expected.iter().filter(|kind| *kind == "delete").count();
    assert!(deletions > 0);
    let deleted = outside.two.taken().into_iter().filter(|(_, message)| message["type"] == "delete").count();
    assert_eq!(deleted, deletions, "webhooks hear of deletions");
    assert!(!outside.public_api.taken().is_empty(), "and Segment's Public API does");
    assert!(outside.segment.taken().iter().all(|(_, message)| message["type"] != "delete"));

    schedule_and_failures(&stack, &outside).await;
    dead_letters_are_put_back(&stack, &outside).await;
    quiet(&stack).await;
    stack.stop_polling().await;

    assert_eq!(stack.denied(), [""; 0], "a function wanted what its role does not allow");
    assert_eq!(stack.unneeded_permissions(), [""; 0], "a role allows what no function wanted");
    assert_eq!(stack.refused_calls(), [""; 0], "AWS takes no such call");
    assert_eq!(stack.notes(), ["no route of the HTTP API takes GET /"]);
    let log = stack.access_log().join("\n");
    for private in ["writeKey", "Basic", "Bearer", "secret", "?", "eyJ", "user-1"] {
        assert!(!log.contains(private), "the access log has {private}: {log}");
    }
}

/// A run of the schedule is one event however often it is repeated. Runs that fail each time are kept.
async fn schedule_and_failures(stack: &Stack, outside: &Outside) {
    let before = outside.segment.taken().len();
    for _ in 0..2 {
        stack.fire_schedule("2026-11-21T06:00:00Z").await;
    }
    let taken = outside.segment.taken();
    let [(_, first), (_, second)] = &taken[before..] else { panic!("two tracks: {:?}", &taken[before..]) };
    assert_eq!(
        (&first["event"], &first["timestamp"]),
        (&json!("Schedule Ran"), &json!("2026-11-21T06:00:00.000Z"))
    );
    assert_eq!(first["messageId"], second["messageId"]);

    stack.invoke_asynchronously("TrackEvent", r#"{"user_id":"u1"}"#).await;
    stack.fire_schedule_in_vain().await;
    let kept = stack.queue("TrackEventFailures").await.drain().await;
    assert_eq!(kept.len(), 2, "{kept:?}");
    let failed = kept.iter().find(|(record, _)| !record["requestContext"].is_null()).unwrap();
    assert_eq!(failed.0["requestPayload"], json!({"user_id": "u1"}));
    assert_eq!(failed.0["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(failed.0["responsePayload"]["errorType"], "MissingField");
}

/// Messages that a destination permanently refused are delivered unchanged after a redrive.
async fn dead_letters_are_put_back(stack: &Stack, outside: &Outside) {
    outside.segment.set(|_| Answer::status(400));
    outside.two.set(|_| Answer::status(404));
    outside.public_api.set(|_| Answer::status(404));
    outside.database.run("ALTER TABLE segue.tracks ADD CONSTRAINT mine CHECK (id <> 'refused-1')").await;
    let track = r#"{"userId":"u1","event":"Refused","messageId":"refused-1","writeKey":"sample-write-key-not-secret"}"#;
    assert_eq!(stack.http("POST", "/v1/track", &[], track.as_bytes()).await.status, 200);
    let delete = sample("identity-webhook", "fusionauth.user.delete.complete");
    assert_eq!(send(stack, &delete).await.status, 200);
    quiet(stack).await;
    for (prefix, fake, id) in [
        ("Segment", &outside.segment, Some("refused-1")),
        ("Webhook", &outside.two, Some("refused-1")),
        ("Regulation", &outside.public_api, None),
    ] {
        fake.set(|_| Answer::ok());
        let taken = fake.taken().len();
        let dead = stack.queue(&format!("{prefix}DeadLetterQueue")).await;
        let moved = dead.redrive(&stack.queue(&format!("{prefix}Queue")).await).await;
        assert!(moved > 0, "{prefix}: {}", stack.diagnosis().await);
        quiet(stack).await;
        assert!(fake.taken().len() > taken, "{prefix}: {}", stack.diagnosis().await);
        assert!(id.is_none_or(|id| ids(fake).iter().any(|one| one == id)), "{prefix}");
        assert!(dead.is_empty().await, "{prefix}");
    }
    outside.database.run("ALTER TABLE segue.tracks DROP CONSTRAINT mine").await;
    let dead = stack.queue("WarehouseDeadLetterQueue").await;
    assert_eq!(dead.redrive(&stack.queue("WarehouseQueue").await).await, 1);
    quiet(stack).await;
    assert_eq!(outside.database.value("SELECT count(*) FROM segue.tracks WHERE id = 'refused-1'").await, "1");
}

/// Runs the library's own program, as a user does.
async fn analytics_node(url: &str) -> Value {
    let mut node = Command::new("node");
    node.args(["tests/libraries/send-node.mjs", url, "sample-write-key-not-secret"])
        .current_dir(tools::root());
    let output = node.stdin(Stdio::null()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The program also sends half an emoji, which is JSON for Node.
    segment::json::parse(&output.stdout).unwrap()
}

/// Whether the integrations of the library's message keep it from Segment, or from the webhooks.
fn is_kept_from_segment(printed: &Value, id: &str) -> bool {
    let mut messages = printed["messages"].as_array().unwrap().iter();
    messages.any(|one| one["messageId"] == id && one["integrations"]["All"] == false)
}
