//! Batches with some bad messages.

use serde_json::{Value, json};

use crate::support::{Api, request, success, text, track};

#[tokio::test]
async fn the_good_messages_of_a_batch_are_published_once_and_the_bad_ones_listed() {
    let api = Api::new();
    let batch = json!({"batch": [
        track("0"),
        {"type": "track", "userId": "u"},
        track("2"),
        7,
        null,
        {"type": "delete", "userId": "u"},
        {"type": "buy", "userId": "u"},
        {"userId": "u"},
        {"type": "page", "userId": "u", "traits": "t"},
        {"type": "page", "userId": "u", "context": "c"},
        {"type": "page", "userId": "u", "x": "y".repeat(40_000)},
        track("11"),
    ]});
    let (status, body) = api.post("/v1/batch", &batch).await;
    assert_eq!(status, 200);
    let bad = |index: usize, field: &str, problem: &str| json!({"index": index, "field": field, "problem": problem});
    let expected = json!({
        "success": true,
        "message": "9 of 12 messages cannot be taken, as listed. The rest is stored; do not send it again.",
        "accepted": 3,
        "rejected": 9,
        "invalid": [
            bad(1, "event", "is missing"),
            bad(3, "message", "must be an object"),
            bad(4, "message", "must be an object"),
            bad(5, "type", "must be identify, track, page, screen, group or alias"),
            bad(6, "type", "must be identify, track, page, screen, group or alias"),
            bad(7, "type", "is missing"),
            bad(8, "traits", "must be an object"),
            bad(9, "context", "must be an object"),
            bad(10, "message", "is larger than 32 KB as JSON"),
        ],
    });
    assert_eq!(body, expected);
    assert_eq!(api.calls().len(), 1, "one publish");
    let ids: Vec<Value> = api.messages().iter().map(|message| message["messageId"].clone()).collect();
    assert_eq!(ids, ["0", "2", "11"]);
}

#[tokio::test]
async fn a_single_bad_message_is_listed_as_the_first_of_one() {
    let api = Api::new();
    let (status, body) = api.post("/v1/track", &json!({"userId": "u"})).await;
    let expected = json!({
        "error": "invalid",
        "code": "invalid",
        "message": "The message cannot be taken: event is missing.",
        "accepted": 0,
        "invalid": [{"index": 0, "field": "event", "problem": "is missing"}],
    });
    assert_eq!((status, body), (400, expected));
    assert!(api.calls().is_empty() && api.rejected().is_empty(), "it leaves no trace");
}

#[tokio::test]
async fn an_empty_batch_is_no_mistake() {
    let api = Api::new();
    assert_eq!(api.post("/v1/batch", &json!({"batch": []})).await, success());
    assert!(api.calls().is_empty());
}

#[tokio::test]
async fn no_answer_quotes_the_value_of_a_field() {
    let secret = "someone@example.com";
    for message in [
        json!({"type": secret, "userId": secret}),
        json!({"type": "page", "userId": [secret]}),
        json!({"type": "page", "userId": secret, "traits": secret}),
        json!({"type": "page", "userId": secret, "context": secret}),
        json!(secret),
    ] {
        let api = Api::new();
        let response = api.respond(request("/v1/batch", json!({"batch": [message]}).to_string())).await;
        assert_eq!(response.status(), 400);
        assert!(!text(&response).contains(secret), "{}", text(&response));
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_does_not_affect_its_batch() {
    let levels = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
    // The message and its properties are two levels themselves.
    let with = |id: &str, value: &str| {
        format!(
            r#"{{"type":"track","userId":"u","event":"e","messageId":"{id}","properties":{{"a":{value}}}}}"#
        )
    };
    let messages = [
        with("0", "1"),
        with("1", &levels(99)),
        with("2", r#"{"$serde_json::private::Number":"1"}"#),
        with("3", &levels(98)),
        with("4", r#"{"$serde_json::private::RawValue":"[1]"}"#),
    ];
    let api = Api::new();
    let (status, body) =
        api.send(request("/v1/batch", format!(r#"{{"batch":[{}]}}"#, messages.join(",")))).await;
    assert_eq!((status, &body["accepted"]), (200, &json!(3)), "{body}");
    let kept: Vec<String> = api.rejected().into_iter().map(|message| message.text).collect();
    assert_eq!(kept, [messages[1].clone(), messages[2].clone()]);
    let problem = |place: usize| body["invalid"][place]["problem"].as_str().unwrap().to_owned();
    assert!(
        problem(0).starts_with("batch[1].properties.a")
            && problem(0).ends_with("nested deeper than 100 levels")
    );
    let name = "batch[2].properties.a has a member named $serde_json::private::Number, which is not taken";
    assert_eq!((&body["invalid"][1]["index"], &*problem(1)), (&json!(2), name));
    let ids: Vec<Value> = api.messages().iter().map(|message| message["messageId"].clone()).collect();
    assert_eq!(ids, ["0", "3", "4"]);
    assert!(
        api.bodies()[2].contains(r#""a":{"$serde_json::private::RawValue":"[1]"}"#),
        "{:?}",
        api.bodies()
    );
}
