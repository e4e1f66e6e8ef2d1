//! Segment: its endpoint and clock, write keys, the Public API.

use serde_json::json;

use super::{expect, servers::Server};

#[test]
fn the_endpoint_gets_one_head_request_and_nothing_else() {
    let key = "abcdefghijklmnopqrstuvwxyz012345";
    let server = Server::answering("404 Not Found", "", "");
    let url = server.url("http", "");
    expect(&["--segment-endpoint", &url, "--write-key", key], "Segment", "ok", "127.0.0.1 answers", "");
    let requests = server.requests();
    assert!(requests.len() == 1 && requests[0].starts_with("HEAD / HTTP/1.1\r\n"), "{requests:?}");
    assert!(
        !requests[0].to_lowercase().contains("authorization") && !requests[0].contains(key),
        "{requests:?}"
    );
}

#[test]
fn an_endpoint_that_does_not_work_is_a_problem() {
    let (moved, down) =
        (Server::answering("301 Moved", "Location: /x\r\n", ""), Server::answering("503 Busy", "", ""));
    let (no_http, silent) = (Server::self_signed(), Server::silent());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (endpoint, status, found, fix) in [
        (moved.url("http", ""), "problem", "answers 301, a redirect", "the redirect's target"),
        (down.url("http", ""), "warning", "answers 503; messages wait", "status.segment.com"),
        (
            format!("http://{free}"),
            "problem",
            "refuses connections; messages wait until it answers",
            "start the server",
        ),
        (silent.url("http", ""), "problem", "accepts connections, but does not answer", "is right"),
        (no_http.url("http", ""), "problem", "closes them; it may not speak HTTP", "is right"),
        (
            no_http.url("https", ""),
            "problem",
            "is not signed by a trusted authority",
            "of a public authority",
        ),
        (moved.url("https", ""), "problem", "does not speak TLS", "http:// or https://"),
        ("https://nowhere.invalid".to_owned(), "problem", "no address found for nowhere.invalid", "spelling"),
        (
            "https://eu1.api.segmentapis.com".to_owned(),
            "problem",
            "Public API",
            "https://events.eu1.segmentapis.com",
        ),
        ("http://api.segment.io".to_owned(), "problem", "is not encrypted", "https://"),
        (
            "https://api.segment.io/v1/batch".to_owned(),
            "problem",
            "has the path /v1/batch",
            "https://api.segment.io;",
        ),
    ] {
        let arguments = ["--segment-endpoint", &endpoint, "--write-key", "abcdefghijklmnopqrstuvwxyz012345"];
        expect(&arguments, "Segment", status, found, fix);
    }
}

#[test]
fn a_wrong_clock_is_noticed_by_the_endpoints_clock() {
    for (seconds, status, found) in [
        (0, "ok", "within 30 s"),
        (-120, "warning", "s ahead; times in Segment are wrong by as much"),
        (3_600, "problem", "s behind; webhooks that are signed with a time are rejected"),
    ] {
        #[allow(
            clippy::disallowed_methods,
            reason = "the program under test goes by the machine's clock, too"
        )]
        let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
        let server = Server::answering("404 Not Found", &format!("Date: {date}\r\n"), "");
        let url = server.url("http", "");
        let key = "abcdefghijklmnopqrstuvwxyz012345";
        expect(&["--segment-endpoint", &url, "--write-key", key], "clock", status, found, "");
    }
}

#[test]
fn text_that_is_no_write_key_is_reported() {
    let server = Server::answering("404 Not Found", "", "");
    let url = server.url("http", "");
    let good = "abcdefghijklmnopqrstuvwxyz012345";
    let tenants = ["--tenant-write-keys", r#"{"t1":"shop"}"#];
    let two = json!({"default": good, "shop": "rh5BDZp6QDHvXFCkibm1pR"}).to_string();
    let no_default = json!({"shop": good}).to_string();
    for (arguments, status, found, fix) in [
        (
            &["--write-key", good][..],
            "ok",
            "looks like a write key. Segment answers 200 to any key; only",
            "",
        ),
        (&[], "problem", "there is none", "set SEGMENT_WRITE_KEY; copy it from Segment"),
        (&["--write-key", "\"abcdefghijklmnopqrstuvwxyz012345\""], "problem", "it is in quotes", "copy it"),
        (
            &["--write-key", "sgp_abcdefghijklmnopqrstuvwxyz01"],
            "problem",
            "a token of the Public API",
            "copy it",
        ),
        (&["--write-key", "my-source"], "warning", "may be the source's slug", "copy it"),
        (&["--write-key", "[]"], "problem", "it is not a JSON object", "copy it"),
        (
            &["--write-key", &two, tenants[0], tenants[1]],
            "warning",
            "the one named \"shop\" has 22 characters",
            "copy it",
        ),
        (
            &["--write-key", good, tenants[0], tenants[1]],
            "problem",
            "no write key with this name",
            "TENANT_WRITE_KEYS",
        ),
        (
            &["--write-key", &no_default],
            "problem",
            "no write key is named \"default\"",
            "add one with this name",
        ),
    ] {
        expect(&[&["--segment-endpoint", &url], arguments].concat(), "write key", status, found, fix);
    }
}

#[test]
fn deletions_that_would_fail_are_found() {
    let api = Server::silent();
    let url = api.url("http", "");
    let endpoint = ["--allow-unsigned", "--public-api-endpoint", &url];
    let token = "sgp_0123456789abcdefghijklmnopqrstuv";
    for (arguments, status, found, fix) in [
        (
            &["--public-api-token", token][..],
            "ok",
            "can be reached. Only a deletion would show whether it accepts",
            "",
        ),
        (
            &["--public-api-token", "abcdefghijklmnopqrstuvwxyz012345"],
            "problem",
            "the token looks like a write key",
            "create a token",
        ),
        (&["--public-api-token", "token"], "warning", "does not begin with sgp_", "create a token"),
        (&["--public-api-token", "{}"], "problem", "it holds no Public API token", "docs/deletion.md"),
    ] {
        expect(&[&endpoint, arguments].concat(), "Public API", status, found, fix);
    }
    assert!(api.requests().is_empty(), "nothing is asked of it");
    expect(
        &["--public-api-token", token, "--public-api-endpoint", &url],
        "Public API",
        "problem",
        "anybody could delete users",
        "",
    );
    let regions = [
        "--allow-unsigned",
        "--public-api-token",
        token,
        "--segment-endpoint",
        "https://events.eu1.segmentapis.com",
        "--write-key",
        "abcdefghijklmnopqrstuvwxyz012345",
    ];
    let other = "messages go to Europe, but deletions to the United States";
    expect(&regions, "Public API", "problem", other, "https://eu1.api.segmentapis.com");
}
