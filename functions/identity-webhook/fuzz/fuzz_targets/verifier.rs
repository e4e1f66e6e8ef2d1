//! Without the key, no signature and no body makes a webhook accepted.

#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, Request};
use identity::{Config, Providers};
use identity_webhook::{Authentication, Handler};
use libfuzzer_sys::fuzz_target;
use platform::{
    clock::SystemClock,
    http::client,
    ledger::{Ledger, LedgerError, Claim},
    secrets::{CachedSecret, StaticSecret},
    topic::{Publication, PublishError, Topic},
};
use segment::Secret;
use tokio::runtime::{Builder, Runtime};

const SECRET: &str = r#"{"fusionauth":{"signingSecrets":["a key that the fuzzer does not have"],
    "publicKeys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
    "auth0":{"bearer":"a token that the fuzzer does not have"},
    "auth0/events":{"basic":{"username":"segue","password":"a password that the fuzzer does not have"}},
    "clerk":{"signingSecrets":"whsec_YSBrZXkgdGhhdCB0aGUgZnV6emVyIGRvZXMgbm90IGhhdmU="},
    "okta":{"header":{"name":"x-segue","value":"a value that the fuzzer does not have"}},
    "keycloak":{"signingSecrets":"a key that the fuzzer does not have"},
    "kinde":{"publicKeys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
    "logto":{"signingSecrets":"a key that the fuzzer does not have"},
    "ory":{"bearer":"a token that the fuzzer does not have"},
    "stytch":{"signingSecrets":"whsec_YSBrZXkgdGhhdCB0aGUgZnV6emVyIGRvZXMgbm90IGhhdmU="},
    "supabase":{"bearer":"a token that the fuzzer does not have"},
    "supabase-hook":{"signingSecrets":"v1,whsec_YSBrZXkgdGhhdCB0aGUgZnV6emVyIGRvZXMgbm90IGhhdmU="},
    "workos":{"signingSecrets":"a key that the fuzzer does not have"}}"#;

/// The headers that may hold a proof.
const HEADERS: [&str; 9] = [
    "authorization",
    "x-fusionauth-signature-jwt",
    "svix-id",
    "svix-timestamp",
    "svix-signature",
    "x-segue",
    "x-keycloak-signature",
    "logto-signature-sha-256",
    "workos-signature",
];

struct Nobody;

impl Topic for Nobody {
    async fn publish(&self, _: Vec<Publication>) -> Result<(), PublishError> {
        panic!("a forged webhook was published");
    }
}

impl Ledger for Nobody {
    async fn claim(&self, _: &str, _: bool) -> Result<Claim, LedgerError> {
        panic!("a forged login reached the ledger");
    }

    async fn confirm(&self, _: &str) -> Result<(), LedgerError> {
        panic!("a forged login reached the ledger");
    }
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

static HANDLER: LazyLock<Handler<Nobody>> = LazyLock::new(|| {
    let clock = SystemClock::shared();
    let parse = |text: &str| Authentication::parse(text, &Providers::built_in());
    let secret = CachedSecret::new(StaticSecret(Secret::new(SECRET)), parse, clock.clone());
    Handler::new(Nobody, Config::new("fuzz"), secret, client().expect("a client"), clock)
});

fuzz_target!(|input: ([&[u8]; 9], &[u8])| {
    let (values, body) = input;
    for address in Providers::built_in().addresses() {
        let mut request = Request::post(format!("/identity/{address}")).header("content-type", "application/json");
        for (name, value) in HEADERS.into_iter().zip(values) {
            // An empty header is left out, so that each one is missing sometimes.
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_bytes(value)) {
                request = request.header(name, value);
            }
        }
        let request = request.body(Bytes::copy_from_slice(body)).expect("a request");
        let status = RUNTIME.block_on(HANDLER.handle(request, &Nobody)).response.status();
        // A provider that never repeats a request after a 4xx gets a 503 until the secret was read again.
        assert!(status.is_client_error() || status == 503, "{address}: {status}");
    }
});
