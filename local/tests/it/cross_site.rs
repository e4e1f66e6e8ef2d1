//! Messages without proof: refused from pages of other sites and for other hosts.

use reqwest::StatusCode;
use serde_json::Value;
use testkit::FakeServer;

use crate::process::{Server, login};

async fn status(server: &Server, path: &str, body: &str, headers: &[(&str, &str)]) -> StatusCode {
    let request = server.http.post(format!("{}{path}", server.base)).body(body.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap().status()
}

/// The headers of a page of another site, and of a rebound DNS name.
const FOREIGN: [(&str, &str); 7] = [
    ("origin", "https://evil.example"),
    ("origin", "null"),
    ("origin", "http://127.0.0.1:1"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
    ("host", "evil.example"),
    ("host", "127.0.0.1.evil.example:3000"),
];

#[tokio::test]
async fn a_route_without_proof_refuses_other_sites_and_leaves_no_trace() {
    let segment = FakeServer::healthy().await;
    let url = segment.url();
    for options in [&[][..], &["--segment-endpoint", &url, "--write-key", "k"]] {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path(), options);
        let body = login("forged").to_string();
        for address in
            ["fusionauth", "auth0/login", "auth0/logs", "clerk", "okta", "x/identity/fusionauth", "nobody"]
        {
            for header in FOREIGN {
                let path = format!("/identity/{address}");
                let found = status(&server, &path, &body, &[("content-type", "text/plain"), header]).await;
                assert_eq!(found, StatusCode::FORBIDDEN, "{path} {header:?}");
            }
        }
        if options.is_empty() {
            let message = r#"{"userId":"u","event":"e","writeKey":"k"}"#;
            for header in FOREIGN {
                let found = status(&server, "/stand-in/v1/track", message, &[header]).await;
                assert_eq!(found, StatusCode::FORBIDDEN, "{header:?}");
            }
            assert!(server.messages(0).await.is_empty());
        }
        assert_eq!(server.queue("segment").await["depth"], 0);
        assert!(server.rows(|_| true).await.is_empty());
        assert_eq!(server.webhook(&login("genuine")).await.status(), StatusCode::OK);
        let own = [("origin", &*server.base), ("sec-fetch-site", "same-origin")];
        assert_eq!(status(&server, "/identity/fusionauth", &body, &own).await, StatusCode::OK);
    }
}

/// With proof the host does not matter: a webhook may come through any tunnel.
#[tokio::test]
async fn a_request_with_proof_may_come_for_any_host() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--identity-secret", r#"{"fusionauth":{"bearer":"s3cret"}}"#]);
    let body = login("1").to_string();
    for header in FOREIGN {
        for (bearer, expected) in
            [("Bearer s3cret", StatusCode::OK), ("Bearer other", StatusCode::UNAUTHORIZED)]
        {
            let headers = [header, ("authorization", bearer)];
            assert_eq!(
                status(&server, "/identity/fusionauth", &body, &headers).await,
                expected,
                "{header:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_host_from_public_host_is_accepted() {
    let data = tempfile::tempdir().unwrap();
    let options = ["--public-host", "tunnel.example", "--public-host", "other.example"];
    let server = Server::start(data.path(), &options);
    let body = login("1").to_string();
    for (host, expected) in [
        ("tunnel.example", StatusCode::OK),
        ("Other.example:443", StatusCode::OK),
        ("localhost", StatusCode::OK),
        ("evil.example", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(
            status(&server, "/identity/fusionauth", &body, &[("host", host)]).await,
            expected,
            "{host}"
        );
    }
    let foreign = [("host", "tunnel.example"), ("origin", "https://evil.example")];
    assert_eq!(status(&server, "/identity/fusionauth", &body, &foreign).await, StatusCode::FORBIDDEN);
    let refused =
        server.http.post(format!("{}/identity/fusionauth", server.base)).header("host", "evil.example");
    let refused: Value = refused.body(body).send().await.unwrap().json().await.unwrap();
    assert!(refused["message"].as_str().unwrap().contains("--public-host evil.example"), "{refused}");
    assert!(Server::start(tempfile::tempdir().unwrap().path(), &[]).banner.contains("--public-host"));
}

#[tokio::test]
async fn browser_libraries_of_any_site_reach_the_tracking_api_with_their_write_key() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for header in FOREIGN {
        let message = r#"{"userId":"u","event":"e","writeKey":"local"}"#;
        // Everybody knows the stand-in's write key, so it works only for this machine's own names.
        let expected = if header.0 == "host" { StatusCode::FORBIDDEN } else { StatusCode::OK };
        assert_eq!(status(&server, "/v1/track", message, &[header]).await, expected, "{header:?}");
        if header.0 == "host" {
            continue;
        }
        let other = r#"{"userId":"u","event":"e","writeKey":"other"}"#;
        assert_eq!(status(&server, "/v1/track", other, &[header]).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn an_own_write_key_works_for_each_host_and_the_stand_ins_for_no_tunnel() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--write-key", "mine"]);
    let message = r#"{"userId":"u","event":"e","writeKey":"mine"}"#;
    for header in FOREIGN {
        assert_eq!(status(&server, "/v1/track", message, &[header]).await, StatusCode::OK, "{header:?}");
    }
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--public-host", "https://tunnel.example/"]);
    let message = r#"{"userId":"u","event":"e","writeKey":"local"}"#;
    for header in [("host", "tunnel.example"), ("x-forwarded-for", "192.0.2.1")] {
        assert_eq!(
            status(&server, "/v1/track", message, &[header]).await,
            StatusCode::FORBIDDEN,
            "{header:?}"
        );
    }
}
