//! Keys from a URL, served by a small test server.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use crate::support::{ED25519_PRIVATE, HEADER, Webhook, claims, der, eddsa, request, token, with_header};

const BODY: &str = r#"{"event":{"type":"user.login.success","user":{"id":"u1"}}}"#;

/// A server with one answer, which can be changed, and a count of its requests.
struct KeyServer {
    url: String,
    answer: Arc<Mutex<String>>,
    requests: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(first: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/.well-known/jwks.json", listener.local_addr().unwrap());
        let server = Self { url, answer: Arc::new(Mutex::new(first.to_owned())), requests: Arc::default() };
        let (answer, requests) = (server.answer.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                requests.fetch_add(1, Ordering::SeqCst);
                let answer = answer.lock().unwrap().clone();
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        server
    }

    fn answer(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.to_owned();
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn webhook(&self) -> Webhook {
        Webhook::new(&json!({"fusionauth": {"jwksUrl": self.url}}))
    }
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn keys(ids: &[&str]) -> String {
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(ED25519_PRIVATE)).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let known =
        ids.iter().map(|id| json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA", "x": x}));
    // Unsupported kinds must not affect the others.
    let others = [
        json!({"kty": "EC", "crv": "P-521", "kid": "e", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "kid": "o", "k": "c2VjcmV0"}),
        json!(7),
        json!({"kty": "AKP", "n": 1.5}),
    ];
    http("200 OK", &json!({"keys": others.into_iter().chain(known).collect::<Vec<Value>>()}).to_string())
}

async fn send(webhook: &Webhook, id: &str) -> u16 {
    let header = json!({"alg": "EdDSA", "kid": id});
    let token = token(&header, &claims(BODY.as_bytes()), eddsa);
    webhook.send(with_header(request(BODY), HEADER, &token)).await.0
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_after_an_hour() {
    let server = KeyServer::start(&keys(&["a"])).await;
    let webhook = server.webhook();
    webhook.handler.prepare().await;
    assert_eq!(server.requests(), 1);
    for _ in 0..3 {
        assert_eq!(send(&webhook, "a").await, 200);
    }
    assert_eq!(server.requests(), 1);
    webhook.clock.advance(Duration::from_secs(3600));
    assert_eq!(send(&webhook, "a").await, 200);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn an_unknown_key_id_fetches_again_at_most_once_a_minute() {
    let server = KeyServer::start(&keys(&["a"])).await;
    let webhook = server.webhook();
    assert_eq!(send(&webhook, "a").await, 200);
    server.answer(&keys(&["a", "b"]));
    assert_eq!(send(&webhook, "b").await, 401, "the minute is not over");
    webhook.clock.advance(Duration::from_secs(60));
    assert_eq!(send(&webhook, "b").await, 200);
    for _ in 0..5 {
        assert_eq!(send(&webhook, "made up").await, 401);
    }
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_failing_refresh_keeps_the_old_keys_and_is_tried_again_after_a_minute() {
    let server = KeyServer::start(&keys(&["a"])).await;
    let webhook = server.webhook();
    assert_eq!(send(&webhook, "a").await, 200);
    server.answer(&http("500 Internal Server Error", "{}"));
    webhook.clock.advance(Duration::from_secs(3600));
    for _ in 0..3 {
        assert_eq!(send(&webhook, "a").await, 200);
    }
    assert_eq!(server.requests(), 2);
    webhook.clock.advance(Duration::from_secs(60));
    assert_eq!(send(&webhook, "a").await, 200);
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn keys_that_could_never_be_fetched_mean_try_again() {
    let good = keys(&["a"]);
    let good = good.split_once("\r\n\r\n").unwrap().1;
    let large = good.replacen('{', &format!(r#"{{"padding":"{}","#, "x".repeat(300 * 1024)), 1);
    for answer in [
        http("503 Service Unavailable", ""),
        http("200 OK", "not JSON"),
        http("200 OK", r#"{"keys":[]}"#),
        http("200 OK", &large),
        "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_owned(),
        "garbage".to_owned(),
    ] {
        let server = KeyServer::start(&answer).await;
        let webhook = server.webhook();
        assert_eq!(send(&webhook, "a").await, 503, "{}", &answer[..20.min(answer.len())]);
        assert_eq!(send(&webhook, "a").await, 503);
        assert_eq!(server.requests(), 1, "not at every request");
        server.answer(&keys(&["a"]));
        webhook.clock.advance(Duration::from_secs(5));
        assert_eq!(send(&webhook, "a").await, 200);
        assert!(webhook.topic.bodies().len() == 1);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_a_key_set_share_one_fetch() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let webhook = Arc::new(Webhook::new(&json!({"fusionauth": {"jwksUrl": url}})));
    let (clock, fetches) = (webhook.clock.clone(), Arc::new(AtomicUsize::new(0)));
    let count = fetches.clone();
    tokio::spawn(async move {
        let mut hanging = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            // The duration of each fetch.
            clock.advance(Duration::from_secs(5));
            hanging.push(stream);
        }
    });
    let began = tokio::time::Instant::now();
    let mut requests = JoinSet::new();
    for _ in 0..30 {
        let webhook = webhook.clone();
        requests.spawn(async move { send(&webhook, "a").await });
    }
    let statuses = requests.join_all().await;
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    let later = tokio::time::Instant::now();
    assert_eq!(send(&webhook, "a").await, 503);
    assert!(later.elapsed() < Duration::from_secs(1), "a pause follows: {:?}", later.elapsed());
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_without_a_token_cannot_cause_a_fetch() {
    let server = KeyServer::start(&keys(&["a"])).await;
    let webhook = server.webhook();
    assert_eq!(webhook.send(request(BODY)).await.0, 401);
    assert_eq!(webhook.send(with_header(request(BODY), HEADER, "a.b.c")).await.0, 401);
    assert_eq!(server.requests(), 0);
}
