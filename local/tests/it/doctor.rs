//! `segue doctor`: each thing that users get wrong is found, with what to do, and nothing else is said to be wrong.

mod servers;

use std::{
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::servers::Server;
use crate::process::{self, segue};

/// Runs it with free choice of what is checked; a free port and a fresh folder otherwise.
fn doctor(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let data = tempfile::tempdir().unwrap();
    let mut command = segue();
    command.arg("doctor").args(arguments).envs(variables.iter().copied());
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    if !arguments.contains(&"--data-dir") {
        command.arg("--data-dir").arg(data.path().join("segue"));
    }
    let output = command.output().unwrap();
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "it leaves no trace");
    output
}

/// What it finds, and its exit code.
fn findings(arguments: &[&str], variables: &[(&str, &str)]) -> (Vec<Value>, i32) {
    let output = doctor(&[arguments, &["--format", "json"]].concat(), variables);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, output.status.code().unwrap())
}

/// There is one finding of that check with that status which says so; the exit code goes with it.
fn expect(arguments: &[&str], check: &str, status: &str, found: &str, fix: &str) {
    let (findings, code) = findings(arguments, &[]);
    let fits = |finding: &&Value| {
        finding["check"] == check
            && finding["status"] == status
            && finding["found"].as_str().unwrap().contains(found)
            && finding["fix"].as_str().unwrap_or_default().contains(fix)
    };
    assert_eq!(findings.iter().filter(fits).count(), 1, "{arguments:?}: {status}: {found}: {findings:#?}");
    let problems = findings.iter().filter(|finding| finding["status"] == "problem").count();
    assert_eq!(code, i32::from(problems > 0), "{findings:#?}");
    if status == "problem" {
        let others =
            findings.iter().filter(|finding| finding["status"] == "problem" && finding["check"] != check);
        let offline = |finding: &&Value| finding["found"].as_str().unwrap().contains("no address for");
        assert_eq!(others.filter(|finding| !offline(finding)).count(), 0, "{arguments:?}: {findings:#?}");
    }
}

#[test]
fn a_new_user_has_nothing_wrong() {
    let (findings, code) = findings(&[], &[]);
    let expected = [
        ("data directory", "ok"),
        ("address", "ok"),
        ("page", "ok"),
        ("Segment", "ok"),
        ("write key", "ok"),
        ("webhook", "ok"),
        ("clock", "skipped"),
        ("authentication", "warning"),
        ("mapping", "ok"),
        ("Public API", "ok"),
        ("environment", "ok"),
    ];
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding["check"].as_str().unwrap(), finding["status"].as_str().unwrap()))
        .collect();
    assert_eq!((&found[..], code), (&expected[..], 0));
    assert!(findings.iter().all(|finding| (finding["status"] == "warning") == finding["fix"].is_string()));
}

