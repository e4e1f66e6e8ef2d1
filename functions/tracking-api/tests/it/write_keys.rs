//! The senders that are accepted, and the sources of their messages.

use std::time::Duration;

use http::header;
use serde_json::{Value, json};

use crate::support::{Api, BASIC_K1, BASIC_K2, keyless, request, success, text, track, with_header};

fn with_key(mut message: Value, key: impl Into<Value>) -> Value {
    message["writeKey"] = key.into();
    message
}

fn refused(answer: &(u16, Value)) -> bool {
    answer.0 == 401 && answer.1["error"] == "not_authentic"
}

#[tokio::test]
async fn a_write_key_may_be_in_five_places() {
    let single = track("m").to_string();
    let batch = json!({"batch": [track("m")]});
    for (what, request) in [
        ("Basic", with_header(keyless("/v1/track", single.clone()), header::AUTHORIZATION, BASIC_K2)),
        (
            "Basic without the colon",
            with_header(keyless("/v1/track", single.clone()), header::AUTHORIZATION, "Basic azI="),
        ),
        ("the query", keyless("/v1/track?x=y&writeKey=k%32", single.clone())),
        ("the body of a call", keyless("/v1/track", with_key(track("m"), "k2").to_string())),
        ("the batch", keyless("/v1/batch", with_key(batch, "k2").to_string())),
        ("a message", keyless("/v1/batch", json!({"batch": [with_key(track("m"), "k2")]}).to_string())),
        (
            "the body, beside a bearer token",
            with_header(
                keyless("/v1/track", with_key(track("m"), "k2").to_string()),
                header::AUTHORIZATION,
                "Bearer token",
            ),
        ),
    ] {
        let api = Api::new();
        assert_eq!(api.send(request).await, success(), "{what}");
        assert_eq!(api.names(), ["shop"], "{what}");
        assert_eq!(api.messages()[0].get("writeKey"), None, "{what}");
    }
}

#[tokio::test]
async fn the_most_specific_write_key_applies() {
    for (uri, basic, body, message, expected) in [
        ("/v1/batch?writeKey=k1", BASIC_K1, json!("k1"), json!("k2"), "shop"),
        ("/v1/batch?writeKey=k1", BASIC_K1, json!("k2"), json!(null), "shop"),
        ("/v1/batch?writeKey=k1", BASIC_K2, json!(""), json!(null), "shop"),
        ("/v1/batch?writeKey=k2", "Basic Og==", json!(null), json!(""), "shop"),
        ("/v1/batch?writeKey=k2", BASIC_K2, json!("k2"), json!("k1"), "default"),
    ] {
        let api = Api::new();
        let batch = json!({"batch": [with_key(track("m"), message)], "writeKey": body});
        let request = with_header(keyless(uri, batch.to_string()), header::AUTHORIZATION, basic);
        assert_eq!(api.send(request).await, success(), "{uri} {batch}");
        assert_eq!(api.names(), [expected], "{uri} {batch}");
    }
}

#[tokio::test]
async fn each_message_of_a_batch_may_have_its_own() {
    let api = Api::new();
    let batch = json!({"batch": [track("1"), with_key(track("2"), "k2"), with_key(track("3"), "k1")]});
    assert_eq!(api.post("/v1/batch", &batch).await, success());
    assert_eq!(api.names(), ["default", "shop", "default"]);
}

