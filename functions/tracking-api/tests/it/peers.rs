//! Cases that other collectors of Segment's protocol test. If this one differs from all of them, the test
//! says why.

use bytes::Bytes;
use http::{Method, Request, header};
use serde_json::{Value, json};
use testkit::gzip;

use crate::support::{Api, keyless, request, success, text, track, with_header};

async fn published(body: &str) -> Value {
    let api = Api::new();
    assert_eq!(api.send(request("/v1/track", body.to_owned())).await, success(), "{body}");
    api.messages().remove(0)
}

async fn refused(request: Request<Bytes>) -> String {
    let api = Api::new();
    let response = api.respond(request).await;
    assert_eq!(response.status(), 400, "{}", text(&response));
    assert!(api.calls().is_empty());
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    body["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_address_may_have_extra_slashes_and_versions() {
    for path in ["/v1/track//", "/v1/v1/track", "//v1/track", "/v1//track", "/prod/v1/track", "/v1/track?"] {
        let api = Api::new();
        assert_eq!(api.post(path, &track("1")).await, success(), "{path}");
        assert_eq!(api.messages().len(), 1, "{path}");
    }
    let api = Api::new();
    let batch = json!({"writeKey": "k1", "batch": [{"type": "track", "anonymousId": "a", "event": "e"}]});
    let of_app = keyless("/v1/batch/b", batch.to_string());
    assert_eq!(api.send(of_app).await, success(), "React Native's library behind a proxy");
    assert_eq!(api.messages()[0]["channel"], "browser");
}

#[tokio::test]
async fn a_page_without_an_origin_is_a_page() {
    let api = Api::new();
    let batch = json!({"batch": [{"type": "page", "anonymousId": "a"}]}).to_string();
    assert_eq!(api.send(with_header(request("/v1/batch", batch), header::ORIGIN, "null")).await, success());
    let message = &api.messages()[0];
    assert_eq!((&message["channel"], &message["context"]["ip"]), (&json!("browser"), &json!("203.0.113.7")));
}

#[tokio::test]
async fn a_browser_that_asks_for_no_headers_is_allowed_none() {
    let preflight = |path: &str| Request::options(path).header(header::ORIGIN, "https://shop.example");
    let response = Api::new().respond(preflight("/v1/t").body(Bytes::new()).unwrap()).await;
    assert_eq!(
        (response.status().as_u16(), response.headers().get("access-control-allow-headers")),
        (204, None)
    );
    let response = Api::new().respond(preflight("/v1/nothing").body(Bytes::new()).unwrap()).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["access-control-allow-origin"]),
        (404, &"*".parse().unwrap())
    );
}

#[tokio::test]
async fn gzip_is_recognized_by_its_first_bytes() {
    let batch = json!({"batch": [track("1")]}).to_string();
    let (first, second) = batch.split_at(20);
    let members = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    for body in [gzip(batch.as_bytes()), members] {
        for encoding in [None, Some("gzip")] {
            let mut request = request("/v1/batch", body.clone());
            request.headers_mut().remove(header::CONTENT_TYPE);
            if let Some(encoding) = encoding {
                request = with_header(request, header::CONTENT_ENCODING, encoding);
            }
            assert_eq!(Api::new().send(request).await, success(), "{encoding:?}");
        }
    }
    let whole = gzip(batch.as_bytes());
    let mut changed = whole.clone();
    let checksum = changed.len() - 6;
    changed[checksum] ^= 1;
    let marked = [b"\xef\xbb\xbf", batch.as_bytes()].concat();
    assert_eq!(Api::new().send(request("/v1/batch", gzip(&marked))).await, success());
    for bad in [changed, [whole.as_slice(), b"xxxx"].concat(), whole[..20].to_vec()] {
        assert_eq!(refused(request("/v1/batch", bad)).await, "encoded_body");
    }
    for encoding in ["deflate", "zstd", "gzip-js", "base64"] {
        let request = with_header(request("/v1/batch", batch.clone()), header::CONTENT_ENCODING, encoding);
        assert_eq!(refused(request).await, "encoded_body", "{encoding}");
    }
}

