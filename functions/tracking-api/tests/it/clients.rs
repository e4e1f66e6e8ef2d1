//! Browsers, apps and servers as senders, and the consequences for a message.

use http::{Request, header};
use serde_json::{Value, json};

use crate::support::{Api, keyless, request, success, with_header};

async fn published(request: Request<bytes::Bytes>) -> Value {
    let api = Api::new();
    assert_eq!(api.send(request).await, success());
    api.messages().remove(0)
}

fn library(name: &str) -> Value {
    json!({"anonymousId": "a", "event": "e", "context": {"library": {"name": name}}})
}

#[tokio::test]
async fn each_sign_of_a_client_brings_the_callers_address_and_the_channel() {
    let plain = json!({"anonymousId": "a", "event": "e"});
    let keyed = json!({"anonymousId": "a", "event": "e", "writeKey": "k1"});
    let device = json!({"anonymousId": "a", "event": "e", "context": {"device": {"type": "android"}}});
    let of_origin = |body: &Value| {
        with_header(request("/v1/track", body.to_string()), header::ORIGIN, "https://shop.example")
    };
    for (name, request, channel) in [
        ("a letter", request("/v1/t", plain.to_string()), "browser"),
        ("an origin", of_origin(&plain), "browser"),
        ("a write key in the body", keyless("/v1/track", keyed.to_string()), "browser"),
        ("a device", request("/v1/track", device.to_string()), "mobile"),
        ("a browser's library", request("/v1/track", library("analytics.js").to_string()), "browser"),
        ("an app's library", request("/v1/track", library("analytics-kotlin").to_string()), "mobile"),
        ("an app's library at a letter", request("/v1/t", library("analytics-swift").to_string()), "mobile"),
    ] {
        let message = published(request).await;
        assert_eq!(
            (&message["context"]["ip"], &message["channel"]),
            (&json!("203.0.113.7"), &json!(channel)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_server_is_never_taken_for_the_user() {
    let servers = [
        "analytics-node",
        "@segment/analytics-node",
        "analytics-python",
        "analytics-ruby",
        "analytics-go",
        "analytics-java",
        "analytics-php",
        "Analytics.NET",
    ];
    for name in servers {
        let mut body = library(name);
        body["writeKey"] = "k1".into();
        body["context"]["device"] = json!({"type": "ios"});
        let keyless = with_header(keyless("/v1/t", body.to_string()), header::ORIGIN, "https://shop.example");
        let message = published(keyless).await;
        assert_eq!(
            (&message["context"]["ip"], &message["channel"]),
            (&json!(null), &json!("server")),
            "{name}"
        );
    }
    let message = published(request("/v1/track", r#"{"userId":"u","event":"e"}"#)).await;
    assert_eq!((message.get("context"), &message["channel"]), (None, &json!("server")));
}

#[tokio::test]
async fn the_library_of_a_batch_applies_to_its_messages() {
    for (name, ip) in [("analytics-go", json!(null)), ("analytics-android", json!("203.0.113.7"))] {
        let batch = json!({
            "batch": [{"type": "track", "userId": "u", "event": "e"}],
            "context": {"library": {"name": name}},
            "writeKey": "k1",
        });
        assert_eq!(published(keyless("/v1/import", batch.to_string())).await["context"]["ip"], ip, "{name}");
    }
}

#[tokio::test]
async fn a_given_address_takes_precedence_and_an_empty_one_counts_as_missing() {
    for (ip, expected) in [
        (json!("192.0.2.1"), "192.0.2.1"),
        (json!("0.0.0.0"), "0.0.0.0"),
        (json!(""), "203.0.113.7"),
        (json!(null), "203.0.113.7"),
    ] {
        let body = json!({"anonymousId": "a", "context": {"ip": ip}});
        assert_eq!(published(request("/v1/p", body.to_string())).await["context"]["ip"], expected, "{ip}");
    }
}
