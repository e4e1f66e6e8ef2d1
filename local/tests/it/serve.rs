//! The first steps of a new user, and their errors.

use std::process::{Command, Stdio};

use reqwest::StatusCode;
use serde_json::Value;

use crate::process::{Server, login, sample, segue};

#[tokio::test]
async fn the_printed_curl_command_shows_a_login_on_the_page() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let command = server.banner.split_once("  curl").unwrap().1.split("\n\n").next().unwrap();
    let output =
        Command::new("sh").args(["-c", &format!("curl{command}")]).stderr(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), r#"{"accepted":1}"#);
    let message = &server.messages(1).await[0]["message"];
    assert_eq!(message["type"], "track");
    assert_eq!(message["event"], "user.login.success");
    let rows = server.rows(|rows| rows.iter().any(|row| row["state"] == "delivered")).await;
    assert_eq!(
        (rows.len(), &rows[0]["source"], &rows[0]["kind"]),
        (1, &"fusionauth".into(), &"user.login.success".into())
    );
}

#[tokio::test]
async fn every_sample_body_is_accepted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut accepted = 0;
    for entry in std::fs::read_dir(sample("identity-webhook")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(event) = std::fs::read(&path) else { continue };
        let event: Value = serde_json::from_slice(&event).unwrap();
        let Some(body) = event["body"].as_str().filter(|_| event["isBase64Encoded"] == false) else {
            continue;
        };
        let answer = server.post(event["rawPath"].as_str().unwrap(), body.to_owned()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", path.display());
        accepted += answer.json::<Value>().await.unwrap()["accepted"].as_u64().unwrap_or_default();
    }
    assert!(accepted >= 5, "{accepted}");
}

#[tokio::test]
async fn bad_input_is_refused_with_a_reason_and_leaves_no_trace() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--log-level", "debug"]);
    let large = vec![b' '; 7_000_000];
    let deep = format!("{{\"event\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (path, body, status, code) in [
        ("/identity/fusionauth", &b"hunter2"[..], 400, "malformed"),
        ("/identity/fusionauth", b"", 400, "malformed"),
        ("/identity/fusionauth", b"{\"a\":\"\xff\"}", 400, "malformed"),
        ("/identity/fusionauth", deep.as_bytes(), 400, "malformed"),
        ("/identity/fusionauth", &large, 413, "too_large"),
        ("/identity/nobody", b"{}", 404, "not_found"),
        ("/elsewhere", b"{}", 404, "not_found"),
    ] {
        let answer = server.post(path, body.to_vec()).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["error"], code);
        assert!(answer["message"].as_str().unwrap().ends_with('.'), "a sentence: {answer}");
    }
    assert_eq!(
        server.http.get(format!("{}/identity/fusionauth", server.base)).send().await.unwrap().status(),
        405
    );
    let person = r#"{"event":{"type":"user.login.success","user":{"id":7,"email":"ada@example.com"}}}"#;
    server.post("/identity/fusionauth", person).await;
    assert_eq!(server.queue("segment").await["depth"], 0);
    assert!(server.messages(0).await.is_empty());
    let log = server.log();
    assert!(log.contains("rejected") && !log.contains('\u{1b}'), "plain text where it is no terminal: {log}");
    assert!(!log.contains("hunter2") && !log.contains("ada@example.com"), "{log}");
}

