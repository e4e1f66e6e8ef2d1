//! Measures one FusionAuth webhook from request to answer on one core: check the HS256 signature, parse, map,
//! encode, and publish to a topic that does nothing. Also measures the work that no such handler can avoid:
//! the SHA-256 of the body and the HMAC of the token.
//!
//! Run `cargo bench -p identity-webhook --no-default-features`.

use std::{error::Error, hint::black_box, sync::Arc};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::Request;
use identity::{Config, Providers};
use identity_webhook::{Authentication, Handler};
use platform::{
    clock::SystemClock,
    ledger::{Claim, Ledger, LedgerError},
    secrets::{CachedSecret, StaticSecret},
    topic::{Publication, PublishError, Topic},
};
use ring::{digest, hmac};
use segment::Secret;
use testkit::fastest;

const SECRET: &str = "segue-sample-signing-secret-do-not-use";
const SAMPLES: [&str; 3] = ["user.login.success", "user.create.complete", "user.update.complete"];

/// The number of webhooks in a round.
const WEBHOOKS: usize = 5_000;

struct NoTopic;

struct NoLedger;

impl Ledger for NoLedger {
    async fn claim(&self, _: &str, _: bool) -> Result<Claim, LedgerError> {
        Ok(Claim::Login)
    }

    async fn confirm(&self, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }
}

impl Topic for NoTopic {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        black_box(publications);
        Ok(())
    }
}

#[allow(clippy::print_stdout, reason = "a benchmark prints its table")]
fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    println!("{:<24} {:>7} {:>12} {:>12} {:>8}", "body", "bytes", "µs/webhook", "floor, µs", "ratio");
    for name in SAMPLES {
        let path = format!(
            "{}/../../events/identity-webhook/bodies/fusionauth.{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let body = Bytes::from(std::fs::read(path)?);
        let token = token(&body);
        let handler = handler()?;
        runtime.block_on(handler.prepare());

        let webhook = fastest(WEBHOOKS, || {
            runtime.block_on(async {
                let response = handler.handle(request(&body, &token), &NoTopic).await.response;
                assert_eq!(response.status(), 200);
            });
        });
        let floor = fastest(WEBHOOKS, || {
            black_box(digest::digest(&digest::SHA256, &body));
            let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
            black_box(hmac::sign(&key, token.as_bytes()));
        });
        println!("{name:<24} {:>7} {webhook:>12.1} {floor:>12.1} {:>8.1}", body.len(), webhook / floor);
    }
    Ok(())
}

fn handler() -> Result<Handler<NoLedger>, Box<dyn Error>> {
    let clock = SystemClock::shared();
    let secret = format!(r#"{{"fusionauth":{{"signingSecrets":["{SECRET}"]}}}}"#);
    let store = StaticSecret(Secret::new(secret));
    let authentication = CachedSecret::new(
        store,
        |text: &str| Authentication::parse(text, &Providers::built_in()),
        Arc::clone(&clock),
    );
    Ok(Handler::new(NoLedger, Config::new("bench"), authentication, platform::http::client()?, clock))
}

fn request(body: &Bytes, token: &str) -> Request<Bytes> {
    let mut request = Request::new(body.clone());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("/identity/fusionauth");
    let headers = request.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    if let Ok(token) = token.parse() {
        headers.insert("x-fusionauth-signature-jwt", token);
    }
    request
}

fn token(body: &[u8]) -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, body));
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"request_body_sha256":"{hash}"}}"#));
    let message =
        format!("{}.{claims}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT","kid":"bench"}"#));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}
