//! The reaction of each library to an answer. docs/tracking-api.md has the table, which decides Segue's
//! answers.

use std::{collections::HashMap, time::Duration};

use segment_client::{Client as _, HttpClient, message::Identify, message::User};
use serde_json::Value;
use testkit::{Answer, FakeServer, Request};

use super::{node, python};
use crate::process::Server;

/// The failures of a request: a status, a timeout, or a broken connection.
const CASES: [&str; 8] = ["400", "401", "413", "429", "500", "503", "late", "broken"];

/// The failures for a library without an own timeout.
const WITHOUT_TIME_OUT: [&str; 7] = ["400", "401", "413", "429", "500", "503", "broken"];

/// The number of requests of each case.
type Counts = [(&'static str, usize); CASES.len()];

/// Returns the body of Segue's error. One library decides by it.
async fn error_of_segue() -> String {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--write-key", "the-key"]);
    let request = server.http.post(format!("{}/v1/batch", server.base)).basic_auth("the-key", Some(""));
    let answer = request.body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 400);
    answer.json::<Value>().await.unwrap().to_string()
}

/// Starts a server that fails the first `failures` requests to `/CASE/…` in that way, and then accepts
/// requests.
async fn failing(failures: usize) -> FakeServer {
    let error = error_of_segue().await;
    let mut seen: HashMap<String, usize> = HashMap::new();
    FakeServer::start(move |request| {
        let Some(case) = case(request) else { return answer(200, String::new()) };
        let times = seen.entry(case.to_owned()).or_default();
        *times += 1;
        match case {
            _ if *times > failures => answer(200, r#"{"success":true}"#.to_owned()),
            "late" => Answer::Late(Duration::from_secs(5)),
            "broken" => Answer::ResetBefore,
            status => answer(status.parse().unwrap(), error.clone()),
        }
    })
    .await
}

/// Returns an answer that a page of another origin can read.
fn answer(status: u16, body: String) -> Answer {
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Access-Control-Allow-Origin", "*".to_owned()),
        ("Access-Control-Allow-Headers", "authorization, content-type, x-retry-count".to_owned()),
        ("Access-Control-Expose-Headers", "Retry-After".to_owned()),
    ];
    if [429, 503].contains(&status) {
        headers.push(("Retry-After", "1".to_owned()));
    }
    Answer::Status(status, headers, body)
}

/// Returns the case of a request; none for a browser's preflight.
fn case(request: &Request) -> Option<&str> {
    request.line.strip_prefix("POST /")?.split('/').next()
}

fn counts(server: &FakeServer) -> Counts {
    let requests = server.requests();
    CASES.map(|name| (name, requests.iter().filter(|request| case(request) == Some(name)).count()))
}

/// Counts the requests of a library for a message whose first requests fail in each of these ways.
async fn sends(program: &str, library: &str, cases: &[&str], failures: usize) -> Counts {
    let server = failing(failures).await;
    let url = server.url();
    let arguments = [&[library, &url][..], cases].concat();
    match program.ends_with(".py") {
        true => python(program, &arguments, String::new()).await,
        false => node(program, &arguments, String::new()).await,
    };
    counts(&server)
}

/// The expected counts: only temporary errors are retried. A timeout has `late` requests.
const fn careful(late: usize) -> Counts {
    [("400", 1), ("401", 1), ("413", 1), ("429", 2), ("500", 2), ("503", 2), ("late", late), ("broken", 2)]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_library_retries_temporary_errors() {
    assert_eq!(sends("answered.mjs", "node", &CASES, 1).await, careful(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_node_library_retries_all_but_timeouts() {
    assert_eq!(sends("answered.mjs", "node-6", &CASES, 1).await, careful(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_library_retries_temporary_errors() {
    assert_eq!(sends("answered.py", "python", &CASES, 1).await, careful(2));
}

/// It does because each error has a `code`. It takes an error without one for a broken connection.
#[tokio::test(flavor = "multi_thread")]
async fn the_older_python_library_retries_temporary_errors() {
    assert_eq!(sends("answered.py", "python-1", &CASES, 1).await, careful(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_library_retries_temporary_errors() {
    let (standard, batching) = tokio::join!(
        sends("answered-browser.mjs", "standard", &WITHOUT_TIME_OUT, 1),
        sends("answered-browser.mjs", "batching", &WITHOUT_TIME_OUT, 1),
    );
    assert_eq!((standard, batching), (careful(0), careful(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_react_native_library_retries_temporary_errors() {
    assert_eq!(sends("answered.mjs", "react-native-2.24", &WITHOUT_TIME_OUT, 1).await, careful(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_react_native_library_retried_every_error_forever_until_2_22() {
    let at_each_flush = CASES.map(|name| (name, if name == "late" { 0 } else { 4 }));
    let sent = sends("answered.mjs", "react-native-2.22", &WITHOUT_TIME_OUT, usize::MAX).await;
    assert_eq!(sent, at_each_flush);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_community_rust_client_never_retries() {
    let server = failing(usize::MAX).await;
    for name in WITHOUT_TIME_OUT {
        let client = HttpClient::new(Default::default(), format!("{}/{name}", server.url()));
        let identify =
            Identify { user: User::UserId { user_id: "user-1".to_owned() }, ..Identify::default() };
        assert!(client.send("the-key".to_owned(), identify.into()).await.is_err(), "{name}");
    }
    assert_eq!(counts(&server), CASES.map(|name| (name, usize::from(name != "late"))));
}
