//! The bad messages of a batch.

use serde_json::{Value, json};

use crate::support::{Api, NOW, keyless, request, track};

/// Returns a batch with one good message and these others.
fn batch(others: &[&str]) -> String {
    format!(r#"{{"batch":[{},{}],"writeKey":"k2"}}"#, track("good"), others.join(","))
}

#[tokio::test]
async fn the_bad_messages_of_a_batch_are_kept_as_received() {
    let bad = [
        r#"{ "type":"track", "userId":"u", "n":1.50, "a":"\ud83d", "a":2 }"#,
        "7",
        r#"{"type":"track","writeKey":"k1","userId":"u"}"#,
        r#"{"type":"group","userId":"u"}"#,
    ];
    let api = Api::new();
    let (status, body) = api.send(keyless("/v1/batch", batch(&bad))).await;
    assert_eq!((status, &body["accepted"], &body["rejected"]), (200, &json!(1), &json!(4)));
    let kept: Vec<_> = api
        .rejected()
        .into_iter()
        .map(|one| (one.text, one.field, one.problem, one.write_key, one.received_at.to_string()))
        .collect();
    let expected = |text: &str, field: &str, problem: &str, key: &str| {
        (
            text.to_owned(),
            field.to_owned(),
            problem.to_owned(),
            key.to_owned(),
            "2026-11-21T08:00:00Z".to_owned(),
        )
    };
    assert_eq!(NOW, "2026-11-21T08:00:00.000Z");
    assert_eq!(
        kept,
        [
            expected(bad[0], "event", "is missing", "shop"),
            expected("7", "message", "must be an object", "shop"),
            expected(r#"{"type":"track","userId":"u"}"#, "event", "is missing", "default"),
            expected(bad[3], "groupId", "is missing", "shop"),
        ]
    );
}

#[tokio::test]
async fn a_hundred_of_a_request_are_kept_and_32_kb_of_each() {
    let long = format!(r#"{{"type":"page","userId":"u","x":"{}"}}"#, "ü".repeat(17_000));
    let mut bad = vec![long.as_str()];
    bad.extend(["null"; 120]);
    let api = Api::new();
    let (status, body) = api.send(request("/v1/batch", batch(&bad))).await;
    assert_eq!((status, &body["rejected"]), (200, &json!(121)));
    let kept = api.rejected();
    assert_eq!(kept.len(), 100);
    assert_eq!(kept[0].text.len(), 32 * 1024 - 1, "no letter is cut in two");
    assert!(long.starts_with(&kept[0].text));
}

#[tokio::test]
async fn a_batch_without_a_good_message_is_refused_and_leaves_no_trace() {
    let batch = json!({"batch": [{"type": "track", "userId": "u"}, 7]});
    for path in ["/v1/batch", "/v1/b"] {
        let api = Api::new();
        let (status, body) = api.post(path, &batch).await;
        assert_eq!((status, &body["error"], &body["accepted"]), (400, &json!("invalid"), &json!(0)));
        assert_eq!(body["invalid"].as_array().map(Vec::len), Some(2));
        assert!(api.calls().is_empty() && api.rejected().is_empty());
    }
}

#[tokio::test]
async fn a_library_that_repeats_a_refused_batch_forever_gets_a_success() {
    for (library, status, kept) in [
        ("analytics-react-native", 200, 2),
        ("@segment/analytics-react-native", 200, 2),
        ("analytics-flutter", 200, 2),
        ("analytics-swift", 200, 2),
        ("analytics-kotlin", 400, 0),
        ("analytics-ruby", 400, 0),
        ("analytics.js", 400, 0),
    ] {
        let of_library = json!({"type": "track", "anonymousId": "a", "event": "", "context": {"library": {"name": library}}});
        let batch = json!({"writeKey": "k1", "batch": [7, of_library]});
        let api = Api::new();
        let (answer, body) = api.send(keyless("/v1/b", batch.to_string())).await;
        assert_eq!((answer, api.rejected().len()), (status, kept), "{library}: {body}");
        assert!(api.calls().is_empty());
    }
}

#[tokio::test]
async fn a_batch_that_an_app_sends_twice_is_stored_once() {
    let batch = |ids: &[&str]| {
        let good = ids.iter().map(|id| track(id));
        let messages: Vec<Value> =
            good.chain([json!({"type": "track", "userId": "u", "messageId": "bad"})]).collect();
        json!({"writeKey": "k1", "batch": messages}).to_string()
    };
    let api = Api::new();
    for (ids, rejected) in [(&["1", "2"][..], 1), (&["1", "2"], 1), (&["2", "3"], 1)] {
        let (status, body) = api.send(keyless("/v1/b", batch(ids))).await;
        assert_eq!(
            (status, &body["accepted"], &body["rejected"]),
            (200, &json!(2), &json!(rejected)),
            "{body}"
        );
    }
    let ids: Vec<Value> = api.messages().iter().map(|message| message["messageId"].clone()).collect();
    assert_eq!((ids, api.rejected().len()), (vec![json!("1"), json!("2"), json!("3")], 1));
    api.clock.advance(std::time::Duration::from_secs(24 * 60 * 60 + 1));
    api.send(keyless("/v1/b", batch(&["1"]))).await;
    assert_eq!(api.messages().len(), 4, "a day later it is another one");
}

#[tokio::test]
async fn a_message_that_was_not_stored_or_differs_is_no_repeat() {
    let message = |id: &str, n: u64| json!({"type": "page", "anonymousId": "a", "messageId": id, "n": n});
    let batch = |messages: Value| json!({"writeKey": "k1", "batch": messages}).to_string();
    let api = Api::new();
    for messages in [json!([message("1", 1)]), json!([message("1", 2)])] {
        api.send(keyless("/v1/b", batch(messages))).await;
    }
    assert_eq!(api.messages().len(), 2);
    for id in [json!(""), json!(" "), json!(null), json!(false)] {
        let none = json!({"type": "page", "anonymousId": "a", "messageId": id});
        for _ in 0..2 {
            api.send(keyless("/v1/b", batch(json!([none])))).await;
        }
    }
    assert_eq!(api.messages().len(), 10, "an empty id is none");
    let of_server = json!({"batch": [message("1", 1)]});
    assert_eq!(api.post("/v1/batch", &of_server).await.0, 200);
    assert_eq!(api.messages().len(), 11, "a server knows what it sends");
    let api = Api::with_fault(testkit::topic::Fault::Refuses);
    for _ in 0..2 {
        let (status, _) = api.send(keyless("/v1/b", batch(json!([message("1", 1)])))).await;
        assert_eq!(status, 503);
    }
    assert_eq!(api.calls().len(), 2);
}

#[tokio::test]
async fn a_message_that_was_bad_beside_a_large_context_is_good_without_it() {
    let big = json!({"type": "page", "anonymousId": "a", "messageId": "big", "x": "y".repeat(20_000)});
    let api = Api::new();
    for (context, accepted) in [(json!({"z": "z".repeat(14_000)}), 1), (json!({}), 2)] {
        let batch = json!({"writeKey": "k1", "batch": [track("ok"), big], "context": context});
        let (status, body) = api.send(keyless("/v1/b", batch.to_string())).await;
        assert_eq!((status, body["accepted"].as_u64().unwrap_or(2)), (200, accepted), "{body}");
    }
    let ids: Vec<Value> = api.messages().iter().map(|message| message["messageId"].clone()).collect();
    assert_eq!(ids, ["ok", "big"]);
}

#[tokio::test]
async fn bad_messages_without_an_id_are_kept_each_time() {
    let api = Api::new();
    for id in ["", "", " "] {
        let bad = json!({"type": "track", "userId": "u", "messageId": id});
        let batch = json!({"writeKey": "k1", "batch": [track("1"), bad]});
        api.send(keyless("/v1/b", batch.to_string())).await;
    }
    assert_eq!(api.rejected().len(), 3);
}

#[tokio::test]
async fn an_app_is_not_blocked_by_a_message_that_cannot_be_read() {
    let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
    for (member, status) in [(deep.as_str(), 200), ("null", 200), (r#"{"type":"track","userId":"u"}"#, 400)] {
        let api = Api::new();
        let body = format!(r#"{{"writeKey":"k1","batch":[{member}]}}"#);
        let (answer, said) = api.send(keyless("/v1/b", body.clone())).await;
        assert_eq!((answer, api.rejected().len()), (status, usize::from(status == 200)), "{said}");
        assert_eq!(Api::new().send(request("/v1/batch", body)).await.0, 400, "a server drops it");
    }
}

#[tokio::test]
async fn if_the_rejected_queue_is_away_the_answer_is_503_and_nothing_is_published() {
    let api = Api::without_rejected_queue();
    let (status, body) = api.send(request("/v1/batch", batch(&["7"]))).await;
    assert_eq!((status, &body["error"]), (503, &json!("not_stored")));
    assert!(api.calls().is_empty(), "all of it comes again");
    let (status, _) = api.post("/v1/batch", &json!({"batch": [track("1")]})).await;
    assert_eq!(status, 200, "good messages do not need it");
}

#[tokio::test]
async fn a_batch_is_found_however_its_name_is_escaped() {
    let body = format!(r#" {{"batch":[],"b\u0061tch" : [ {} , "\"]," ] }} "#, track("good"));
    let api = Api::new();
    let (status, answer) = api.send(request("/v1/batch", body)).await;
    assert_eq!((status, &answer["rejected"]), (200, &json!(1)), "{answer}");
    let kept: Vec<Value> =
        api.rejected().iter().map(|one| serde_json::from_str(&one.text).unwrap()).collect();
    assert_eq!(kept, [json!("\"],")]);
}
