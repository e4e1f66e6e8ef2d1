//! Nobody who does not have the key gets a webhook accepted, whatever is in the signature and the body.

#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, Request};
use identity_webhook::{Authentication, Config, Handler};
use libfuzzer_sys::fuzz_target;
use platform::{
    clock::SystemClock,
    http::client,
    ledger::{Ledger, LedgerError, Standing},
    secrets::{CachedSecret, StaticSecret},
    topic::{Publication, PublishError, Topic},
};
use segment::Secret;
use tokio::runtime::{Builder, Runtime};

const SECRET: &str = r#"{"fusionauth":{"signingSecrets":["a key that the fuzzer does not have"],
    "publicKeys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}"#;

struct Nobody;

impl Topic for Nobody {
    async fn publish(&self, _: Vec<Publication>) -> Result<(), PublishError> {
        panic!("a forged webhook was published");
    }
}

impl Ledger for Nobody {
    async fn claim(&self, _: &str, _: bool) -> Result<Standing, LedgerError> {
        panic!("a forged login reached the ledger");
    }

    async fn confirm(&self, _: &str) -> Result<(), LedgerError> {
        panic!("a forged login reached the ledger");
    }
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

static HANDLER: LazyLock<Handler<Nobody, Nobody>> = LazyLock::new(|| {
    let clock = SystemClock::shared();
    let secret = CachedSecret::new(StaticSecret(Secret::new(SECRET)), Authentication::parse, clock.clone());
    Handler::new(Nobody, Nobody, Config::new("fuzz"), secret, client().expect("a client"), clock)
});

fuzz_target!(|input: (&[u8], &[u8])| {
    let (signature, body) = input;
    let Ok(signature) = HeaderValue::from_bytes(signature) else { return };
    let request = Request::post("/identity/fusionauth")
        .header("content-type", "application/json")
        .header("x-fusionauth-signature-jwt", signature)
        .body(Bytes::copy_from_slice(body));
    let answer = RUNTIME.block_on(HANDLER.handle(request.expect("a request")));
    assert!(answer.status().is_client_error(), "{}", answer.status());
});
