//! The tracking API of a running server: URLs, pages of other sites, proxies.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::process::Server;

const TRACK: &str = r#"{"writeKey":"local","anonymousId":"a","event":"e"}"#;

#[tokio::test]
async fn a_pixel_is_delivered_and_shown() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let pixel = |query: &str| server.http.get(format!("{}/v1/pixel/track?{query}", server.base)).send();
    for query in
        ["writeKey=local&userId=u&event=Email%20Opened&properties.subject=News", "writeKey=local&userId=u"]
    {
        let mut answer = pixel(query).await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()["content-type"]),
            (StatusCode::OK, &"image/gif".parse().unwrap())
        );
        assert!(answer.chunk().await.unwrap().unwrap().starts_with(b"GIF89a"));
    }
    let messages = server.messages(1).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    let message = &messages[0]["message"];
    assert_eq!((&message["event"], &message["context"]["ip"]), (&json!("Email Opened"), &json!("127.0.0.1")));
    assert_eq!((&message["properties"]["subject"], &message["channel"]), (&json!("News"), &json!("browser")));
    let rows =
        server.rows(|rows| rows.len() == 2 && rows.iter().any(|row| row["state"] == "delivered")).await;
    let of_event = |event: Value| rows.iter().find(|row| row["event"] == event).unwrap();
    assert_eq!(of_event(Value::Null)["reason"], "The message cannot be taken: event is missing.");
    let details = server.details(of_event(json!("Email Opened"))).await;
    assert_eq!(details["arrivals"][0]["answer"], "An image of 42 bytes.", "{details}");
    assert!(!details.to_string().contains("writeKey=local"));
}

#[tokio::test]
async fn a_page_with_own_headers_can_send() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let preflight = server.http.request(Method::OPTIONS, format!("{}/v1/b", server.base));
    let preflight = preflight
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-shop,content-type");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-headers"], "x-shop,content-type");
    assert_eq!(answer.headers().get("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_url_can_have_a_base_path_or_extra_slashes() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for path in ["/prod/v1/track", "//v1/track", "/v1//t", "/v1/v1/track", "/a/b/v1/t/"] {
        assert_eq!(server.post(path, TRACK).await.status(), StatusCode::OK, "{path}");
    }
    server.messages(5).await;
    for path in ["/prod/v2/track", "/track", "/debugger/v2", "/v1/nothing", "/prod/v1/nothing"] {
        let answer = server.post(path, TRACK).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn a_page_can_read_every_refusal() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for (path, body, status) in [
        ("/v1/t", "x".repeat(700_000), StatusCode::BAD_REQUEST),
        ("/v1/t", "{".to_owned(), StatusCode::BAD_REQUEST),
        ("/v1/nothing", TRACK.to_owned(), StatusCode::NOT_FOUND),
        ("/v1/t", TRACK.replace("local", "unknown"), StatusCode::UNAUTHORIZED),
    ] {
        let answer = server.post(path, body).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{status}");
        assert_eq!(answer.headers()["access-control-expose-headers"], "Retry-After", "{status}");
    }
}

#[tokio::test]
async fn the_users_address_is_the_one_that_the_proxy_names() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--write-key", "key"]);
    for (name, forwarded) in [("direct", None), ("proxied", Some("198.51.100.7, 10.0.0.1"))] {
        let body = json!({"writeKey": "key", "anonymousId": "a", "event": name, "messageId": name});
        let request = server.http.post(format!("{}/v1/t", server.base)).body(body.to_string());
        let request =
            forwarded.iter().fold(request, |request, value| request.header("x-forwarded-for", *value));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    let addresses: Vec<_> =
        server.messages(2).await.iter().map(|entry| entry["message"]["context"]["ip"].clone()).collect();
    assert!(
        addresses.contains(&json!("127.0.0.1")) && addresses.contains(&json!("198.51.100.7")),
        "{addresses:?}"
    );
}
