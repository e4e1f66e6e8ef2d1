//! Addresses, methods, and CORS for browsers.

use bytes::Bytes;
use http::{Method, Request, header};
use serde_json::json;

use crate::support::{Api, request, success, text, track};

#[tokio::test]
async fn every_call_has_its_name_and_its_letter() {
    for (call, letter, body) in [
        ("identify", "i", json!({"userId": "u"})),
        ("track", "t", json!({"userId": "u", "event": "e"})),
        ("page", "p", json!({"anonymousId": "a"})),
        ("screen", "s", json!({"anonymousId": "a"})),
        ("group", "g", json!({"userId": "u", "groupId": "g"})),
        ("alias", "a", json!({"userId": "u", "previousId": "p"})),
    ] {
        let api = Api::new();
        for path in [format!("/v1/{call}"), format!("/v1/{letter}"), format!("/prod/v1/{call}/")] {
            assert_eq!(api.post(&path, &body).await, success(), "{path}");
        }
        let types: Vec<_> = api.messages().iter().map(|message| message["type"].clone()).collect();
        assert_eq!(types, [call; 3]);
    }
}

#[tokio::test]
async fn a_batch_has_three_names() {
    let api = Api::new();
    for path in ["/v1/batch", "/v1/import", "/v1/b", "/stage/v1/batch/"] {
        assert_eq!(api.post(path, &json!({"batch": [track("m")]})).await, success(), "{path}");
    }
    assert_eq!(api.messages().len(), 4);
}

#[tokio::test]
async fn the_type_is_that_of_the_path() {
    let api = Api::new();
    let body = json!({"type": "delete", "userId": "u", "event": "e"});
    assert_eq!(api.post("/v1/track", &body).await, success());
    assert_eq!(api.messages()[0]["type"], "track");
}

#[tokio::test]
async fn a_path_that_is_no_call_is_not_found() {
    for path in ["/", "/v1", "/v1/", "/v1/delete", "/v1/d", "/v1/track/1", "/v2/track"] {
        let (status, body) = Api::new().post(path, &track("m")).await;
        assert_eq!((status, body["error"].as_str()), (404, Some("not_found")), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_gets_the_right_one_in_the_answer() {
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
        let api = Api::new();
        let mut get = request("/v1/track", track("m").to_string());
        *get.method_mut() = method;
        let response = api.respond(get).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[header::ALLOW], "POST, OPTIONS");
        assert!(text(&response).contains(r#""error":"method_not_allowed""#));
        assert!(api.calls().is_empty());
    }
}

#[tokio::test]
async fn a_browser_may_send_from_every_page_with_any_headers() {
    for path in ["/v1/t", "/v1/pixel/track"] {
        let preflight = Request::options(path).header(header::ORIGIN, "https://shop.example").header(
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            "authorization,content-type,x-shop,x-retry-count",
        );
        let response = Api::new().respond(preflight.body(Bytes::new()).unwrap()).await;
        assert_eq!((response.status().as_u16(), response.body().len()), (204, 0));
        for (name, expected) in [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization,content-type,x-shop,x-retry-count"),
            (header::ACCESS_CONTROL_MAX_AGE, "86400"),
            (header::VARY, "Access-Control-Request-Headers"),
        ] {
            assert_eq!(response.headers()[name], expected);
        }
        assert_eq!(response.headers().get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
    }
}

#[tokio::test]
async fn pages_of_every_site_may_read_every_answer() {
    let unavailable = Api::with_secret(None);
    for (api, path, status) in [
        (Api::new(), "/v1/track", 200),
        (Api::new(), "/v1/page", 200),
        (Api::new(), "/v1/group", 400),
        (Api::new(), "/v1/batch", 400),
        (Api::new(), "/v1/nothing", 404),
        (unavailable, "/v1/track", 503),
    ] {
        let response = api.respond(request(path, track("m").to_string())).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(response.headers()[header::ACCESS_CONTROL_EXPOSE_HEADERS], "Retry-After");
    }
}
