//! Libraries that are not installed here: replays their requests, which `tests/libraries/replayed` has from
//! their public source, and repeats them after a 503.

use std::fs;

use segment::json;
use serde_json::{Map, Value};
use testkit::FakeServer;

use super::{
    arrival::{Expected, Side, arrives_everywhere, has_calls},
    arrived,
    relay::Relay,
    root, start,
};

/// A library's requests.
struct Replay {
    library: String,
    side: Side,
    requests: Vec<Value>,
    /// Whether it counts its retries in a header.
    counts_retries: bool,
    /// The expected changes of fields, by message id. Null removes a field.
    becomes: Map<String, Value>,
}

impl Replay {
    fn read(text: &str) -> Self {
        let mut file: Value = json::parse(text.as_bytes()).unwrap();
        let text = |field: &str| file[field].as_str().unwrap().to_owned();
        let side = match text("side").as_str() {
            "server" => Side::Server,
            "app" => Side::App,
            other => panic!("{other}"),
        };
        let (library, context) = (text("library"), file.get("context").cloned());
        let mut requests = file["requests"].as_array().unwrap().clone();
        let messages =
            requests.iter_mut().flat_map(|request| request["body"]["batch"].as_array_mut().unwrap());
        for message in messages {
            let Some(context) = &context else { continue };
            message.as_object_mut().unwrap().insert("context".to_owned(), context.clone());
        }
        let counts_retries = file["retryCount"] == true;
        let Value::Object(becomes) = file["becomes"].take() else { panic!("{library}") };
        Self { library, side, requests, counts_retries, becomes }
    }

    /// Sends each request until it is accepted.
    async fn send(&self, relay: &Relay) {
        let http = platform::http::client().unwrap();
        for request in &self.requests {
            let mut attempt = 0;
            loop {
                let url = format!("{}{}", relay.url, request["path"].as_str().unwrap());
                let mut sent = http.post(url).body(body(request));
                for (name, value) in request["headers"].as_object().unwrap() {
                    sent = sent.header(name, value.as_str().unwrap());
                }
                if self.counts_retries && attempt > 0 {
                    sent = sent.header("X-Retry-Count", attempt.to_string());
                }
                let answer = sent.send().await.unwrap();
                let status = answer.status().as_u16();
                let body: Value = answer.json().await.unwrap();
                // Ruby's library retries after every other status.
                assert!(body.is_object(), "{}: {body}", self.library);
                attempt += 1;
                if status == 200 {
                    break;
                }
                assert_eq!((status, attempt), (503, 1), "{}: {body}", self.library);
            }
        }
    }

    /// Applies the expected changes.
    fn correct(&self, expected: &mut [Expected]) {
        for message in expected {
            let id = message.content["messageId"].as_str().unwrap().to_owned();
            let Some(fields) = self.becomes.get(&id) else { continue };
            for (field, value) in fields.as_object().unwrap() {
                match (field.as_str(), value) {
                    ("originalTimestamp", time) => message.time = Some(time.clone()),
                    ("sentAt", time) => message.sent_at = Some(time.clone()),
                    (_, Value::Null) => assert!(message.content.get(field).is_none(), "{id}: {field}"),
                    _ => message.content[field] = value.clone(),
                }
            }
        }
    }
}

/// Returns the body as the library writes it.
fn body(request: &Value) -> Vec<u8> {
    let text = request["body"].to_string();
    let escaped = match request["escapes"].as_str() {
        None => text,
        Some("html") => escape(&text, |letter| "<>&='\u{2028}\u{2029}".contains(letter)),
        Some("slashes") => text.replace('/', r"\/"),
        Some("slashes and all but ASCII") => escape(&text.replace('/', r"\/"), |letter| !letter.is_ascii()),
        Some(other) => panic!("{other}"),
    };
    if request["headers"]["Content-Encoding"] != "gzip" {
        return escaped.into_bytes();
    }
    testkit::gzip(escaped.as_bytes())
}

fn escape(text: &str, escaped: impl Fn(char) -> bool) -> String {
    let mut units = [0; 2];
    text.chars()
        .map(|letter| match escaped(letter) {
            true => letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
            false => letter.to_string(),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_replayed_library_works_unchanged() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
    let server = start(&data, &webhook, &["--write-key", "the-key"]);
    let mut all = Vec::new();
    let files: Vec<_> = fs::read_dir(root().join("tests/libraries/replayed")).unwrap().collect();
    assert!(files.len() >= 11, "{files:?}");
    for file in files {
        let replay = Replay::read(&fs::read_to_string(file.unwrap().path()).unwrap());
        let relay = Relay::start(&server.base, 1).await;
        replay.send(&relay).await;
        let mut expected = Expected::of(&relay.accepted(), replay.side);
        has_calls(&expected, &["identify", "track", "screen", "group", "alias"]);
        replay.correct(&mut expected);
        all.extend(expected);
        arrived(&webhook, all.len()).await;
    }
    arrives_everywhere(&server, &webhook, &all).await;
}
