//! Encodings and limits.

use bytes::Bytes;
use http::{Request, header};
use segment::{MAX_MESSAGE_BYTES, Message};
use serde_json::json;
use testkit::gzip;
use tracking_api::MAX_BODY_BYTES;

use crate::support::{Api, request, success, track, with_header};

fn gzipped(path: &str, text: &[u8]) -> Request<Bytes> {
    with_header(request(path, gzip(text)), header::CONTENT_ENCODING, "gzip")
}

/// Returns a batch of this many bytes.
fn batch_of(bytes: usize) -> String {
    let frame = r#"{"batch":[],"x":""}"#.len();
    format!(r#"{{"batch":[],"x":"{}"}}"#, "x".repeat(bytes - frame))
}

#[tokio::test]
async fn gzip_is_understood_and_nothing_else() {
    let text = json!({"batch": [track("1")]}).to_string();
    for (encoding, body, status) in [
        ("gzip", gzip(text.as_bytes()), 200),
        ("GZIP", gzip(text.as_bytes()), 200),
        ("identity", text.clone().into_bytes(), 200),
        ("", text.clone().into_bytes(), 200),
        // Inflated on the way by a proxy that left the header.
        ("gzip", text.clone().into_bytes(), 200),
        ("x-gzip", format!("\n {text}").into_bytes(), 200),
        ("gzip", b"[]".to_vec(), 400),
        ("gzip", gzip(text.as_bytes())[..20].to_vec(), 400),
        ("gzip", Vec::new(), 400),
        ("br", gzip(text.as_bytes()), 400),
        ("gzip, gzip", gzip(gzip(text.as_bytes())), 400),
    ] {
        let api = Api::new();
        let (answer, body) =
            api.send(with_header(request("/v1/batch", body), header::CONTENT_ENCODING, encoding)).await;
        assert_eq!(answer, status, "{encoding}: {body}");
        assert_eq!(api.messages().len(), usize::from(status == 200), "{encoding}");
        if status == 400 {
            assert_eq!(body["error"], "encoded_body", "{encoding}");
        }
    }
}

#[tokio::test]
async fn a_gzip_that_was_decoded_as_text_is_distinguished_from_other_bad_bodies() {
    let batch = json!({"batch": [track("1")]}).to_string();
    let damaged = String::from_utf8_lossy(&gzip(batch.as_bytes())).into_owned();
    let large = String::from_utf8_lossy(&gzip(noise(400_000))).into_owned();
    assert!(large.len() > MAX_BODY_BYTES, "it grew by the damage");
    for (encoding, body, error) in [
        ("gzip", damaged.clone(), "damaged_gzip"),
        ("", damaged.clone(), "damaged_gzip"),
        ("gzip", large, "damaged_gzip"),
        ("gzip", damaged.replace('\u{8}', ""), "encoded_body"),
        ("gzip", "\u{fffd}\u{8}".to_owned(), "encoded_body"),
        ("", format!("\u{1f}{batch}"), "malformed"),
        ("", format!("\u{fffd}{batch}"), "malformed"),
    ] {
        let api = Api::new();
        let sent = with_header(request("/v1/batch", body), header::CONTENT_ENCODING, encoding);
        let (status, answer) = api.send(sent).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some(error)), "{encoding}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains("Turn gzip off") == (error == "damaged_gzip"));
        assert!(api.calls().is_empty() && api.rejected().is_empty());
    }
}

/// Returns bytes that gzip cannot compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| byte()).collect()
}

#[tokio::test]
async fn the_content_type_does_not_matter() {
    for content_type in ["text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "?"] {
        let mut request = request("/v1/t", track("1").to_string());
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        assert_eq!(Api::new().send(request).await, success(), "{content_type}");
    }
    let mut request = request("/v1/t", track("1").to_string());
    request.headers_mut().remove(header::CONTENT_TYPE);
    assert_eq!(Api::new().send(request).await, success(), "none at all");
}

#[tokio::test]
async fn a_request_of_500_kb_plus_the_libraries_frame_is_the_largest() {
    assert_eq!(MAX_BODY_BYTES, 589_824);
    let (whole, more) = (batch_of(MAX_BODY_BYTES), batch_of(MAX_BODY_BYTES + 1));
    assert_eq!(Api::new().send(request("/v1/batch", whole.clone())).await, success());
    assert_eq!(Api::new().send(gzipped("/v1/batch", whole.as_bytes())).await, success());
    // A body that would inflate to a gigabyte is given up at the limit too.
    let bomb =
        with_header(request("/v1/batch", gzip(vec![b' '; 50_000_000])), header::CONTENT_ENCODING, "gzip");
    for request in [request("/v1/batch", more.clone()), gzipped("/v1/batch", more.as_bytes()), bomb] {
        let (status, body) = Api::new().send(request).await;
        assert_eq!((status, body["error"].as_str()), (400, Some("too_large")));
        assert_eq!(body["message"], "The request is larger than 576 KB. Send fewer messages at a time.");
    }
}

