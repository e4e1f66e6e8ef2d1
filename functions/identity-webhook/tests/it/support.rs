//! A handler with a held clock and a recording topic, and a sender that signs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Request, Response, header};
use identity::Config;
use identity_webhook::{Authentication, Handler};
use jiff::Timestamp;
use platform::{
    clock::{Clock, HeldClock},
    ledger::{Claim, Ledger, LedgerError},
    secrets::{CachedSecret, Fetched, SecretStore, StaticSecret},
};
use ring::{
    digest, hmac,
    rand::SystemRandom,
    signature::{EcdsaKeyPair, Ed25519KeyPair, RsaEncoding, RsaKeyPair},
};
use segment::Secret;
use serde_json::{Value, json};
pub use testkit::topic::{Fault, RecordingTopic};

pub const SECRET: &str = "segue-sample-signing-secret-do-not-use";
pub const BEARER: &str = "segue-sample-bearer-token-do-not-use";
pub const DEPLOYMENT: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/segue/sample";
pub const HEADER: &str = "x-fusionauth-signature-jwt";
pub const RSA_PRIVATE: &str = include_str!("../keys/test-rsa-2048-private.pem");
pub const RSA_PUBLIC: &str = include_str!("../keys/test-rsa-2048-public.pem");
pub const P256_PRIVATE: &str = include_str!("../keys/test-p256-private.pem");
pub const P256_PUBLIC: &str = include_str!("../keys/test-p256-public.pem");
pub const ED25519_PRIVATE: &str = include_str!("../keys/test-ed25519-private.pem");
pub const ED25519_PUBLIC: &str = include_str!("../keys/test-ed25519-public.pem");

/// A ledger in memory, or one that is away.
#[derive(Clone, Default)]
pub struct Signups {
    confirmed: Arc<Mutex<HashMap<String, bool>>>,
    on_claim: Option<Fault>,
    on_confirm: Option<Fault>,
}

impl Signups {
    pub fn with_fault(fault: Fault) -> Self {
        Self::default().failing(Some(fault), Some(fault))
    }

    /// Returns the same ledger, with these faults from now on.
    pub fn failing(&self, on_claim: Option<Fault>, on_confirm: Option<Fault>) -> Self {
        Self { on_claim, on_confirm, ..self.clone() }
    }

    /// Returns the users that it knows.
    pub fn users(&self) -> Vec<String> {
        self.confirmed.lock().unwrap().keys().cloned().collect()
    }
}

impl Ledger for Signups {
    async fn claim(&self, user: &str, known: bool) -> Result<Claim, LedgerError> {
        Fault::happen(self.on_claim).await.map_err(LedgerError)?;
        let confirmed = *self.confirmed.lock().unwrap().entry(user.to_owned()).or_insert(known);
        Ok(if confirmed { Claim::Login } else { Claim::SignUp })
    }

    async fn confirm(&self, user: &str) -> Result<(), LedgerError> {
        Fault::happen(self.on_confirm).await.map_err(LedgerError)?;
        self.confirmed.lock().unwrap().insert(user.to_owned(), true);
        Ok(())
    }
}

/// A secret that may change, as in Secrets Manager.
pub struct Changeable(pub Arc<Mutex<String>>);

impl Changeable {
    pub fn new(secret: &Value) -> Self {
        Self(Arc::new(Mutex::new(secret.to_string())))
    }
}

impl SecretStore for Changeable {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async { Ok(self.0.lock().unwrap().clone()) })
    }
}

/// The handler under test.
pub struct Webhook {
    pub handler: Handler<Signups>,
    pub topic: RecordingTopic,
    pub ledger: Signups,
    pub clock: Arc<HeldClock>,
}

impl Webhook {
    pub fn new(secret: &Value) -> Self {
        Self::with(secret, Config::new(DEPLOYMENT), RecordingTopic::default())
    }

    /// Returns a handler that accepts signatures by [`SECRET`].
    pub fn signed() -> Self {
        Self::new(&json!({"fusionauth": {"signingSecrets": [SECRET]}}))
    }

    /// Returns a handler that accepts Auth0's requests with [`BEARER`].
    pub fn auth0() -> Self {
        Self::new(&json!({"auth0": {"bearer": BEARER}}))
    }

    pub fn with(secret: &Value, config: Config, topic: RecordingTopic) -> Self {
        Self::on(secret, config, topic, Signups::default())
    }

