//! A stack with every part of the template turned on, from its entry points to Segment and the webhooks.

use end_to_end::{Deployment, HttpRequest, Ministack};
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use super::begin;
use crate::world::{SHARED_SECRET, WRITE_KEYS, identity, ids, sample, webhook};

/// The services outside the stack.
struct Outside {
    segment: FakeServer,
    public_api: FakeServer,
    webhook: FakeServer,
}

#[tokio::test]
async fn events_at_a_deployed_stack_reach_their_destinations() {
    let Some((mut aws, release)) = begin().await else { return };
    let (segment, public_api) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let outside = Outside { segment, public_api, webhook: FakeServer::healthy().await };
    let token = aws.create_secret("public-api-token", r#"{"default":"t1"}"#).await;
    aws.act_with(&["deploy/permissions/stack-and-functions.json", "deploy/permissions/resources.json"]).await;
    aws.make_bucket(&release).await;
    let (segment, public_api) = (outside.segment.url(), outside.public_api.url());
    let parameters = [
        ("SegmentEndpoint", segment.as_str()),
        ("WebhooksEnabled", "true"),
        ("AllowPrivateWebhooks", "true"),
        ("PublicApiTokenSecretArn", &token),
        ("PublicApiEndpoint", &public_api),
        ("CognitoUserPoolArn", "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_abc"),
        ("Mappings", "[fields]\n'traits.email' = 'hash'"),
        ("AlarmEmail", "operator@example.com"),
        ("Tracing", "Active"),
        ("LogLevel", "debug"),
    ];
    let stack = aws.deploy("segue", &release, &parameters).await;
    stack.store("WriteKeysSecret", WRITE_KEYS).await;
    stack.store("IdentitySecret", &identity()).await;
    let webhooks = json!({"sharedSecret": SHARED_SECRET, "webhooks": [webhook(&outside.webhook)]});
    stack.store("WebhooksSecret", &webhooks.to_string()).await;

    identities(&aws, &stack, &outside).await;
    batch(&aws, &stack, &outside).await;
    compressed(&stack).await;
    schedule(&aws, &stack, &outside).await;
    deletion(&aws, &stack, &outside).await;
    dead_letter(&aws, &stack, &outside).await;
}

/// A signed FusionAuth login, an Auth0 user who logs in twice and signs up once, and a Cognito user.
async fn identities(aws: &Ministack, stack: &Deployment<'_>, outside: &Outside) {
    let reply = send(stack, "identity-webhook", "fusionauth.user.login.success").await;
    assert_eq!(reply, (200, json!({"accepted": 1})));
    let mut answers = Vec::new();
    for _ in 0..2 {
        answers.push(send(stack, "identity-webhook", "auth0.login.action").await.1);
    }
    assert_eq!(answers, [json!({"event": "signup"}), json!({"event": "login"})]);
    let event = sample("cognito-trigger", "post-authentication");
    let answer = aws.invoke(stack.output("CognitoTriggerArn"), &event).await;
    assert_eq!(answer, serde_json::from_str::<Value>(&event).unwrap(), "the user is let in");

    aws.eventually("every event is where it belongs", async || {
        (events(&outside.segment).len(), events(&outside.webhook).len()) == (4, 2)
    })
    .await;
    let cognito = "PostAuthentication_Authentication";
    assert_eq!(events(&outside.segment), [cognito, "login", "signup", "user.login.success"]);
    // Auth0's messages are kept from other destinations, as its own rule did.
    assert_eq!(events(&outside.webhook), [cognito, "user.login.success"]);
    let everything = format!("{:?}", outside.segment.taken());
    assert!(!everything.contains('@'), "a mail address is hashed: {everything}");
}

/// A library's batch with one message that Segment would not take.
async fn batch(aws: &Ministack, stack: &Deployment<'_>, outside: &Outside) {
    let before = [&outside.segment, &outside.webhook].map(|fake| ids(fake).len());
    assert_eq!(send(stack, "tracking-api", "batch-one-invalid").await.0, 200);
    aws.eventually("both valid messages are everywhere", async || {
        [&outside.segment, &outside.webhook]
            .iter()
            .zip(before)
            .all(|(fake, before)| ids(fake).len() == before + 2)
    })
    .await;
    let rejected = stack.queue("RejectedQueue").await.drain().await;
    assert_eq!(rejected.len(), 1, "{rejected:?}");
}

/// gzip with the content type JSON. ministack takes it for text and damages it, as its authors measured of
/// HTTP APIs.
async fn compressed(stack: &Deployment<'_>) {
    let event = sample("tracking-api", "batch-gzip");
    let reply = stack.send(HttpRequest::of_event(&event)).await;
    assert_eq!(reply.status, 200, "without a content type it is whole: {reply:?}");
    let json =
        event.replace(r#""content-encoding""#, r#""content-type": "application/json", "content-encoding""#);
    let reply = stack.send(HttpRequest::of_event(&json)).await;
    assert_eq!((reply.status, &reply.body["error"]), (400, &json!("damaged_gzip")), "{reply:?}");
}

/// The template's schedule and one of its runs.
async fn schedule(aws: &Ministack, stack: &Deployment<'_>, outside: &Outside) {
    for _ in 0..2 {
        stack.fire_schedule("2026-11-21T06:00:00Z").await;
    }
    let runs = || {
        let taken = outside.segment.taken().into_iter().map(|(_, message)| message);
        taken.filter(|message| message["event"] == "Schedule Ran").collect::<Vec<Value>>()
    };
    aws.eventually("both runs are at Segment", async || runs().len() == 2).await;
    let [first, second] = &runs()[..] else { unreachable!() };
    assert_eq!(first["timestamp"], "2026-11-21T06:00:00.000Z");
    assert_eq!(first["messageId"], second["messageId"], "a run that is repeated is one event");
}

/// A deletion goes to the Public API and to webhooks, but not to Segment's tracking.
async fn deletion(aws: &Ministack, stack: &Deployment<'_>, outside: &Outside) {
    assert_eq!(send(stack, "identity-webhook", "fusionauth.user.delete.complete").await.0, 200);
    aws.eventually("the deletion is where it belongs", async || {
        let webhook = outside.webhook.taken();
        webhook.iter().any(|(_, message)| message["type"] == "delete")
            && !outside.public_api.requests().is_empty()
    })
    .await;
    let request = &outside.public_api.requests()[0];
    assert_eq!(request.line, "POST /regulations");
    assert!(outside.segment.taken().iter().all(|(_, message)| message["type"] != "delete"));
}

/// A message that Segment refused is delivered after a redrive.
async fn dead_letter(aws: &Ministack, stack: &Deployment<'_>, outside: &Outside) {
    outside.segment.set(|_| Answer::status(400));
    let track = r#"{"userId":"u1","event":"Refused","messageId":"refused-1","writeKey":"sample-write-key-not-secret"}"#;
    let reply = stack.send(HttpRequest::new("POST", "/v1/track", &[], track.as_bytes())).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let dead = stack.queue("SegmentDeadLetterQueue").await;
    aws.eventually("the message is dead", async || dead.counts().await.0 == 1).await;
    outside.segment.set(|_| Answer::ok());
    assert_eq!(dead.redrive(&stack.queue("SegmentQueue").await).await, 1);
    let is_there = |id: &String| id == "refused-1";
    aws.eventually("it is at Segment", async || ids(&outside.segment).iter().any(is_there)).await;
    aws.eventually("nothing is left", async || stack.queue("SegmentQueue").await.is_empty().await).await;
}

/// Sends a sample. Returns the status and the body of the answer.
async fn send(stack: &Deployment<'_>, function: &str, name: &str) -> (u16, Value) {
    let reply = stack.send(HttpRequest::of_event(&sample(function, name))).await;
    (reply.status, reply.body)
}

/// Returns the names of the events that a fake took, in order and without repeats.
fn events(fake: &FakeServer) -> Vec<String> {
    let taken = fake.taken().into_iter();
    let mut tracks: Vec<(String, String)> = taken
        .filter(|(_, message)| message["type"] == "track")
        .map(|(_, message)| (message["event"].to_string(), message["messageId"].to_string()))
        .collect();
    tracks.sort();
    tracks.dedup();
    tracks.into_iter().map(|(event, _)| event.trim_matches('"').to_owned()).collect()
}