#[test]
fn people_get_a_line_for_each_and_what_to_do_below() {
    let output = doctor(&["--write-key", "'x'"], &[]);
    let (text, error) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(text.starts_with("ok       data directory  "), "{text}");
    assert!(text.contains("\nproblem  write key       it has quotes in it"), "{text}");
    assert!(text.contains("\n                         → copy it from Segment: Connections"), "{text}");
    assert_eq!(error, "segue: there is one thing to mend; how stands beside each\n");
    assert_eq!(output.status.code(), Some(1));
    let output = doctor(&["--identity-secret", r#"{"auth0":{"bearer":"0kZ8vTq3RrWm5yXc7Lp2"}}"#], &[]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "segue: nothing is wrong\n");
}

#[test]
fn a_running_server_is_recognised() {
    let data = tempfile::tempdir().unwrap();
    let server = process::Server::start(data.path(), &[]);
    let listen = server.base.trim_start_matches("http://");
    let directory = data.path().to_str().unwrap();
    let arguments = ["--data-dir", directory, "--listen", listen];
    expect(&arguments, "data directory", "ok", "is in use by the segue serve at 127.0.0.1:", "");
    expect(&arguments, "address", "ok", "segue serve listens at 127.0.0.1:", "");
    let elsewhere = ["--data-dir", directory];
    expect(
        &elsewhere,
        "data directory",
        "warning",
        "is in use, and no segue serve answers",
        "--listen where it is",
    );
}

#[test]
fn a_store_that_cannot_be_used_is_a_problem() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().to_str().unwrap();
    let arguments = ["--data-dir", directory];
    process::Server::start(data.path(), &[]).terminate();
    expect(&arguments, "data directory", "ok", "can be written; 0 messages wait in it", "");
    std::fs::write(data.path().join("segue.db"), "no database").unwrap();
    expect(
        &arguments,
        "data directory",
        "problem",
        "segue.db cannot be read: file is not a database",
        "keep a copy",
    );
    let file = Path::new(directory).join("segue.db/below");
    expect(
        &["--data-dir", file.to_str().unwrap()],
        "data directory",
        "problem",
        "is not a folder",
        "--data-dir",
    );
    if cfg!(target_os = "linux") {
        expect(
            &["--data-dir", "/proc/segue"],
            "data directory",
            "problem",
            "/proc cannot be written",
            "permissions",
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_pointed_out() {
    let data = tempfile::tempdir().unwrap();
    let gone = Server::answering("410 Gone", "", "");
    let server = process::Server::start(
        data.path(),
        &["--webhook", &gone.url("http", "/"), "--allow-private-webhooks"],
    );
    assert_eq!(server.webhook(&process::login("1")).await.status(), 200);
    while server.queue("webhooks").await["deadLetters"].as_array().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.terminate();
    let arguments = ["--data-dir", data.path().to_str().unwrap()];
    expect(
        &arguments,
        "data directory",
        "warning",
        "and 1 dead letters lie there",
        "segue redrive --dry-run",
    );
}

#[test]
fn an_address_where_nothing_can_listen_is_a_problem() {
    let other = Server::answering("200 OK", "", "{}");
    let silent = Server::silent();
    for (listen, found) in [
        (other.address(), "another program listens at 127.0.0.1:"),
        (silent.address(), "another program listens at 127.0.0.1:"),
        ("203.0.113.1:3000".to_owned(), "203.0.113.1 is no address of this machine"),
    ] {
        expect(
            &[
                "--listen",
                &listen,
                "--allow-unsigned",
                "--segment-endpoint",
                &other.url("http", ""),
                "--write-key",
                "abcdefghijklmnopqrstuvwxyz012345",
            ],
            "address",
            "problem",
            found,
            "",
        );
    }
    expect(
        &["--listen", "0.0.0.0:0"],
        "authentication",
        "problem",
        "other machines can reach",
        "IDENTITY_SECRET",
    );
    let stand_in = ["--listen", "127.0.0.1:0", "--allow-unsigned"];
    expect(
        &stand_in,
        "authentication",
        "warning",
        "from anybody who reaches the address",
        "leave --allow-unsigned out",
    );
}

#[test]
fn the_endpoint_is_asked_for_nothing_but_a_sign_of_life() {
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
        (moved.url("http", ""), "problem", "answers 301, a redirect", "where it leads"),
        (down.url("http", ""), "warning", "answers 503; messages wait", "status.segment.com"),
        (
            format!("http://{free}"),
            "problem",
            "refuses connections; messages wait",
            "start what should listen",
        ),
        (silent.url("http", ""), "problem", "takes connections, but answers nothing", "is right"),
        (no_http.url("http", ""), "problem", "breaks them off: it may not speak HTTP", "is right"),
        (no_http.url("https", ""), "problem", "is signed by nobody who is trusted", "of a public authority"),
        (moved.url("https", ""), "problem", "does not speak TLS", "http:// or https://"),
        (
            "https://nowhere.invalid".to_owned(),
            "problem",
            "there is no address for nowhere.invalid",
            "spelling",
        ),
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
fn a_clock_that_is_wrong_is_seen_by_the_endpoints() {
    for (seconds, status, found) in [
        (0, "ok", "within 30 s"),
        (-120, "warning", "s ahead; times in Segment are wrong by that"),
        (3_600, "problem", "s behind; webhooks that are signed with a time are refused"),
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
fn what_is_no_write_key_is_told_from_one() {
    let server = Server::answering("404 Not Found", "", "");
    let url = server.url("http", "");
    let good = "abcdefghijklmnopqrstuvwxyz012345";
    let tenants = ["--tenant-write-keys", r#"{"t1":"shop"}"#];
    let two = json!({"default": good, "shop": "rh5BDZp6QDHvXFCkibm1pR"}).to_string();
    let no_default = json!({"shop": good}).to_string();
    for (arguments, status, found, fix) in [
        (&["--write-key", good][..], "ok", "has a write key's form. Whether Segment knows it, only", ""),
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
            "no write key of that name",
            "TENANT_WRITE_KEYS",
        ),
        (&["--write-key", &no_default], "problem", "none is named \"default\"", "add one of that name"),
    ] {
        expect(&[&["--segment-endpoint", &url], arguments].concat(), "write key", status, found, fix);
    }
}

#[test]
fn webhooks_are_connected_to_and_sent_nothing() {
    let (plain, tls) = (Server::silent(), Server::self_signed());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (plain_url, tls_url) = (plain.url("http", "/hook"), tls.url("https", "/hook"));
    let free_url = format!("http://{free}/hook");
    let private = ["--allow-private-webhooks", "--shared-secret", "0kZ8vTq3RrWm5yXc7Lp2"];
    for (arguments, status, found, fix) in [
        (
            &["--webhook", &plain_url, private[0], private[1], private[2]][..],
            "ok",
            "takes connections; it was sent nothing",
            "",
        ),
        (&["--webhook", &plain_url, private[0]], "warning", "are not signed", "SEGUE_SHARED_SECRET"),
        (
            &["--webhook", &plain_url, private[0], private[1], "changeme"],
            "warning",
            "sharedSecret is a placeholder",
            "openssl",
        ),
        (&["--webhook", &plain_url], "problem", "127.0.0.1 is this machine", "--allow-private-webhooks"),
        (
            &["--webhook", &free_url, private[0]],
            "problem",
            "refuses connections",
            "start what should listen there",
        ),
        (
            &["--webhook", &tls_url, private[0]],
            "problem",
            "is signed by nobody who is trusted",
            "public authority",
        ),
        (
            &["--webhook", "https://nowhere.invalid/x"],
            "problem",
            "there is no address for nowhere.invalid",
            "spelling",
        ),
        (
            &["--webhook", "http://169.254.169.254/"],
            "problem",
            "holds a cloud machine's credentials",
            "another address",
        ),
        (&["--webhook", "example"], "problem", "must be a full http:// or https:// URL", "SEGUE_WEBHOOK"),
    ] {
        expect(arguments, "webhook", status, found, fix);
    }
    assert_eq!((plain.requests(), tls.requests()), (vec![], vec![]));
}

#[test]
fn servers_that_say_nothing_are_waited_for_side_by_side() {
    let servers = [Server::silent(), Server::silent(), Server::silent()];
    let urls: Vec<String> = servers.iter().map(|server| server.url("https", "/")).collect();
    let mut arguments: Vec<&str> = urls.iter().flat_map(|url| ["--webhook", url]).collect();
    arguments.push("--allow-private-webhooks");
    let start = Instant::now();
    let (findings, code) = findings(&arguments, &[]);
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}: 5 s for all of them", start.elapsed());
    let slow = "did not answer within 5 s: it takes connections and begins no TLS";
    let slow = |finding: &&Value| finding["found"].as_str().unwrap().contains(slow);
    assert_eq!((findings.iter().filter(slow).count(), code), (3, 1), "{findings:#?}");
}

#[test]
fn authentication_that_lets_anybody_in_or_nobody_is_found() {
    let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","alg":"EdDSA"}]}"#;
    let (good, none, missing) = (
        Server::answering("200 OK", "", keys),
        Server::answering("200 OK", "", r#"{"keys":[]}"#),
        Server::answering("404 Not Found", "", ""),
    );
    let key_set = |server: &Server| {
        json!({"fusionauth": {"jwksUrl": server.url("http", "/jwks.json?k=hunter2")}}).to_string()
    };
    let (good, none, missing) = (key_set(&good), key_set(&none), key_set(&missing));
    for (secret, status, found, fix) in [
        (&*good, "ok", "fusionauth by jwksUrl; other providers are refused", ""),
        (&good, "ok", "fusionauth's keys at 127.0.0.1: there is one", ""),
        (&none, "problem", "are none that can be used", "Ed25519"),
        (&missing, "problem", "the answer has status 404, not 200", "check fusionauth.jwksUrl"),
        (
            r#"{"fusionauth":{"signingSecrets":["short"]}}"#,
            "warning",
            "fewer than 16 characters",
            "openssl rand",
        ),
        (
            r#"{"auth0":{"bearer":"<token>-of-the-documentation"}}"#,
            "warning",
            "auth0.bearer is a placeholder",
            "openssl rand",
        ),
        (r#"{"fusionAuth":{}}"#, "problem", "an unknown member; known are: fusionauth", "IDENTITY_SECRET"),
        ("hunter2", "problem", "not usable", "IDENTITY_SECRET"),
    ] {
        expect(&["--identity-secret", secret], "authentication", status, found, fix);
    }
}

#[test]
fn a_mapping_that_is_wrong_is_found_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (fault, hash) = (folder.path().join("fault.toml"), folder.path().join("hash.toml"));
    std::fs::write(&fault, "# mine\nnamming = 'segment'\n").unwrap();
    std::fs::write(&hash, "fields.'traits.email' = 'hash'").unwrap();
    let (fault, hash) = (fault.to_str().unwrap(), hash.to_str().unwrap());
    let with_key = ["--mappings", hash, "--identity-secret", r#"{"hashKey":"0kZ8vTq3RrWm5yXc7Lp2"}"#];
    for (arguments, status, found, fix) in [
        (
            &["--mappings", fault][..],
            "problem",
            "fault.toml:2:1: there is no key \"namming\"",
            "segue mappings",
        ),
        (&["--mappings", "/nowhere.toml"], "problem", "/nowhere.toml cannot be read", "correct it"),
        (
            &["--mappings", hash],
            "problem",
            "hashes a field, and there is no key",
            "put hashKey into IDENTITY_SECRET",
        ),
        (&with_key, "ok", "hash.toml, laid over the built-in one", ""),
    ] {
        expect(arguments, "mapping", status, found, fix);
    }
}

#[test]
fn deletions_that_would_fail_are_found() {
    let api = Server::silent();
    let url = api.url("http", "");
    let endpoint = ["--allow-unsigned", "--public-api-endpoint", &url];
    let token = "sgp_0123456789abcdefghijklmnopqrstuv";
    for (arguments, status, found, fix) in [
        (&["--public-api-token", token][..], "ok", "can be reached; whether it knows the token", ""),
        (
            &["--public-api-token", "abcdefghijklmnopqrstuvwxyz012345"],
            "problem",
            "the form of a write key",
            "make a token",
        ),
        (&["--public-api-token", "token"], "warning", "does not begin with sgp_", "make a token"),
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
    let other = "messages go to Europe, and deletions to the United States";
    expect(&regions, "Public API", "problem", other, "https://eu1.api.segmentapis.com");
}

#[test]
fn a_page_that_is_open_to_others_is_pointed_out() {
    let everyone = ["--page", "everyone", "--allow-unsigned"];
    let open = [&everyone[..], &["--listen", "0.0.0.0:0"]].concat();
    expect(&["--page", "off"], "page", "ok", "off", "");
    expect(&everyone, "page", "ok", "whoever is on this machine and has the token", "");
    expect(&open, "page", "warning", "over the network unencrypted", "a proxy that speaks TLS");
    let short = [&everyone[..], &["--page-token", "hunter2"]].concat();
    expect(&short, "page", "problem", "SEGUE_PAGE_TOKEN is not usable", "leave it out");
}

#[test]
fn variables_that_nothing_reads_are_found() {
    for (name, found, fix) in [
        ("SEGMENT_WRITEKEY", "SEGMENT_WRITEKEY is set, and nothing reads it", "set SEGMENT_WRITE_KEY"),
        ("MAPPINGS", "which only the functions on AWS read", "set SEGUE_MAPPINGS"),
        ("HTTPS_PROXY", "connections are made directly", "directly"),
    ] {
        let (findings, code) = findings(&[], &[(name, "hunter2")]);
        let finding = findings.iter().find(|finding| finding["check"] == "environment").unwrap();
        assert_eq!((&finding["status"], code), (&json!("warning"), 0));
        assert!(
            finding["found"].as_str().unwrap().contains(found)
                && finding["fix"].as_str().unwrap().contains(fix),
            "{finding}"
        );
        assert!(!finding.to_string().contains("hunter2"));
    }
}

#[test]
fn no_secret_is_ever_printed() {
    let secret = "hunter2-hunter2 hunter2";
    let identity = json!({"fusionauth": {"signingSecrets": [secret]}, "auth0": {"bearer": secret}, "hashKey": secret,
        "okta": {"header": {"name": "x", "value": secret}}, "clerk": {"basic": {"username": "u", "password": secret}}});
    let webhooks = json!({"sharedSecret": secret, "webhooks": [{"url": "http://127.0.0.1:9/?token=hunter2",
        "headers": {"X-Key": secret}}]});
    for format in ["text", "json"] {
        let (identity, webhooks) = (identity.to_string(), webhooks.to_string());
        for arguments in [
            &["--write-key", secret, "--identity-secret", &identity, "--webhooks-secret", &webhooks][..],
            &["--write-key", "{\"default\":\"hunter2", "--identity-secret", "{\"auth0\":\"hunter2\"}"],
            &[
                "--webhooks-secret",
                "{\"sharedSecret\":{\"hunter2\":1}}",
                "--public-api-token",
                secret,
                "--allow-unsigned",
            ],
        ] {
            let output = doctor(
                &[arguments, &["--format", format, "--segment-endpoint", "http://127.0.0.1:9"]].concat(),
                &[],
            );
            let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(!text.contains("hunter2"), "{arguments:?}: {text}");
        }
    }
}
