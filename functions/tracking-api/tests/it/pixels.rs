//! Messages in the address of an image.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde_json::{Value, json};

use testkit::topic::Fault;

use crate::support::Api;

const MESSAGE: &str =
    r#"{"writeKey":"k2","userId":"u","event":"Email Opened","properties":{"subject":"The Daily"}}"#;

fn pixel(address: &str) -> Request<Bytes> {
    Request::get(address).body(Bytes::new()).unwrap()
}

fn is_image(response: &Response<Bytes>) -> bool {
    response.headers()[header::CONTENT_TYPE] == "image/gif"
        && response.headers()[header::CACHE_CONTROL] == "no-store"
        && response.body().starts_with(b"GIF89a")
}

#[tokio::test]
async fn a_pixel_is_a_message_and_is_answered_with_an_image() {
    let data = format!("/v1/pixel/track?data={}", STANDARD.encode(MESSAGE).replace('+', "%2B"));
    let parameters = "/v1/pixel/track?userId=u&event=Email%20Opened&properties.subject=The+Daily&writeKey=k2";
    for address in [data.as_str(), parameters] {
        let api = Api::new();
        let response = api.respond(pixel(address)).await;
        assert!(response.status() == 200 && is_image(&response), "{address}");
        let message = api.messages().remove(0);
        let expected = json!({"subject": "The Daily"});
        assert_eq!(
            (&message["userId"], &message["event"], &message["properties"]),
            (&json!("u"), &json!("Email Opened"), &expected)
        );
        assert_eq!((&message["type"], &message["channel"]), (&json!("track"), &json!("browser")));
        assert_eq!(message["context"]["ip"], "203.0.113.7");
        assert_eq!(message.get("writeKey"), None);
        assert_eq!(api.names(), ["shop"]);
    }
}

#[tokio::test]
async fn every_call_has_its_pixel() {
    for (call, query) in [
        ("identify", "userId=u&traits.plan=pro"),
        ("page", "anonymousId=a"),
        ("screen", "anonymousId=a&name=Home"),
        ("group", "userId=u&groupId=g"),
        ("alias", "userId=u&previousId=p"),
    ] {
        let api = Api::new();
        let response = api.respond(pixel(&format!("/prod/v1/pixel/{call}?writeKey=k1&{query}"))).await;
        assert!(is_image(&response), "{call}");
        assert_eq!(api.messages()[0]["type"], call);
    }
}

#[tokio::test]
async fn a_bad_pixel_gets_an_image_too_and_publishes_nothing() {
    for query in [
        "",
        "data=",
        "data=not-json",
        "data=eyJ9",
        "writeKey=unknown&userId=u&event=e",
        "userId=u&event=e",
        "writeKey=k1&event=e",
        "writeKey=k1&userId=u",
    ] {
        let api = Api::new();
        let response = api.respond(pixel(&format!("/v1/pixel/track?{query}"))).await;
        assert!(response.status() == 200 && is_image(&response), "{query}");
        assert!(api.calls().is_empty() && api.rejected().is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_pixel_that_is_not_stored_is_answered_with_an_error_status() {
    let address = "/v1/pixel/page?writeKey=k1&userId=u";
    let response = Api::with_fault(Fault::Refuses).respond(pixel(address)).await;
    assert_eq!(response.status(), 503);
    let mut post = pixel(address);
    *post.method_mut() = Method::POST;
    let response = Api::new().respond(post).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()[header::ALLOW]),
        (405, &"GET, OPTIONS".parse().unwrap())
    );
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(body["message"], "This address takes GET only.");
}
