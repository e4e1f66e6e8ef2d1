//! Requests that must be refused: each has a clear answer, nothing is published, and nothing personal is in
//! the log.

use bytes::Bytes;
use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::support::{
    BEARER, HEADER, SECRET, Webhook, request, sample_body, signed, with_bearer, with_header,
};

/// Returns a body with one change.
fn changed(sample: &str, change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut body = serde_json::from_slice(&sample_body(sample)).unwrap();
    change(&mut body);
    body.to_string().into_bytes()
}

fn typed(mut request: Request<Bytes>, content_type: &str) -> Request<Bytes> {
    request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    request
}

fn to(method: Method, path: &str) -> Request<Bytes> {
    let mut request = signed(sample_body("user.login.success"));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    request
}

fn cases() -> Vec<(&'static str, Request<Bytes>, u16, &'static str)> {
    let login = || sample_body("user.login.success");
    let create = "user.create.complete";
    let deep = format!("{{\"event\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let token = || signed(login()).headers()[HEADER].to_str().unwrap().to_owned();
    let forged = |from: &str, to: &str| with_header(request(login()), HEADER, &token().replacen(from, to, 1));
    let none = token().split_once('.').map(|(_, rest)| format!("eyJhbGciOiJub25lIn0.{rest}")).unwrap();
    let unsigned = none.rsplit_once('.').map(|(message, _)| format!("{message}.")).unwrap();
    let length = token().len();
    vec![
        ("another path", to(Method::POST, "/"), 404, "not_found"),
        ("an unknown provider", to(Method::POST, "/identity/nobody"), 404, "not_found"),
        ("no provider", to(Method::POST, "/identity/"), 404, "not_found"),
        ("a GET", to(Method::GET, "/identity/fusionauth"), 405, "method_not_allowed"),
        ("an empty body", signed(""), 400, "malformed"),
        ("a text", signed("user=1"), 400, "malformed"),
        ("an array", signed("[]"), 400, "malformed"),
        ("half a body", signed(login()[..100].to_vec()), 400, "malformed"),
        ("invalid UTF-8", signed(b"{\"event\":\"\xff\"}".to_vec()), 400, "malformed"),
        ("a deeply nested body", signed(deep), 400, "malformed"),
        (
            "the name that is not taken",
            signed(changed(create, |body| body["event"]["x"] = json!({"$serde_json::private::Number": "1"}))),
            400,
            "malformed",
        ),
        ("more values than are read", signed(format!("[{}0]", "0,".repeat(2_900_000))), 413, "too_large"),
        ("7 MB", signed(vec![b' '; 7_000_000]), 413, "too_large"),
        ("a form", typed(signed(login()), "application/x-www-form-urlencoded"), 400, "content_type"),
        ("gzip", with_header(signed(login()), "content-encoding", "gzip"), 400, "encoded_body"),
        ("no event", signed("{}"), 422, "unusable"),
        ("an event that is a text", signed(r#"{"event":"x"}"#), 422, "unusable"),
        ("a type that is a number", signed(r#"{"event":{"type":7}}"#), 422, "unusable"),
        ("no user", signed(r#"{"event":{"type":"user.create.complete"}}"#), 422, "unusable"),
        (
            "no user id",
            signed(changed(create, |body| drop(body["event"]["user"]["id"].take()))),
            422,
            "unusable",
        ),
        (
            "an empty user id",
            signed(changed(create, |body| body["event"]["user"]["id"] = json!(" "))),
            422,
            "unusable",
        ),
        (
            "a numeric user id",
            signed(changed(create, |body| body["event"]["user"]["id"] = json!(7))),
            422,
            "unusable",
        ),
        (
            "a user that is a text",
            signed(changed(create, |body| body["event"]["user"] = json!("x"))),
            422,
            "unusable",
        ),
        ("no signature", request(login()), 401, "not_authentic"),
        ("two signatures", with_header(signed(login()), HEADER, &token()), 401, "not_authentic"),
        ("a signature of another body", with_header(request("{}"), HEADER, &token()), 401, "not_authentic"),
        ("alg none", with_header(request(login()), HEADER, &none), 401, "not_authentic"),
        (
            "alg none without a signature",
            with_header(request(login()), HEADER, &unsigned),
            401,
            "not_authentic",
        ),
        (
            "a truncated signature",
            with_header(request(login()), HEADER, &token()[..length - 5]),
            401,
            "not_authentic",
        ),
        ("no signature part", with_header(request(login()), HEADER, "a.b"), 401, "not_authentic"),
        ("a forged header", forged("ey", "eZ"), 401, "not_authentic"),
        ("the secret itself", with_header(request(login()), HEADER, SECRET), 401, "not_authentic"),
    ]
}

#[tokio::test]
async fn bad_input_is_refused_with_a_sentence_and_nothing_is_published() {
    for (name, request, status, code) in cases() {
        let webhook = Webhook::signed();
        let (actual, answer) = webhook.send(request).await;
        assert_eq!((actual, answer["error"].as_str()), (status, Some(code)), "{name}: {answer}");
        let sentence = answer["message"].as_str().unwrap();
        assert!(sentence.ends_with('.') && sentence.len() > 20, "{name}: {sentence}");
        assert!(webhook.topic.bodies().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_wrong_method_gets_the_right_one_in_the_answer() {
    let response = Webhook::signed().respond(to(Method::PUT, "/identity/fusionauth")).await;
    assert_eq!(response.headers()[header::ALLOW], "POST");
}

#[tokio::test]
async fn the_answer_names_the_field_that_is_wrong() {
    let body = changed("user.create.complete", |body| body["event"]["user"]["id"] = json!(7));
    let (_, answer) = Webhook::signed().send(signed(body)).await;
    assert_eq!(answer["message"], "The event cannot be used: event.user.id must be a string.");
    let (_, answer) = Webhook::signed().send(signed(r#"{"type":"user.create.complete","user":{}}"#)).await;
    assert_eq!(answer["message"], "The event cannot be used: user.id is missing.");
}

#[tokio::test]
async fn an_unusable_login_is_ignored_because_a_refusal_would_keep_the_user_out() {
    for id in [json!(null), json!(""), json!(7), json!({})] {
        let webhook = Webhook::signed();
        let body = changed("user.login.success", |body| body["event"]["user"]["id"] = id.clone());
        assert_eq!(webhook.send(signed(body)).await, (200, json!({"accepted": 0})), "{id}");
        assert!(webhook.topic.bodies().is_empty());
    }
}

#[tokio::test]
async fn any_json_content_type_and_none_at_all_are_taken() {
    for content_type in
        ["application/json;charset=utf-8", "text/json", "Application/JSON", "application/cloudevents+json"]
    {
        let request = typed(signed(sample_body("user.login.success")), content_type);
        assert_eq!(Webhook::signed().send(request).await.0, 200, "{content_type}");
    }
    let mut bare = signed(sample_body("user.login.success"));
    bare.headers_mut().remove(header::CONTENT_TYPE);
    assert_eq!(Webhook::signed().send(with_header(bare, "content-encoding", "identity")).await.0, 200);
}

#[tokio::test]
async fn the_log_holds_no_secret_and_no_personal_data() {
    testkit::log();
    for (_, request, ..) in cases() {
        Webhook::signed().send(request).await;
    }
    for sample in
        ["user.create.complete", "user.update.complete", "user.login.success", "group.member.add.complete"]
    {
        let mut request = signed(sample_body(sample));
        *request.uri_mut() = "/identity/fusionauth?token=query-secret".parse().unwrap();
        Webhook::signed().send(request).await;
    }
    let large = changed("user.create.complete", |body| {
        body["event"]["user"]["data"]["note"] = json!("private-note ".repeat(4_000));
    });
    assert_eq!(Webhook::signed().send(signed(large)).await.0, 200);

    crate::samples::send_all().await;

    let log = testkit::logged();
    assert!(log.contains("user.login.success") && log.contains("fusionauth-"), "{log}");
    for private in [
        SECRET,
        "eyJ",
        "annika",
        "Annika",
        "Vester",
        "example.com",
        "203.0.113",
        "2001:db8",
        "Firefox",
        "Aarhus",
        "+4520123456",
        // Not only the year, because the log has times with microseconds.
        "1988-02-29",
        "sk_sample",
        "sample-code",
        "ya29",
        "private-note",
        "query-secret",
        "Mozilla",
        "do-not-use",
        "never-send",
        "Noor",
        "Moreau",
        "198.51.100",
        "Acme",
        "Lyon",
    ] {
        assert!(!log.contains(private), "{private} in\n{log}");
    }
}

#[tokio::test]
async fn a_body_with_too_many_events_is_refused_and_one_at_the_limit_is_accepted() {
    let logs = |count: usize| vec![r#"{"data":{"type":"seccft"}}"#; count];
    let hook = |count: usize| format!(r#"{{"data":{{"events":[{}]}}}}"#, vec!["{}"; count].join(","));
    for (path, count, body) in [10_000, 10_001].into_iter().flat_map(|count| {
        [
            ("auth0/logs", count, format!("[{}]", logs(count).join(","))),
            ("auth0/logs", count, format!(r#"{{"logs":[{}]}}"#, logs(count).join(","))),
            ("auth0/logs", count, logs(count).join("\n")),
            ("okta", count, hook(count)),
        ]
    }) {
        let request = with_bearer(path, body);
        let (status, answer) =
            Webhook::new(&json!({"auth0": {"bearer": BEARER}, "okta": {"bearer": BEARER}}))
                .send(request)
                .await;
        let expected = if count > 10_000 { 413 } else { 200 };
        assert_eq!(status, expected, "{path} {count}: {answer}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_does_not_affect_its_batch() {
    let good = r#"{"log_id":"1","data":{"type":"ss","user_id":"auth0|1","log_id":"1"}}"#;
    let deep =
        format!(r#"{{"log_id":"2","data":{{"type":"ss","a":{}1{}}}}}"#, "[".repeat(120), "]".repeat(120));
    let name = r#"{"log_id":"3","data":{"type":"ss","a":{"$serde_json::private::Number":"1"}}}"#;
    for body in [
        format!("[{deep},{good},{name}]"),
        format!(r#"{{"logs":[{name},{deep},{good}]}}"#),
        [&deep, good, name].join("\n"),
    ] {
        let request = with_bearer("auth0/logs", body.clone());
        assert_eq!(Webhook::auth0().send(request).await, (200, json!({"accepted": 2})), "{body}");
    }
}

/// One log about an organization's members is an event for each member.
#[tokio::test]
async fn a_log_that_becomes_too_many_events_is_refused() {
    let log = |organization: &str, members: usize| {
        let members: Vec<String> = (0..members).map(|number| format!("auth0|{number}")).collect();
        let request = json!({"path": format!("/api/v2/organizations/{organization}/members"), "body": {"members": members}});
        json!([{"log_id": "1", "data": {"type": "sapi", "log_id": "1", "description": "Add members to an organization", "details": {"request": request}}}])
    };
    for (organization, members, expected) in
        [("org_1", 10_000, 200), ("org_1", 10_001, 413), (&*"o".repeat(14_000), 2_000, 413)]
    {
        let request = with_bearer("auth0/logs", log(organization, members).to_string());
        let (status, answer) = Webhook::auth0().send(request).await;
        assert_eq!(status, expected, "{members}: {answer}");
    }
}
