//! The functions' binaries beside one that does nothing: size, INIT, time and memory of invocations.

use std::io::Write;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Value, json};

use crate::{
    cloud::Cloud,
    http::{self, Answer},
    load,
    runtime::Function,
};

const STARTS: usize = 41;
const INVOCATIONS: usize = 10_000;

/// Prints the table.
pub async fn measure() {
    let receiver = http::serve(|_| async { Answer::ok("text/plain", "ok") }).await;
    let cloud = Cloud::start(&[format!("http://{receiver}/")]).await;
    println!(
        "\nmedians of {STARTS} starts, {INVOCATIONS} invocations, AWS, Segment and a webhook on loopback over HTTP\n"
    );
    println!("| function | zipped, MB | INIT, ms | one invocation, µs | memory after, MiB |");
    println!("|---|---|---|---|---|");
    for (name, what, payload) in [
        ("no-op", "", http_event()),
        ("identity-webhook", "", http_event()),
        ("identity-webhook", ", a sign-up of Auth0", login_event()),
        ("cognito-trigger", "", trigger_event()),
        ("tracking-api", "", call_event()),
        ("segment-delivery", "", queue_event(10, "track", &json!({}))),
        ("webhook-delivery", "", queue_event(10, "track", &json!({}))),
        ("regulation-delivery", "", queue_event(10, "delete", &json!({}))),
        ("track-event", "", json!({"user_id": "user-1", "event": "Signed Up"})),
    ] {
        let binary = crate::built(name);
        let environment = cloud.environment();
        let mut inits = Vec::new();
        for _ in 0..STARTS {
            inits.push(Function::start(&binary, &environment, String::new()).await.init);
        }
        inits.sort();
        let mut function = Function::start(&binary, &environment, payload.to_string()).await;
        function.invoke(500).await;
        let one = function.invoke(INVOCATIONS).await;
        println!(
            "| {name}{what} | {:.2} | {:.2} | {:.0} | {:.1} |",
            zipped(&std::fs::read(&binary).unwrap()),
            inits[STARTS / 2].as_secs_f64() * 1_000.0,
            one.as_secs_f64() * 1_000_000.0,
            function.memory(),
        );
    }
}

/// A signed login, as the HTTP API hands it to the function.
fn http_event() -> Value {
    let sample = include_str!("../../../events/identity-webhook/fusionauth.user.login.success.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    let request = String::from_utf8(load::requests("/", 1)[0].clone()).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let signature = head.split("Signature-JWT: ").nth(1).unwrap().split("\r\n").next().unwrap();
    event["headers"]["x-fusionauth-signature-jwt"] = signature.into();
    event["headers"]["content-length"] = body.len().to_string().into();
    event["body"] = body.into();
    event["isBase64Encoded"] = false.into();
    event
}

/// A login that the ledger knows nothing of: it is claimed, published and confirmed.
fn login_event() -> Value {
    let sample = include_str!("../../../events/identity-webhook/auth0.login.action.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["headers"]["authorization"] = format!("Bearer {}", load::SIGNING_SECRET).into();
    event
}

/// A login, as a Cognito user pool hands it to the function.
fn trigger_event() -> Value {
    serde_json::from_str(include_str!("../../../events/cognito-trigger/post-authentication.json")).unwrap()
}

/// A call of a Segment library.
fn call_event() -> Value {
    let sample = include_str!("../../../events/tracking-api/track.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["headers"]["authorization"] =
        format!("Basic {}", STANDARD.encode(format!("{}:", load::WRITE_KEY))).into();
    event
}

/// A batch of messages of a type with these attributes, as the event source hands it to the function.
pub fn queue_event(count: usize, message_type: &str, attributes: &Value) -> Value {
    let record = |number: usize| {
        let message = json!({
            "type": message_type, "userId": format!("u{number}"), "event": "e", "messageId": number.to_string(),
            "timestamp": "2026-11-21T08:01:00.120Z",
        });
        json!({
            "messageId": format!("m{number}"), "receiptHandle": "r", "body": message.to_string(),
            "attributes": {"SentTimestamp": "1795233600000", "ApproximateReceiveCount": "1"},
            "messageAttributes": attributes, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:Queue", "awsRegion": "eu-central-1",
        })
    };
    json!({"Records": (0..count).map(record).collect::<Vec<_>>()})
}

/// What the file takes in a ZIP archive, in MB.
fn zipped(bytes: &[u8]) -> f64 {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len() as f64 / 1_000_000.0
}