    pub fn on(secret: &Value, config: Config, topic: RecordingTopic, ledger: Signups) -> Self {
        Self::made(StaticSecret(Secret::new(secret.to_string())), config, topic, ledger)
    }

    /// Returns a handler whose secret may change.
    pub fn changeable(secret: &Value) -> Self {
        Self::made(
            Changeable::new(secret),
            Config::new(DEPLOYMENT),
            RecordingTopic::default(),
            Signups::default(),
        )
    }

    pub fn made(
        store: impl SecretStore + 'static,
        config: Config,
        topic: RecordingTopic,
        ledger: Signups,
    ) -> Self {
        let clock = HeldClock::at(now());
        let providers = config.providers().clone();
        let parse = move |text: &str| Authentication::parse(text, &providers);
        let authentication = CachedSecret::new(store, parse, clock.clone());
        let client = platform::http::client().unwrap();
        let handler = Handler::new(ledger.clone(), config, authentication, client, clock.clone());
        Self { handler, topic, ledger, clock }
    }

    /// Returns the same handler, which also accepts requests without proof if nothing is configured.
    pub fn open(self) -> Self {
        Self { handler: self.handler.taking_unsigned(true), ..self }
    }

    /// Returns the handler's time, in seconds since 1970.
    pub fn handler_time(&self) -> i64 {
        self.clock.now().as_second()
    }

    pub async fn respond(&self, request: Request<Bytes>) -> Response<String> {
        self.handler.handle(request, &self.topic).await.response
    }

    /// Returns the status and the body of the answer.
    pub async fn send(&self, request: Request<Bytes>) -> (u16, Value) {
        answer(&self.respond(request).await)
    }
}

pub fn answer(response: &Response<String>) -> (u16, Value) {
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    (response.status().as_u16(), serde_json::from_str(response.body()).unwrap())
}

/// Returns a request without any proof.
pub fn request(body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post("/identity/fusionauth")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap()
}

/// Returns a request signed with [`SECRET`].
pub fn signed(body: impl Into<Bytes>) -> Request<Bytes> {
    let body = body.into();
    let token =
        token(&json!({"alg": "HS256", "typ": "JWT"}), &claims(&body), |message| hs256(SECRET, message));
    with_header(request(body), HEADER, &token)
}

/// Returns a request to a route, with [`BEARER`].
pub fn with_bearer(route: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(format!("/identity/{route}"))
        .header(header::AUTHORIZATION, format!("Bearer {BEARER}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap()
}

pub fn with_header(mut request: Request<Bytes>, name: &'static str, value: &str) -> Request<Bytes> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

pub fn claims(body: &[u8]) -> Value {
    json!({"request_body_sha256": STANDARD.encode(digest::digest(&digest::SHA256, body))})
}

/// Returns a JWT.
pub fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

pub fn hs256(secret: &str, message: &[u8]) -> Vec<u8> {
    hmac_with(hmac::HMAC_SHA256, secret, message)
}

pub fn hmac_with(algorithm: hmac::Algorithm, secret: &str, message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), message).as_ref().to_vec()
}

pub fn rsa(padding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let key = RsaKeyPair::from_pkcs8(&der(RSA_PRIVATE)).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

pub fn es256(message: &[u8]) -> Vec<u8> {
    let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, &der(P256_PRIVATE), &SystemRandom::new()).unwrap();
    key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

pub fn eddsa(message: &[u8]) -> Vec<u8> {
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(ED25519_PRIVATE)).unwrap();
    key.sign(message).as_ref().to_vec()
}

/// Returns the bytes in a PEM text.
pub fn der(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(text).unwrap()
}

/// Returns a file below `events/identity-webhook`.
pub fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/../../events/identity-webhook/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the body of a sample, such as `user.login.success`.
pub fn sample_body(name: &str) -> Vec<u8> {
    sample(&format!("bodies/fusionauth.{name}.json"))
}

/// Returns the request that Lambda makes of an API Gateway HTTP API event (payload 2.0).
pub fn from_gateway(event: &Value) -> Request<Bytes> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap();
    let body = match (event["body"].as_str(), event["isBase64Encoded"].as_bool().unwrap()) {
        (Some(body), true) => STANDARD.decode(body).unwrap(),
        (body, _) => body.unwrap_or_default().into(),
    };
    let mut request = Request::builder().method(text("/requestContext/http/method")).uri(text("/rawPath"));
    for (name, value) in event["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.body(body.into()).unwrap()
}

/// Returns the time of receipt.
pub fn now() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}