#[tokio::test]
async fn bodies_of_other_protocols_and_texts_that_are_no_json_are_refused() {
    for body in [
        &b"eyJ1c2VySWQiOiJ1IiwiZXZlbnQiOiJlIn0="[..],
        b"data=%7B%22userId%22%3A%22u%22%7D",
        b"userId=u&event=e",
        b"--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{}\r\n--x--",
        b"{\x00\"\x00u\x00",
        b"{\"userId\":\"\xfc\",\"event\":\"e\"}",
        b"null",
        b"\"x\"",
        b"1",
        b"{\"userId\":\"u\",\"event\":\"e\",}",
        b"{\"userId\":\"u\"/**/}",
        b"{'userId':'u'}",
        b"{\"userId\":\"u\",\"event\":\"e\"}{\"userId\":\"u\",\"event\":\"e\"}",
        b"{\"userId\":\"u\",\"event\":\"e\"}\0",
        b"{\"userId\":\"u\",\"event\":\"e\n\"}",
        b"{\"userId\":\"u\",\"event\":\"\\ud83\"}",
        b"{\"userId\":\"u\",\"event\":\"\\x41\"}",
    ] {
        assert_eq!(
            refused(request("/v1/track", body)).await,
            "malformed",
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[tokio::test]
async fn additions_by_writers_of_json_are_ignored() {
    for body in ["\u{feff}{\"userId\":\"u\",\"event\":\"e\"}", "{\"userId\":\"u\",\"event\":\"e\"} \r\n\t"] {
        assert_eq!(published(body).await["userId"], "u");
    }
    let twice = published(r#"{"userId":"a","userId":"b","event":"e"}"#).await;
    assert_eq!(twice["userId"], "b");
}

/// Python's `json.dumps` writes such numbers. Otherwise they would cost the good messages of their batch.
#[tokio::test]
async fn a_number_that_json_does_not_have_becomes_null_and_costs_no_message() {
    let api = Api::new();
    let batch = r#"{"batch":[{"type":"page","userId":"u"},{"type":"track","userId":"u","event":"NaN","properties":{"price":NaN,"list":[Infinity,-Infinity]}}]}"#;
    assert_eq!(api.send(request("/v1/batch", batch)).await, success());
    let message = &api.messages()[1];
    assert_eq!(
        (&message["event"], &message["properties"]),
        (&json!("NaN"), &json!({"price": null, "list": [null, null]}))
    );
}

#[tokio::test]
async fn halves_of_characters_become_the_replacement_character() {
    for (escaped, expected) in [
        (r"\udc00\ud800", "\u{fffd}\u{fffd}"),
        (r"\ud83d\u0041", "\u{fffd}A"),
        (r"\ud83d\ude00", "\u{1f600}"),
        (r"\uD83D\\uDE00", "\u{fffd}\\uDE00"),
    ] {
        let body = format!(r#"{{"userId":"u","event":"{escaped}","properties":{{"{escaped}":1}}}}"#);
        let message = published(&body).await;
        assert_eq!((&message["event"], &message["properties"]), (&json!(expected), &json!({expected: 1})));
    }
}

#[tokio::test]
async fn a_body_of_another_call_is_refused() {
    for (path, body, problem) in [
        ("/v1/batch", json!({"batch": "[]"}), "must be a list of messages"),
        ("/v1/track", json!({"batch": [track("1")], "userId": "u"}), "event is missing"),
        ("/v1/batch", track("1"), "batch is missing"),
    ] {
        let (status, answer) = Api::new().post(path, &body).await;
        assert_eq!(status, 400);
        assert!(answer["message"].as_str().unwrap().contains(problem), "{answer}");
    }
}

#[tokio::test]
async fn a_list_among_the_messages_and_an_unknown_type_are_named() {
    let api = Api::new();
    let of_type = |name: &str| json!({"type": name, "userId": "u", "event": "e"});
    let no_type = json!({"action": "track", "userId": "u", "event": "e"});
    let batch = json!({"batch": [
        track("1"), [track("2")], of_type("Track"), of_type("t"), of_type("merge"), of_type("extract"), no_type,
    ]});
    let (status, body) = api.post("/v1/batch", &batch).await;
    assert_eq!((status, &body["accepted"], &body["rejected"]), (200, &json!(1), &json!(6)));
    let fields: Vec<&Value> = body["invalid"].as_array().unwrap().iter().map(|one| &one["field"]).collect();
    assert_eq!(fields, ["message", "type", "type", "type", "type", "type"]);
}

/// Segment and webhooks identify messages by their id. No message is dropped for its content alone.
#[tokio::test]
async fn two_messages_of_a_server_are_two() {
    let api = Api::new();
    let same = json!({"type": "page", "userId": "u"});
    let one_id = |event: &str| json!({"type": "track", "userId": "u", "event": event, "messageId": "m"});
    let batch = json!({"batch": [one_id("a"), one_id("b"), same, same]});
    assert_eq!(api.post("/v1/batch", &batch).await, success());
    let messages = api.messages();
    assert_eq!((&messages[0]["event"], &messages[1]["event"]), (&json!("a"), &json!("b")));
    assert_eq!(messages[0]["messageId"], messages[1]["messageId"]);
    assert_ne!(messages[2]["messageId"], messages[3]["messageId"]);
}

#[tokio::test]
async fn an_id_stays_unless_it_is_invisible() {
    for id in ["null", "undefined", "anonymous", &"x".repeat(300), " u ", "a\u{0}b"] {
        assert_eq!(published(&json!({"userId": id, "event": "e"}).to_string()).await["userId"], id);
    }
    for id in
        [json!("\u{a0}"), json!("\u{0}"), json!("\u{200b}"), json!("\u{feff} "), json!(false), json!(null)]
    {
        let body = json!({"userId": id, "event": "e"});
        let (status, answer) = Api::new().post("/v1/track", &body).await;
        assert_eq!((status, &answer["invalid"][0]["field"]), (400, &json!("userId")), "{body}");
        let beside = json!({"userId": "u", "anonymousId": id, "messageId": id, "event": "e"});
        let message = published(&beside.to_string()).await;
        assert!(
            message["anonymousId"].is_null() && message["messageId"].as_str().unwrap().starts_with("segue-")
        );
    }
    for id in [json!({"id": "secret"}), json!(["secret"]), json!(true)] {
        let (status, answer) = Api::new().post("/v1/track", &json!({"userId": id, "event": "e"})).await;
        assert_eq!((status, &answer["invalid"][0]["problem"]), (400, &json!("must be a string")));
        assert!(!answer.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn event_names_are_not_checked() {
    assert_eq!(refused(request("/v1/track", r#"{"userId":"u","event":7}"#)).await, "invalid");
    let long = "x".repeat(2_000);
    assert_eq!(published(&json!({"userId": "u", "event": long}).to_string()).await["event"], long);
    for name in [json!(""), json!(7)] {
        let api = Api::new();
        assert_eq!(api.post("/v1/page", &json!({"userId": "u", "name": name})).await, success());
        assert_eq!(api.messages()[0]["name"], name);
    }
}

#[tokio::test]
async fn times_are_corrected_by_both_clocks() {
    for (timestamp, sent_at, expected) in [
        ("2026-11-22T10:00:00Z", json!("2026-11-22T10:10:00Z"), "2026-11-21T07:50:00.000Z"),
        ("2026-11-21T11:50:00+04:00", json!("2026-11-21T12:00:00+04:00"), "2026-11-21T07:50:00.000Z"),
        ("99999-01-01T12:00:00Z", json!(null), "2026-11-21T08:00:00.000Z"),
        ("1969-06-15T00:00:00Z", json!(null), "2026-11-21T08:00:00.000Z"),
        // An implausible result is replaced by the time as it was sent.
        ("2026-11-21T09:30:00Z", json!("2026-11-20T08:00:00Z"), "2026-11-21T09:30:00.000Z"),
        // .NET and Go write the year 1 for no time.
        ("2026-11-21T07:59:00Z", json!("0001-01-01T00:00:00Z"), "2026-11-21T07:59:00.000Z"),
    ] {
        let body = json!({"userId": "u", "event": "e", "timestamp": timestamp, "sentAt": sent_at});
        assert_eq!(published(&body.to_string()).await["timestamp"], expected, "{timestamp} {sent_at}");
    }
    let api = Api::new();
    let message = json!({"type": "page", "userId": "u", "timestamp": "2026-11-21T08:59:00Z", "sentAt": "0001-01-01T00:00:00Z"});
    let batch = json!({"batch": [message], "sentAt": "2026-11-21T09:00:00Z"});
    assert_eq!(api.post("/v1/batch", &batch).await, success());
    let message = &api.messages()[0];
    assert_eq!(
        (&message["timestamp"], &message["sentAt"]),
        (&json!("2026-11-21T07:59:00.000Z"), &json!("2026-11-21T09:00:00.000Z"))
    );
}

#[tokio::test]
async fn fields_that_segue_sets_are_not_taken_from_a_sender() {
    let body =
        json!({"userId": "u", "event": "e", "receivedAt": "2024-01-01T01:01:01Z", "request_ip": "192.0.2.9"});
    let message = published(&body.to_string()).await;
    assert_eq!(
        (&message["receivedAt"], &message["request_ip"]),
        (&json!("2026-11-21T08:00:00.000Z"), &json!("192.0.2.9"))
    );
    assert_eq!(message.get("context"), None);
}

#[tokio::test]
async fn a_pixel_takes_its_key_beside_its_data_and_never_redirects() {
    // {"userId":"u","event":"e"}
    let data = "data=eyJ1c2VySWQiOiJ1IiwiZXZlbnQiOiJlIn0";
    for (query, event) in [
        (format!("writeKey=k1&{data}"), "e"),
        (format!("writeKey=k1&{data}&event=f"), "e"),
        ("writeKey=k1&userId=u&event=g&random=x&destination_url=https%3A%2F%2Fexample.com".to_owned(), "g"),
        ("writeKey=k1&userId=u&event=h&timestamp=1763712000000&sentAt=1763712060000".to_owned(), "h"),
    ] {
        let api = Api::new();
        let pixel = Request::get(format!("/v1/pixel/track?{query}")).body(Bytes::new()).unwrap();
        let response = api.respond(pixel).await;
        assert_eq!((response.status().as_u16(), response.headers().get(header::LOCATION)), (200, None));
        let message = &api.messages()[0];
        assert_eq!(message["event"], event, "{query}");
        match event {
            "g" => assert_eq!(message["random"], "x"),
            "h" => assert_eq!(message["timestamp"], "2026-11-21T07:59:00.000Z"),
            _ => {}
        }
    }
    let api = Api::new();
    let mut look = Request::get("/v1/pixel/track?writeKey=k1&userId=u&event=e").body(Bytes::new()).unwrap();
    *look.method_mut() = Method::HEAD;
    assert_eq!(api.respond(look).await.status(), 200);
    assert!(api.calls().is_empty(), "a mail scanner opened nothing");
    let kept = Request::get("/v1/pixel/track?writeKey=k1&userId=u&event=e&integrations.All=false");
    api.respond(kept.body(Bytes::new()).unwrap()).await;
    assert_eq!(api.attributes()[0][platform::topic::NOT_FOR], "webhooks");
}

#[tokio::test]
async fn keys_in_places_that_only_other_collectors_read_do_not_count() {
    let body = r#"{"userId":"u","event":"e","properties":{"writeKey":"k1"}}"#;
    let keys = [r"loc\u0000al".to_owned(), "\u{1f980}".to_owned(), "x".repeat(5_000)];
    let in_body = keys
        .iter()
        .map(|key| keyless("/v1/track", format!(r#"{{"userId":"u","event":"e","writeKey":"{key}"}}"#)));
    let elsewhere = [
        keyless("/v1/track", body),
        keyless("/v1/track?writekey=k1", body),
        with_header(keyless("/v1/track", body), header::AUTHORIZATION, "Bearer k1"),
        with_header(keyless("/v1/track", body), header::HeaderName::from_static("x-write-key"), "k1"),
    ];
    for request in in_body.chain(elsewhere) {
        let response = Api::new().respond(request).await;
        assert_eq!(response.status(), 401);
        assert!(!text(&response).contains("xxxx"));
    }
    let spaced = with_header(
        keyless("/v1/track", r#"{"userId":"u","event":"e"}"#),
        header::AUTHORIZATION,
        "Basic azEKOg==",
    );
    assert_eq!(Api::new().send(spaced).await, success(), "a line break that came with the key");
}
