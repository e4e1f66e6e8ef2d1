//! Every kind of proof, alone and together.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use identity::Providers;
use identity_webhook::Authentication;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair},
};
use serde_json::{Value, json};

use crate::support::*;

const BODY: &str = r#"{"event":{"type":"user.login.success","user":{"id":"u1"}}}"#;

/// Returns the statuses of requests that carry these tokens.
async fn statuses(fusionauth: &Value, tokens: impl IntoIterator<Item = String>) -> Vec<u16> {
    let webhook = Webhook::new(&json!({"fusionauth": fusionauth}));
    let mut statuses = Vec::new();
    for token in tokens {
        statuses.push(webhook.send(with_header(request(BODY), HEADER, &token)).await.0);
    }
    statuses
}

fn signed_by(algorithm: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    token(&json!({"alg": algorithm, "typ": "JWT"}), &claims(BODY.as_bytes()), sign)
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa_jwk() -> Value {
    let key = RsaKeyPair::from_pkcs8(&der(RSA_PRIVATE)).unwrap();
    let public = signature::RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
    // A leading zero and numeric members, as some key sets have them.
    let modulus = [&[0], public.n.as_slice()].concat();
    json!({"kty": "RSA", "kid": "r1", "n": base64(&modulus), "e": base64(&public.e), "use": "sig", "exp": 1.5, "iat": 12345678901234567890_u64})
}

#[tokio::test]
async fn an_hmac_signature_passes_with_either_of_two_secrets() {
    let settings = json!({"signingSecrets": ["old secret", SECRET]});
    let tokens = [
        signed_by("HS256", |message| hs256("old secret", message)),
        signed_by("HS256", |message| hs256(SECRET, message)),
        signed_by("HS384", |message| hmac_with(hmac::HMAC_SHA384, SECRET, message)),
        signed_by("HS512", |message| hmac_with(hmac::HMAC_SHA512, SECRET, message)),
        signed_by("HS256", |message| hs256("another secret", message)),
        signed_by("HS512", |message| hs256(SECRET, message)),
        signed_by("HS256", |message| hs256(SECRET, message)[..16].to_vec()),
        signed_by("HS256", |_| Vec::new()),
    ];
    assert_eq!(statuses(&settings, tokens).await, [200, 200, 200, 200, 401, 401, 401, 401]);
}

#[tokio::test]
async fn rsa_signatures_pass_from_pem_and_from_a_json_web_key() {
    let tokens = || {
        [
            signed_by("RS256", |message| rsa(&signature::RSA_PKCS1_SHA256, message)),
            signed_by("RS384", |message| rsa(&signature::RSA_PKCS1_SHA384, message)),
            signed_by("RS512", |message| rsa(&signature::RSA_PKCS1_SHA512, message)),
            signed_by("PS256", |message| rsa(&signature::RSA_PSS_SHA256, message)),
            signed_by("PS384", |message| rsa(&signature::RSA_PSS_SHA384, message)),
            signed_by("PS512", |message| rsa(&signature::RSA_PSS_SHA512, message)),
            signed_by("RS512", |message| rsa(&signature::RSA_PKCS1_SHA256, message)),
            signed_by("RS256", |message| rsa(&signature::RSA_PSS_SHA256, message)),
        ]
    };
    let expected = [200, 200, 200, 200, 200, 200, 401, 401];
    assert_eq!(statuses(&json!({"publicKeys": [RSA_PUBLIC]}), tokens()).await, expected);
    assert_eq!(statuses(&json!({"publicKeys": rsa_jwk()}), tokens()).await, expected);
    let mut narrowed = rsa_jwk();
    narrowed["alg"] = json!("PS384");
    let expected = [401, 401, 401, 401, 200, 401, 401, 401];
    assert_eq!(statuses(&json!({"publicKeys": [narrowed]}), tokens()).await, expected);
}

#[tokio::test]
async fn ecdsa_and_eddsa_signatures_pass() {
    let random = SystemRandom::new();
    let p384 = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(p384, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(p384, document.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
    let p384_jwk = json!({"kty": "EC", "crv": "P-384", "x": base64(x), "y": base64(y)});
    let es384 = |message: &[u8]| pair.sign(&random, message).unwrap().as_ref().to_vec();

    let tokens = [
        signed_by("ES256", es256),
        signed_by("ES384", es384),
        signed_by("EdDSA", eddsa),
        signed_by("ES384", es256),
    ];
    let settings = json!({"publicKeys": [P256_PUBLIC, p384_jwk, ED25519_PUBLIC]});
    assert_eq!(statuses(&settings, tokens).await, [200, 200, 200, 401]);
}

#[tokio::test]
async fn a_public_key_is_never_taken_for_an_hmac_secret() {
    // The classic attack: sign with HMAC and use the public key's text as the secret.
    let mut tokens = vec![];
    let bytes = der(RSA_PUBLIC);
    for secret in [RSA_PUBLIC.as_bytes(), RSA_PUBLIC.trim().as_bytes(), &bytes] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        tokens.push(signed_by("HS256", |message| hmac::sign(&key, message).as_ref().to_vec()));
    }
    assert_eq!(statuses(&json!({"publicKeys": [RSA_PUBLIC]}), tokens.clone()).await, [401; 3]);
    assert_eq!(
        statuses(&json!({"publicKeys": [RSA_PUBLIC], "signingSecrets": SECRET}), tokens).await,
        [401; 3]
    );
    // As a secret it is refused already in the settings, so nothing can be checked.
    let asymmetric = [signed_by("RS256", |message| rsa(&signature::RSA_PKCS1_SHA256, message))];
    assert_eq!(statuses(&json!({"signingSecrets": [RSA_PUBLIC.trim()]}), asymmetric).await, [503]);
}

#[tokio::test]
async fn claims_of_a_token_are_not_trusted() {
    let claims = claims(BODY.as_bytes());
    let hmac = |message: &[u8]| hs256(SECRET, message);
    let mut tokens = Vec::new();
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None"}),
        json!({"alg": "ES512"}),
        json!({"alg": 256}),
        json!({}),
        json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
        json!({"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64(&der(ED25519_PUBLIC)[12..])}}),
        json!({"alg": "RS256", "jku": "https://attacker.example/keys"}),
    ] {
        tokens.push(token(&header, &claims, hmac));
    }
    tokens.push(token(&json!({"alg": "EdDSA", "jwk": {"kty": "OKP"}}), &claims, eddsa));
    let refused = vec![401; tokens.len()];
    assert_eq!(statuses(&json!({"signingSecrets": SECRET}), tokens).await, refused);
}

#[tokio::test]
async fn odd_but_genuine_tokens_pass() {
    let mut with_more = claims(BODY.as_bytes());
    with_more["iss"] = json!(["a", 1]);
    with_more["aud"] = json!("somebody");
    with_more["iat"] = json!(1.5);
    let header = json!({"alg": "HS256", "kid": "unknown to us", "n": 12345678901234567890_u64, "f": 1.5, "o": {"a": [1]}});
    let tokens = [
        token(&header, &with_more, |message| hs256(SECRET, message)),
        token(&json!({"alg": "HS256", "kid": 7}), &with_more, |message| hs256(SECRET, message)),
    ];
    assert_eq!(statuses(&json!({"signingSecrets": SECRET}), tokens).await, [200, 200]);
}

#[tokio::test]
async fn a_token_with_a_time_is_valid_at_that_time_only() {
    let webhook = Webhook::signed();
    let at = |exp: Value| {
        let mut claims = claims(BODY.as_bytes());
        claims["exp"] = exp;
        let token = token(&json!({"alg": "HS256"}), &claims, |message| hs256(SECRET, message));
        with_header(request(BODY), HEADER, &token)
    };
    let now = webhook.handler_time();
    assert_eq!(webhook.send(at(json!(now + 10))).await.0, 200);
    assert_eq!(webhook.send(at(json!(now as f64 + 10.5))).await.0, 200);
    webhook.clock.advance(Duration::from_secs(71));
    assert_eq!(webhook.send(at(json!(now + 10))).await.0, 401);
    assert_eq!(webhook.send(at(json!("tomorrow"))).await.0, 401);
}

#[tokio::test]
async fn a_key_id_chooses_the_key() {
    let keyed = |id: &str, jwk: Value| {
        let mut jwk = jwk;
        jwk["kid"] = json!(id);
        jwk
    };
    let sign = |id: &str| {
        token(&json!({"alg": "RS256", "kid": id}), &claims(BODY.as_bytes()), |message| {
            rsa(&signature::RSA_PKCS1_SHA256, message)
        })
    };
    let tokens =
        || [sign("r1"), sign("r2"), signed_by("RS256", |message| rsa(&signature::RSA_PKCS1_SHA256, message))];
    assert_eq!(statuses(&json!({"publicKeys": [keyed("r1", rsa_jwk())]}), tokens()).await, [200, 401, 200]);
    // A PEM has no id, so it is tried for every token.
    assert_eq!(statuses(&json!({"publicKeys": [RSA_PUBLIC]}), tokens()).await, [200, 200, 200]);
}

#[tokio::test]
async fn every_configured_kind_must_pass() {
    let webhook = Webhook::new(&json!({"fusionauth": {
        "signingSecrets": [SECRET],
        "basic": {"username": "segue", "password": "old"},
        "header": [{"name": "X-Webhook-Key", "value": "one"}, {"name": "X-Webhook-Key", "value": "two"}],
    }}));
    let basic = |request| with_header(request, "authorization", "Basic c2VndWU6b2xk");
    let key = |request, value| with_header(request, "x-webhook-key", value);
    let all: [(Request<Bytes>, u16); 6] = [
        (key(basic(signed(BODY)), "one"), 200),
        (key(basic(signed(BODY)), "two"), 200),
        (key(basic(request(BODY)), "one"), 401),
        (key(signed(BODY), "one"), 401),
        (basic(signed(BODY)), 401),
        (key(basic(signed(BODY)), "three"), 401),
    ];
    for (index, (request, expected)) in all.into_iter().enumerate() {
        assert_eq!(webhook.send(request).await.0, expected, "{index}");
    }
}

#[tokio::test]
async fn without_configuration_nobody_is_accepted_unless_that_is_allowed() {
    // A provider without a proof is a mistake in the settings.
    for (secret, expected) in
        [(json!({}), (401, "not_authentic")), (json!({"fusionauth": {}}), (503, "not_checked"))]
    {
        let (status, answer) = Webhook::new(&secret).send(signed(BODY)).await;
        assert_eq!((status, answer["error"].as_str().unwrap()), expected, "{answer}");
    }
    assert_eq!(Webhook::new(&json!({})).open().send(request(BODY)).await.0, 200);
    // A configured proof still counts.
    assert_eq!(Webhook::signed().open().send(request(BODY)).await.0, 401);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_answered_503_and_accepts_nobody() {
    let webhook = Webhook::new(&json!({"fusionauth": {"signingSecrets": [""]}}));
    let (status, answer) = webhook.send(signed(BODY)).await;
    assert_eq!((status, answer["error"].as_str()), (503, Some("not_checked")), "{answer}");
    assert!(webhook.topic.bodies().is_empty());
}

#[tokio::test]
async fn a_route_with_its_own_member_uses_that() {
    let to = |route: &str, name: &'static str, value: &str| {
        let mut request =
            with_header(request(r#"{"type":"user.deleted","data":{"object":{"user_id":"u"}}}"#), name, value);
        *request.uri_mut() = format!("/identity/{route}").parse().unwrap();
        request
    };
    for (own, name, value) in [
        (json!({"basic": {"username": "segue", "password": "old"}}), "authorization", "Basic c2VndWU6b2xk"),
        (json!({"header": {"name": "X-Segue", "value": "one"}}), "x-segue", "one"),
    ] {
        let webhook = Webhook::new(&json!({"auth0": {"bearer": "shared"}, "auth0/events": own}));
        for (request, expected) in [
            (to("auth0/events", name, value), 200),
            (to("auth0/logs", "authorization", "Bearer shared"), 200),
            (to("auth0/logs", name, value), 401),
        ] {
            assert_eq!(webhook.send(request).await.0, expected, "{own}");
        }
        let shared = webhook.send(to("auth0/events", "authorization", "Bearer shared")).await.0;
        assert_eq!(shared, 401);
    }
}

/// Storing only one provider's member would refuse all others.
#[test]
fn every_page_of_a_provider_shows_a_secret_for_several_and_the_command_that_adds_to_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    for provider in ["fusionauth", "auth0", "clerk", "okta", "commands"] {
        let text = std::fs::read_to_string(format!("{folder}/{provider}.md")).unwrap();
        let blocks = text.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
        let secrets: Vec<&str> =
            blocks.filter(|block| block.contains("signingSecrets\"") || block.contains("bearer\"")).collect();
        assert!(!secrets.is_empty(), "{provider}");
        for secret in secrets {
            let secret = secret.replace("whsec_…", "whsec_c2FtcGxl");
            let proofs = Authentication::parse(&secret, &Providers::built_in())
                .unwrap_or_else(|problem| panic!("{provider}: {problem}"))
                .proofs();
            let named: Vec<&str> = proofs.iter().map(|proofs| proofs.provider.as_str()).collect();
            assert!(
                named.len() > 1 && (named.contains(&provider) || provider == "commands"),
                "{provider}: {named:?}"
            );
        }
        let name = if provider == "commands" { "fusionauth" } else { provider };
        assert!(text.contains(&format!("segue secret add {name}")), "{provider}");
        assert!(!text.contains("--secret-string '"), "{provider}");
    }
}
