//! The sample invocations in `events/tracking-api`, as API Gateway would pass them.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::support::{Api, success};

/// The write key of the samples. It is not secret.
const SECRET: &str = r#"{"default":"sample-write-key-not-secret"}"#;

fn from_event(text: &str) -> Request<Bytes> {
    let event: Value = serde_json::from_str(text).unwrap();
    assert_eq!(event["version"], "2.0");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let uri = match text(&event["rawQueryString"]) {
        query if query.is_empty() => text(&event["rawPath"]),
        query => format!("{}?{query}", text(&event["rawPath"])),
    };
    let body = event["body"].as_str().unwrap_or_default().to_owned();
    let body = if event["isBase64Encoded"] == true { STANDARD.decode(body).unwrap() } else { body.into() };
    let mut request = Request::builder().method(&*text(&event["requestContext"]["http"]["method"])).uri(uri);
    for (name, value) in event["headers"].as_object().unwrap() {
        request = request.header(name, text(value));
    }
    let length = request.headers_ref().unwrap()["content-length"].to_str().unwrap();
    assert_eq!(length, body.len().to_string());
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn the_sample_of_a_pixel_is_a_message() {
    let api = Api::with_secret(Some(SECRET));
    let pixel = include_str!("../../../../events/tracking-api/pixel.json");
    let response = api.respond(from_event(pixel)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"image/gif".parse().unwrap())
    );
    assert_eq!(api.messages()[0]["event"], "Email Opened");
}

#[tokio::test]
async fn every_sample_is_answered_as_its_name_says() {
    for (name, event, messages, expected) in [
        ("track", include_str!("../../../../events/tracking-api/track.json"), 1, success()),
        ("batch-gzip", include_str!("../../../../events/tracking-api/batch-gzip.json"), 3, success()),
        ("beacon", include_str!("../../../../events/tracking-api/beacon.json"), 1, success()),
        (
            "batch-one-invalid",
            include_str!("../../../../events/tracking-api/batch-one-invalid.json"),
            2,
            (
                200,
                json!({
                    "success": true,
                    "message": "1 of 3 messages cannot be taken, as listed. The rest is stored; do not send it again.",
                    "accepted": 2,
                    "rejected": 1,
                    "invalid": [{"index": 1, "field": "event", "problem": "is missing"}],
                }),
            ),
        ),
    ] {
        let api = Api::with_secret(Some(SECRET));
        assert_eq!(api.send(from_event(event)).await, expected, "{name}");
        assert_eq!(api.messages().len(), messages, "{name}");
    }
}
