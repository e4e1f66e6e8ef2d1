//! Who may see the page.

use reqwest::StatusCode;
use serde_json::Value;

use crate::process::{Server, login};

const TOKEN: &str = "0123456789abcdef";

async fn status(server: &Server, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = server.http.get(format!("{}{path}", server.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn another_site_is_refused_whatever_way_it_tries() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let host = server.base.trim_start_matches("http://");
    for path in ["/", "/debugger/api/live", "/debugger/api/setup", "/debugger/page/favicon.svg"] {
        for headers in [
            [("host", "evil.example")],
            [("host", "localhost.evil.example")],
            [("origin", "https://evil.example")],
            [("origin", "null")],
            [("origin", "http://127.0.0.1:1")],
            [("x-forwarded-for", "203.0.113.7")],
            [("forwarded", "for=203.0.113.7")],
        ] {
            assert_eq!(status(&server, path, &headers).await, StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
        assert_ne!(
            status(&server, path, &[("origin", &*server.base)]).await,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    for (content_type, origin, expected) in [
        ("text/plain", None, StatusCode::BAD_REQUEST),
        ("application/json", Some("https://evil.example"), StatusCode::FORBIDDEN),
        ("application/json", Some(&*server.base), StatusCode::OK),
    ] {
        let request = server.http.post(format!("{}/debugger/api/purge", server.base));
        let request = request.header("host", host).header("content-type", content_type).body("{}");
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        assert_eq!(request.send().await.unwrap().status(), expected, "{content_type} {origin:?}");
    }
}

#[tokio::test]
async fn whoever_has_the_token_gets_in_and_nobody_else() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--page", "everyone", "--page-token", TOKEN]);
    assert!(server.banner.contains(&format!("/?token={TOKEN}")), "{}", server.banner);
    let cookie = format!("other=1; segue_page={TOKEN}");
    let bearer = format!("Bearer {TOKEN}");
    for (path, header, expected) in [
        ("/", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/debugger/api/setup", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/debugger/page/favicon.svg", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/?token=0123456789abcdee", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/debugger/api/setup?token=0123456789abcdef", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/debugger/api/setup", ("cookie", "segue_page=no"), StatusCode::UNAUTHORIZED),
        ("/debugger/api/setup", ("cookie", &cookie), StatusCode::OK),
        ("/debugger/api/setup", ("authorization", &bearer), StatusCode::OK),
        ("/", ("cookie", &cookie), StatusCode::OK),
    ] {
        assert_eq!(status(&server, path, &[header]).await, expected, "{path} {header:?}");
    }
    let foreign = [("cookie", &*cookie), ("origin", "https://evil.example")];
    assert_eq!(status(&server, "/debugger/api/setup", &foreign).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&server, "/", &[("cookie", &cookie), ("host", "segue.example")]).await, StatusCode::OK);
    let answer = server.http.get(format!("{}/?token={TOKEN}", server.base)).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/".parse().unwrap())
    );
    let set = answer.headers()["set-cookie"].to_str().unwrap();
    assert_eq!(set, format!("segue_page={TOKEN}; Path=/; HttpOnly; SameSite=Strict"));
}

#[tokio::test]
async fn without_a_token_of_ones_own_each_start_makes_another() {
    let token = || {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path(), &["--page", "everyone"]);
        let token = server.banner.split_once("?token=").unwrap().1;
        token.split_whitespace().next().unwrap().to_owned()
    };
    let (one, other) = (token(), token());
    assert!(one.len() == 32 && one != other, "{one} {other}");
}

#[tokio::test]
async fn a_page_that_is_off_is_not_there_and_the_rest_is() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--page", "off"]);
    for path in ["/", "/debugger/api/setup", "/debugger/page/favicon.svg"] {
        assert_eq!(status(&server, path, &[]).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_answer_tells_the_browser_to_run_nothing_of_others() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for path in ["/", "/debugger/api/setup", "/debugger/page/nothing", "/debugger/page/favicon.svg"] {
        let answer = server.http.get(format!("{}{path}", server.base)).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["cross-origin-resource-policy"], "same-origin");
    }
    let behind_a_proxy = server.http.get(format!("{}/debugger/api/setup", server.base));
    let behind_a_proxy = behind_a_proxy.header("x-forwarded-proto", "https").send().await.unwrap();
    let behind_a_proxy: Value = behind_a_proxy.json().await.unwrap();
    assert!(behind_a_proxy["providers"][0]["url"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    let setup: Value = server
        .http
        .get(format!("{}/debugger/api/setup", server.base))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(setup["deployment"].as_str().unwrap().starts_with("local-"), "{setup}");
}
