//! Providers that treat a refusal as final: Okta and Auth0 Event Streams never repeat a request that is
//! answered 4xx.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::json;

use crate::support::{Webhook, request, with_header};

/// Returns requests of such providers, with a key and without.
fn refused_requests() -> [Request<Bytes>; 4] {
    let to = |route: &str| {
        let mut request = request(r#"{"type":"user.deleted"}"#);
        *request.uri_mut() = format!("/identity/{route}").parse().unwrap();
        request
    };
    let wrong = |route| with_header(to(route), "authorization", "Bearer wrong");
    [to("okta"), wrong("okta"), to("auth0/events"), wrong("auth0/events")]
}

#[tokio::test]
async fn if_the_secret_cannot_change_a_refusal_is_always_401() {
    for secret in [json!({"okta": {"bearer": "right"}, "auth0": {"bearer": "right"}}), json!({})] {
        let webhook = Webhook::new(&secret);
        for request in refused_requests() {
            for _ in 0..2 {
                let again = with_header(request.clone(), "x-again", "1");
                let (status, answer) = webhook.send(again).await;
                assert_eq!((status, answer["error"].as_str()), (401, Some("not_authentic")), "{answer}");
            }
            webhook.clock.advance(Duration::from_secs(7));
        }
    }
}

#[tokio::test]
async fn if_a_newer_secret_may_exist_a_refusal_is_503_until_the_secret_was_read_again() {
    let secret = json!({"okta": {"bearer": "right"}, "auth0": {"bearer": "right"}});
    for request in refused_requests() {
        let webhook = Webhook::changeable(&secret);
        let (status, answer) = webhook.send(request.clone()).await;
        assert_eq!((status, answer["error"].as_str()), (503, Some("not_checked")), "{answer}");
        let message = answer["message"].as_str().unwrap();
        let beginning =
            "The request was not checked against the newest secret. The secret in use refuses it: ";
        assert!(message.starts_with(beginning), "{message}");
        let end = ". The secret is read again within 5 seconds; send the request again then.";
        assert!(message.ends_with(end), "{message}");
        webhook.clock.advance(Duration::from_secs(5));
        assert_eq!(webhook.send(request).await.0, 401);
    }
    let webhook = Webhook::changeable(&secret);
    let mut repeated = request("{}");
    *repeated.uri_mut() = "/identity/auth0/logs".parse().unwrap();
    assert_eq!(webhook.send(repeated).await.0, 401, "Auth0 sends a log again after any error");
}
