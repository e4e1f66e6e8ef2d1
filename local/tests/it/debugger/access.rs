//! Access to the page.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    process::{Server, login, segue, token as token_of},
    terminal::{in_terminal, start_screen},
};

const TOKEN: &str = "0123456789abcdef";

async fn status(server: &Server, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = server.http.get(format!("{}{path}", server.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn another_site_is_refused_in_each_way() {
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
            [("via", "1.1 proxy")],
            [("x-forwarded-host", "segue.example")],
            [("x-forwarded-proto", "https")],
            [("sec-fetch-site", "cross-site")],
        ] {
            if path == "/" && headers[0].0 == "sec-fetch-site" {
                continue;
            }
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
async fn only_the_token_opens_the_page() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--page", "everyone", "--page-token", TOKEN]);
    let name = cookie_name(&server);
    let cookie = format!("other=1; {name}={TOKEN}");
    let of_another_server = format!("segue_page_1={TOKEN}");
    let bearer = format!("Bearer {TOKEN}");
    for (path, header, expected) in [
        ("/", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/debugger/api/setup", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/debugger/page/favicon.svg", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/?token=0123456789abcdee", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/debugger/api/setup?token=0123456789abcdef", ("accept", "*/*"), StatusCode::UNAUTHORIZED),
        ("/debugger/api/setup", ("cookie", &format!("{name}=no")), StatusCode::UNAUTHORIZED),
        ("/debugger/api/setup", ("cookie", &of_another_server), StatusCode::UNAUTHORIZED),
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
    assert_eq!(set, format!("{name}={TOKEN}; Path=/; HttpOnly; SameSite=Strict"));
}

/// The cookie's name contains the port, since two servers of a machine share cookies.
fn cookie_name(server: &Server) -> String {
    format!("segue_page_{}", server.base.rsplit(':').next().unwrap())
}

#[tokio::test]
async fn the_page_needs_a_token_once_anything_is_configured() {
    let secret = ["--fusionauth-signing-secret", "s3cret"];
    let segment = ["--segment-endpoint", "http://127.0.0.1:9", "--write-key", "k"];
    let webhook = ["--webhook", "https://hooks.example/"];
    let deletion = ["--public-api-token", "sgp_sample", "--allow-unsigned"];
    let tunnel = ["--public-host", "tunnel.example"];
    let elsewhere = ["--listen", "0.0.0.0:0", "--allow-unsigned"];
    let identity = ["--identity-secret", r#"{"auth0":{"bearer":"s3cret"}}"#];
    let anybody = ["--allow-unsigned"];
    let configured: [&[&str]; 8] =
        [&anybody, &secret, &identity, &segment, &webhook, &deletion, &tunnel, &elsewhere];
    for options in configured.into_iter().chain([&[][..], &["--write-key", "k"]]) {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path(), options);
        let trial = options.is_empty() || options[0] == "--write-key";
        assert_eq!(server.token.is_none(), trial, "{options:?}");
        let expected = if trial { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        for path in ["/", "/debugger/api/setup", "/debugger/api/queues", "/debugger/page/main.js"] {
            assert_eq!(status(&server, path, &[]).await, expected, "{options:?} {path}");
        }
        assert_eq!(server.api(Method::GET, "setup").send().await.unwrap().status(), StatusCode::OK);
    }
}

/// The requests of an nginx with only `proxy_pass`: just the old HTTP version reveals the proxy.
#[tokio::test]
async fn the_page_is_closed_behind_a_hidden_proxy() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--fusionauth-signing-secret", "s3cret"]);
    let host = server.base.trim_start_matches("http://");
    for version in ["1.0", "1.1"] {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/debugger/api/setup"),
            ("GET", "/debugger/api/stand-in"),
            ("POST", "/debugger/api/purge"),
            ("POST", "/debugger/api/redrive"),
            ("POST", "/debugger/api/try"),
        ] {
            let body = "{}";
            let request = format!(
                "{method} {path} HTTP/{version}\r\nHost: {host}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let answer = raw(host, &request).await;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(["401", "403"].contains(&status), "{version} {method} {path}: {answer}");
        }
    }
}

/// Sends these bytes and returns the whole answer.
async fn raw(address: &str, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_token_is_made_once_so_an_open_page_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let options = ["--fusionauth-signing-secret", "s3cret"];
    let first = Server::start(data.path(), &options);
    let token = first.token.clone().unwrap();
    first.kill();
    let second = Server::start(data.path(), &options);
    let cookie = format!("{}={token}", cookie_name(&second));
    assert_eq!(status(&second, "/debugger/api/setup", &[("cookie", &cookie)]).await, StatusCode::OK);
    let other = tempfile::tempdir().unwrap();
    assert_ne!(Server::start(other.path(), &options).token, Some(token));
}

/// Logs, such as a container's, keep the output.
#[tokio::test]
async fn only_a_terminal_gets_the_token_and_never_a_configured_one() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--page", "everyone"]);
    let token = server.token.clone().unwrap();
    assert!(
        !server.banner.contains(&token) && server.banner.contains("segue.page-token"),
        "{}",
        server.banner
    );
    drop(server);
    let screen = start_screen(in_terminal(&[]), data.path(), &["--page", "everyone"]);
    assert!(screen.contains(&format!("/?token={token}")), "{screen}");
    for command in [in_terminal(&[("SEGUE_PAGE_TOKEN", TOKEN)]), {
        let mut command = segue();
        command.env("SEGUE_PAGE_TOKEN", TOKEN);
        command
    }] {
        let data = tempfile::tempdir().unwrap();
        let screen = start_screen(command, data.path(), &["--page", "everyone"]);
        assert!(!screen.contains(TOKEN) && screen.contains("SEGUE_PAGE_TOKEN"), "{screen}");
        assert_eq!(token_of(data.path()), None, "a token that somebody set is not kept");
    }
}

#[tokio::test]
async fn a_disabled_page_is_absent_and_the_rest_works() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--page", "off"]);
    for path in ["/", "/debugger/api/setup", "/debugger/page/favicon.svg"] {
        assert_eq!(status(&server, path, &[]).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_answer_forbids_foreign_scripts() {
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
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
    let setup = server.ask("setup").await;
    assert!(setup["deployment"].as_str().unwrap().starts_with("local-"), "{setup}");
}

#[tokio::test]
async fn a_page_behind_tls_shows_https_urls() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--page", "everyone"]);
    let setup = server.api(Method::GET, "setup").header("x-forwarded-proto", "https").send().await.unwrap();
    let setup: Value = setup.json().await.unwrap();
    assert!(setup["providers"][0]["url"].as_str().unwrap().starts_with("https://127.0.0.1:"));
}
