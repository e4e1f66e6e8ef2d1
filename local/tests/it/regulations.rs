//! Deletions at the identity provider that go to Segment's Public API.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer, Request};

use crate::process::{Server, segue};

const TOKEN: &str = "sample-public-api-token-not-secret";

fn start(data: &tempfile::TempDir, public_api: &FakeServer, further: &[&str]) -> Server {
    let url = public_api.url();
    let options = ["--public-api-token", TOKEN, "--public-api-endpoint", &url, "--allow-unsigned"];
    Server::start(data.path(), &[&options, further].concat())
}

async fn deleted(server: &Server, user: &str) {
    let event = json!({"event": {"id": user, "type": "user.delete.complete", "user": {"id": user}}});
    assert_eq!(server.webhook(&event).await.status(), StatusCode::OK);
}

async fn requests(public_api: &FakeServer, count: usize) -> Vec<Request> {
    for _ in 0..1_500 {
        let requests = public_api.requests();
        if requests.len() >= count {
            return requests;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} requests did not come in 30 s");
}

async fn dead_letter(server: &Server) -> Value {
    for _ in 0..1_500 {
        let queue = server.queue("regulations").await;
        if let [dead] = &queue["deadLetters"].as_array().unwrap()[..] {
            return dead.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("there is no dead letter after 30 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_deleted_at_fusionauth_is_deleted_at_segment() {
    let data = tempfile::tempdir().unwrap();
    let public_api = FakeServer::healthy().await;
    let server = start(&data, &public_api, &[]);
    assert!(server.banner.contains("DELETE_ONLY at http://127.0.0.1:"), "{}", server.banner);
    assert_eq!(server.webhook(&crate::process::login("1")).await.status(), StatusCode::OK);
    deleted(&server, "user-1").await;
    let request = &requests(&public_api, 1).await[0];
    assert_eq!(request.line, "POST /regulations");
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
    let expected =
        json!({"regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": ["user-1"]});
    assert_eq!(request.json(), expected);
    let at_segment = server.messages(1).await;
    assert_eq!(at_segment[0]["message"]["type"], "track", "the login alone goes to Segment's HTTP API");
    let log = server.log();
    assert!(!log.contains(TOKEN) && !log.contains("user-1"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_deletion_shows_the_reason_and_a_redrive_delivers_it() {
    let data = tempfile::tempdir().unwrap();
    let public_api = FakeServer::start(|_| Answer::status(404)).await;
    let server = start(&data, &public_api, &["--regulation-type", "SUPPRESS_WITH_DELETE"]);
    deleted(&server, "user-1").await;
    let dead = dead_letter(&server).await;
    assert_eq!(
        (&dead["attributes"]["failure"], &dead["attributes"]["status"]),
        (&json!("client_error"), &json!("404"))
    );
    public_api.set(|_| Answer::ok());
    let listen = server.base.trim_start_matches("http://");
    let mut redrive = segue();
    redrive.args(["redrive", "--listen", listen, "--type", "delete", "--data-dir"]).arg(data.path());
    let redriven = redrive.output().unwrap();
    let redriven: Value = serde_json::from_slice(&redriven.stdout).unwrap();
    assert_eq!(
        (&redriven["redriven"], &redriven["messages"][0]["queue"]),
        (&json!(1), &json!("regulations"))
    );
    assert_eq!(requests(&public_api, 2).await[1].json()["regulationType"], "SUPPRESS_WITH_DELETE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_survives_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let public_api = FakeServer::start(|_| Answer::ResetBefore).await;
    let server = start(&data, &public_api, &[]);
    deleted(&server, "user-1").await;
    requests(&public_api, 1).await;
    server.kill();
    public_api.set(|_| Answer::ok());
    let server = start(&data, &public_api, &[]);
    for _ in 0..1_500 {
        if server.queue("regulations").await["depth"] == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(public_api.taken()[0].1["subjectIds"], json!(["user-1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_a_deletion_does_not_go_to_segment() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    assert!(server.banner.contains("kept at Segment"), "{}", server.banner);
    deleted(&server, "user-1").await;
    assert_eq!(server.queue("regulations").await, json!({"depth": 0, "deadLetters": []}));
}

#[test]
fn serve_does_not_start_with_dangerous_or_invalid_deletion_options() {
    let data = tempfile::tempdir().unwrap();
    for (options, expected) in [
        (&["--public-api-token", TOKEN][..], "anybody could delete users at Segment"),
        (&["--public-api-token", "{\"default\":7}"], "SEGMENT_PUBLIC_API_TOKEN is not usable"),
        (&["--public-api-token", TOKEN, "--regulation-type", "UNSUPPRESS"], "the regulation type must be"),
        (&["--public-api-token", TOKEN, "--public-api-endpoint", "https://api.segment.io"], "takes messages"),
    ] {
        let mut serve = segue();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path()).args(options);
        let output = serve.output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(expected), "{options:?}: {error}");
        assert!(!error.contains(TOKEN), "{error}");
    }
}