#[tokio::test]
async fn with_a_signing_secret_only_signed_webhooks_are_accepted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(
        data.path(),
        &["--fusionauth-signing-secret", "segue-sample-signing-secret-do-not-use"],
    );
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::UNAUTHORIZED);
    let other = server.post("/identity/auth0/login", r#"{"user":{"user_id":"u"}}"#).await;
    assert_eq!(other.status(), StatusCode::UNAUTHORIZED, "nor any of a provider that has no proof");
    let event = std::fs::read(sample("identity-webhook/fusionauth.user.login.success.json")).unwrap();
    let event: Value = serde_json::from_slice(&event).unwrap();
    let signature = event["headers"]["x-fusionauth-signature-jwt"].as_str().unwrap();
    let request = server
        .http
        .post(format!("{}/identity/fusionauth", server.base))
        .header("content-type", "application/json")
        .header("x-fusionauth-signature-jwt", signature)
        .body(event["body"].as_str().unwrap().to_owned());
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.messages(1).await.len(), 1);
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_401_however_often_it_comes() {
    let data = tempfile::tempdir().unwrap();
    let secret = r#"{"okta":{"bearer":"right"},"auth0/events":{"bearer":"right"}}"#;
    let server = Server::start(data.path(), &["--identity-secret", secret]);
    for route in ["okta", "auth0/events"] {
        for key in [None, Some("Bearer wrong"), None, Some("Bearer wrong")] {
            let request = server.http.post(format!("{}/identity/{route}", server.base)).body("{}");
            let request = key.into_iter().fold(request, |request, key| request.header("authorization", key));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{route} {key:?}");
            assert_eq!(answer.json::<Value>().await.unwrap()["error"], "not_authentic");
        }
    }
}

#[tokio::test]
async fn the_page_refuses_a_foreign_host() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for path in ["/", "/debugger/api/live", "/debugger/api/queues", "/stand-in/v1/track"] {
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::1].evil", ""]
        {
            let answer =
                server.http.get(format!("{}{path}", server.base)).header("host", host).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {host}");
        }
    }
    let health = server.http.get(format!("{}/health", server.base)).header("host", "segue.example");
    assert_eq!(health.send().await.unwrap().status(), StatusCode::OK);
}

#[test]
fn serve_does_not_start_with_unsafe_or_invalid_options() {
    let data = tempfile::tempdir().unwrap();
    let running = Server::start(data.path(), &[]);
    let in_use = data.path().to_str().unwrap();
    let mapping = tempfile::tempdir().unwrap();
    let (fault, hash) = (mapping.path().join("fault.toml"), mapping.path().join("hash.toml"));
    std::fs::write(&fault, "# mine\nnamming = 'segment'\n").unwrap();
    std::fs::write(&hash, "fields.'traits.email' = 'hash'").unwrap();
    for (options, expected) in [
        (vec!["--listen", "0.0.0.0:0"], "could send any webhook, since none needs a signature or a token"),
        (vec!["--segment-endpoint", "https://api.segment.io"], "set SEGMENT_WRITE_KEY"),
        (vec!["--segment-endpoint", "api.segment.io"], "must be an http or https URL"),
        (vec!["--write-key", "{\"a\":1}"], "SEGMENT_WRITE_KEY is not usable"),
        (
            vec!["--identity-secret", "{\"fusionauth\":{\"signingSecrets\":[\"\"]}}"],
            "fusionauth.signingSecrets",
        ),
        (vec!["--tenant-write-keys", "[]"], "TENANT_WRITE_KEYS must be a JSON object"),
        (vec!["--mappings", "/nowhere.toml"], "/nowhere.toml cannot be read"),
        (
            vec!["--mappings", fault.to_str().unwrap()],
            "fault.toml:2:1: there is no key \"namming\" here; did you mean \"naming\"?",
        ),
        (vec!["--mappings", hash.to_str().unwrap()], "add hashKey to IDENTITY_SECRET"),
        (vec!["--listen", "127.0.0.1:0", "--data-dir", in_use], "another segue is using this data directory"),
        (vec!["--listen", running.base.trim_start_matches("http://")], "choose another with --listen"),
    ] {
        let free = tempfile::tempdir().unwrap();
        let mut command = segue();
        command.arg("serve").args(&options);
        if !options.contains(&"--data-dir") {
            command.arg("--data-dir").arg(free.path());
        }
        let output = command.output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{options:?}");
        assert!(error.contains(expected), "{options:?}: {error}");
    }
}

#[tokio::test]
async fn serve_starts_at_an_open_address_with_allow_unsigned() {
    let data = tempfile::tempdir().unwrap();
    let mut child = segue()
        .args(["serve", "--listen", "0.0.0.0:0", "--allow-unsigned", "--data-dir"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    assert!(line.contains("is up"));
    child.kill().unwrap();
    child.wait().unwrap();
}