#[tokio::test]
async fn a_message_of_32_kb_as_sent_passes_every_check() {
    let frame = r#"{"type":"track","userId":"u","event":"e","messageId":"m","timestamp":"2026-11-21T07:00:00.000Z","x":""}"#;
    for (bytes, status) in [(MAX_MESSAGE_BYTES, 200), (MAX_MESSAGE_BYTES + 1, 400)] {
        let load = "x".repeat(bytes - frame.len());
        let text = frame.replace(r#""x":"""#, &format!(r#""x":"{load}""#));
        assert_eq!(text.len(), bytes);
        let batch = format!(r#"{{"batch":[{text}],"sentAt":"2026-11-21T07:59:59.000Z"}}"#);
        for (path, body) in [("/v1/track", &text), ("/v1/batch", &batch)] {
            let api = Api::new();
            let (answer, body) = api.send(request(path, body.clone())).await;
            assert_eq!(answer, status, "{body}");
            if status == 400 {
                let expected =
                    json!([{"index": 0, "field": "message", "problem": "is larger than 32 KB as JSON"}]);
                assert_eq!(body["invalid"], expected);
                continue;
            }
            let published = api.bodies().remove(0);
            assert!(published.len() > MAX_MESSAGE_BYTES && published.contains("receivedAt"));
            assert_eq!(Message::from_json(published.as_bytes()).unwrap().as_json(), published);
        }
    }
}

#[tokio::test]
async fn a_batch_has_at_most_2_500_messages() {
    let batch = |count: usize| json!({"batch": vec![json!({"type": "page", "userId": "u"}); count]});
    let api = Api::new();
    assert_eq!(api.post("/v1/batch", &batch(2_500)).await, success());
    assert_eq!(api.calls(), [2_500]);
    let api = Api::new();
    let (status, body) = api.post("/v1/batch", &batch(2_501)).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("too_large")));
    assert_eq!(body["message"], "The batch has more than 2,500 messages. Send fewer at a time.");
    assert!(api.calls().is_empty());
}

#[tokio::test]
async fn a_context_whose_copies_would_fill_the_memory_is_refused() {
    let messages = vec![json!({"type": "page", "userId": "u"}); 2_000];
    let batch = |bytes: usize| json!({"batch": messages, "context": {"x": "x".repeat(bytes)}});
    assert_eq!(Api::new().post("/v1/batch", &batch(4_000)).await, success());
    let (status, body) = Api::new().post("/v1/batch", &batch(5_000)).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("too_large")));
}

#[tokio::test]
async fn a_body_that_is_no_batch_is_refused_with_the_reason() {
    for (path, body, expected) in [
        ("/v1/track", "", "The body cannot be read: the body is empty; send a JSON object."),
        (
            "/v1/track",
            "{\"a\":",
            "The body cannot be read: the body is not JSON: it ends too early at line 1 column 5.",
        ),
        (
            "/v1/batch",
            "{a}",
            "The body cannot be read: the body is not JSON: there is a syntax error at line 1 column 2.",
        ),
        ("/v1/batch", "[]", "The body cannot be read: the body is JSON but not an object."),
        ("/v1/batch", "{}", "The body cannot be used: batch is missing; it must be a list of messages."),
        ("/v1/batch", r#"{"batch":{}}"#, "The body cannot be used: batch must be a list of messages."),
        ("/v1/batch", r#"{"batch":null}"#, "The body cannot be used: batch must be a list of messages."),
        ("/v1/batch", r#"{"batch":[],"context":7}"#, "The body cannot be used: context must be an object."),
        (
            "/v1/batch",
            r#"{"batch":[],"integrations":[1]}"#,
            "The body cannot be used: integrations must be an object.",
        ),
    ] {
        let api = Api::new();
        let (status, answer) = api.send(request(path, body)).await;
        let expected = json!({"error": "malformed", "code": "malformed", "message": expected});
        assert_eq!((status, answer), (400, expected), "{body}");
        assert!(api.calls().is_empty());
    }
}