#[tokio::test]
async fn one_unknown_write_key_refuses_the_whole_request() {
    let batch = json!({"batch": [track("1"), track("2")]});
    let good = batch.to_string();
    for (what, request) in [
        ("Basic", with_header(keyless("/v1/batch", good.clone()), header::AUTHORIZATION, "Basic azM6")),
        (
            "a second Basic",
            with_header(request("/v1/batch", good.clone()), header::AUTHORIZATION, "Basic azM6"),
        ),
        (
            "unreadable Basic",
            with_header(keyless("/v1/batch?writeKey=k1", good.clone()), header::AUTHORIZATION, "Basic ?"),
        ),
        ("the query", request("/v1/batch?writeKey=k", good)),
        ("the batch", request("/v1/batch", with_key(batch, "K1").to_string())),
        ("a number", request("/v1/track", with_key(track("1"), 1).to_string())),
        (
            "the last message",
            request("/v1/batch", json!({"batch": [track("1"), with_key(track("2"), "k3")]}).to_string()),
        ),
        ("the name of a key", request("/v1/track?writeKey=default", track("1").to_string())),
    ] {
        let api = Api::new();
        let answer = api.send(request).await;
        assert!(refused(&answer), "{what}: {answer:?}");
        assert!(api.calls().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_request_is_refused_for_its_key_before_its_body_is_read() {
    let basic = |request| with_header(request, header::AUTHORIZATION, "Basic azM6");
    let not_gzip = with_header(keyless("/v1/batch", "x"), header::CONTENT_ENCODING, "gzip");
    let large = format!(r#"{{"batch":[{}{{}}]}}"#, "{},".repeat(160_000));
    for (what, request) in [
        ("no JSON", basic(keyless("/v1/batch", "{"))),
        ("no gzip", basic(not_gzip)),
        ("more messages than a batch holds", basic(keyless("/v1/batch", large.clone()))),
        ("the same under no key at all", keyless("/v1/batch", large.clone())),
        (
            "the same under a wrong key in the body",
            keyless("/v1/batch", large.replacen('{', r#"{"writeKey":"k3","#, 1)),
        ),
        ("a wrong key after them", keyless("/v1/batch", large.replace("]}", r#"],"writeKey":"k3"}"#))),
        ("no list of messages", keyless("/v1/batch", r#"{"batch":7,"writeKey":"k3"}"#)),
    ] {
        let answer = Api::new().send(request).await;
        assert!(refused(&answer), "{what}: {answer:?}");
    }
    let right = large.replacen('{', r#"{"writeKey":"k1","#, 1);
    assert_eq!(Api::new().send(keyless("/v1/batch", right)).await.1["error"], "too_large");
    assert_eq!(Api::new().send(keyless("/v1/batch", "{")).await.1["error"], "malformed");
}

#[tokio::test]
async fn a_message_without_any_write_key_refuses_the_whole_request() {
    for body in [
        json!({"batch": [track("1")]}),
        json!({"batch": []}),
        json!({"batch": [7]}),
        json!({"batch": [with_key(track("1"), "k1"), track("2")]}),
        json!({"batch": [track("1")], "writeKey": ""}),
    ] {
        let api = Api::new();
        let answer = api.send(keyless("/v1/batch", body.to_string())).await;
        assert!(refused(&answer), "{body}: {answer:?}");
        assert!(answer.1["message"].as_str().unwrap().contains("there is no write key"), "{answer:?}");
        assert!(api.calls().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_newly_added_write_key_is_found() {
    let api = Api::new();
    assert_eq!(api.post("/v1/track", &track("1")).await, success());
    *api.secret.0.lock().unwrap() = Some(r#"{"new":"k3"}"#.to_owned());
    api.clock.advance(Duration::from_secs(6));
    let new = || keyless("/v1/track?writeKey=k3", track("2").to_string());
    assert_eq!(api.send(new()).await, success());
    assert_eq!(api.names(), ["default", "new"]);
    let answer = api.post("/v1/track", &track("3")).await;
    assert!(refused(&answer), "what was taken away is refused: {answer:?}");
}

#[tokio::test]
async fn a_secret_without_a_key_refuses_everyone() {
    for secret in ["{}", "", r#"{"default":""}"#, r#"["k1"]"#] {
        let api = Api::with_secret(Some(secret));
        api.handler.prepare().await;
        let answer = api.post("/v1/track", &track("1")).await;
        assert!(refused(&answer), "{secret}: {answer:?}");
        assert!(api.calls().is_empty());
    }
}

#[tokio::test]
async fn if_the_secret_is_away_the_sender_is_asked_to_retry() {
    let api = Api::with_secret(None);
    api.handler.prepare().await;
    let response = api.respond(request("/v1/track", track("1").to_string())).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()[header::RETRY_AFTER]),
        (503, &"5".parse().unwrap())
    );
    assert!(text(&response).contains(r#""error":"not_checked""#));
    assert!(api.calls().is_empty());
    *api.secret.0.lock().unwrap() = Some("k1".to_owned());
    api.clock.advance(Duration::from_secs(5));
    assert_eq!(api.post("/v1/track", &track("1")).await, success(), "a bare key is the default one");
}

#[tokio::test]
async fn no_answer_quotes_a_write_key() {
    for request in [
        keyless("/v1/track?writeKey=hunter2", track("1").to_string()),
        keyless("/v1/track", with_key(track("1"), "hunter2").to_string()),
        request("/v1/track", r#"{"writeKey":"hunter2""#),
    ] {
        let response = Api::new().respond(request).await;
        assert!(!response.status().is_success() && !text(&response).contains("hunter2"), "{response:?}");
    }
}
