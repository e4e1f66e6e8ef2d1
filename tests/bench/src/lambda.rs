//! The functions' binaries beside one that does nothing: size, INIT, time and memory of invocations.

use std::{io::Write, path::PathBuf};

use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Value, json};

use crate::{cloud, load, runtime::Function};

const STARTS: usize = 41;
const INVOCATIONS: usize = 10_000;

/// Prints the table.
pub async fn measure() {
    let cloud = format!("http://{}", cloud::start().await);
    println!(
        "\nmedians of {STARTS} starts, {INVOCATIONS} invocations, AWS and Segment on loopback over HTTP\n"
    );
    println!("| function | zipped, MB | INIT, ms | one invocation, µs | memory after, MiB |");
    println!("|---|---|---|---|---|");
    for (name, payload) in [
        ("no-op", http_event()),
        ("identity-webhook", http_event()),
        ("segment-delivery", queue_event()),
        ("track-event", json!({"user_id": "user-1", "event": "Signed Up"})),
    ] {
        let binary = PathBuf::from("target/release").join(name);
        let environment = environment(&cloud);
        let mut inits = Vec::new();
        for _ in 0..STARTS {
            inits.push(Function::start(&binary, &environment, String::new()).await.init);
        }
        inits.sort();
        let mut function = Function::start(&binary, &environment, payload.to_string()).await;
        function.invoke(500).await;
        let one = function.invoke(INVOCATIONS).await;
        println!(
            "| {name} | {:.2} | {:.2} | {:.0} | {:.1} |",
            zipped(&std::fs::read(&binary).unwrap()),
            inits[STARTS / 2].as_secs_f64() * 1_000.0,
            one.as_secs_f64() * 1_000_000.0,
            function.memory(),
        );
    }
}

fn environment(cloud: &str) -> Vec<(&'static str, String)> {
    [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", cloud),
        ("SEGMENT_ENDPOINT", cloud),
        ("SEGUE_DEPLOYMENT", "bench"),
        ("TOPIC_ARN", "arn:aws:sns:eu-central-1:123456789012:MessageTopic"),
        ("IDENTITY_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:identity"),
        ("WRITE_KEYS_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:write-keys"),
        ("QUEUE_URL", &format!("{cloud}/queue")),
        ("DEAD_LETTER_QUEUE_URL", &format!("{cloud}/dead")),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
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

/// A batch of ten logins, as the event source hands it to the function.
fn queue_event() -> Value {
    let record = |number: usize| {
        let message = json!({"type": "track", "userId": "u", "event": "e", "messageId": number.to_string()});
        json!({
            "messageId": format!("m{number}"), "receiptHandle": "r", "body": message.to_string(),
            "attributes": {"SentTimestamp": "1795233600000", "ApproximateReceiveCount": "1"},
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:SegmentQueue", "awsRegion": "eu-central-1",
        })
    };
    json!({"Records": (0..10).map(record).collect::<Vec<_>>()})
}

/// What the file takes in a ZIP archive, in MB.
fn zipped(bytes: &[u8]) -> f64 {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len() as f64 / 1_000_000.0
}
