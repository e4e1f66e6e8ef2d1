//! The proofs that a file can declare, through HTTP. The requests are signed here, without the product's code.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::Request;
use identity::{Config, Mappings, Providers};
use identity_webhook::Authentication;
use proptest::{prelude::*, sample::Index};
use ring::{
    digest::{SHA256, digest},
    hmac,
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};

use crate::{
    forgery::block_on,
    support::{RecordingTopic, Webhook, now},
};

/// The shared secret of every scheme, also as base64.
const SECRET: &str = "a secret of the test";
const BODY: &str = r#"{"type":"login","id":"e1","user":"u1"}"#;

/// A way to sign.
struct Scheme {
    proof: &'static str,
    secret: fn() -> Value,
    /// Returns the headers of a body that is signed at this time, in milliseconds.
    sign: fn(&str, i64) -> Vec<(&'static str, String)>,
    /// Whether the time is signed.
    is_timed: bool,
}

fn plain() -> Value {
    json!({"signingSecrets": SECRET})
}

fn mac(algorithm: hmac::Algorithm, content: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), content.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const SCHEMES: &[Scheme] = &[
    Scheme {
        proof: r#"{ kind = "standard-webhooks" }"#,
        secret: || json!({"signingSecrets": format!("whsec_{}", STANDARD.encode(SECRET))}),
        sign: |body, at| {
            let seconds = at / 1_000;
            let signature = STANDARD.encode(mac(hmac::HMAC_SHA256, &format!("msg_1.{seconds}.{body}")));
            vec![
                ("webhook-id", "msg_1".to_owned()),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", format!("v1,{signature}")),
            ]
        },
        is_timed: true,
    },
    Scheme {
        proof: r#"{ kind = "hmac-sha256", header = "X-Signature" }"#,
        secret: plain,
        sign: |body, _| vec![("x-signature", hex(&mac(hmac::HMAC_SHA256, body)))],
        is_timed: false,
    },
    Scheme {
        proof: r#"{ kind = "hmac-sha1", header = "X-Hub-Signature", form = "sha1={signature}" }"#,
        secret: plain,
        sign: |body, _| {
            let signature = hex(&mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, body));
            vec![("x-hub-signature", format!("sha1={signature}"))]
        },
        is_timed: false,
    },
    Scheme {
        proof: r#"{ kind = "hmac-sha512", header = "X-Signature", encoding = "base64", content = "v0:{timestamp}:{body}",
            timestampHeader = "X-Time", timestamp = "milliseconds", tolerance = 180 }"#,
        secret: plain,
        sign: |body, at| {
            let signature = mac(hmac::HMAC_SHA512, &format!("v0:{at}:{body}"));
            vec![("x-time", at.to_string()), ("x-signature", STANDARD.encode(signature))]
        },
        is_timed: true,
    },
    Scheme {
        proof: r#"{ kind = "hmac-sha256", header = "X-Signature", form = "t={timestamp}, v1={signature}",
            content = "{timestamp}.{body}", timestamp = "seconds" }"#,
        secret: plain,
        sign: |body, at| {
            let seconds = at / 1_000;
            let signature = hex(&mac(hmac::HMAC_SHA256, &format!("{seconds}.{body}")));
            vec![("x-signature", format!("t={seconds},v1={signature}"))]
        },
        is_timed: true,
    },
    Scheme {
        proof: r#"{ kind = "hmac-sha256", header = "X-Signature", content = "{id}.{body}", idHeader = "X-Id",
            secret = "base64", secretPrefix = "sk_" }"#,
        secret: || json!({"signingSecrets": format!("sk_{}", STANDARD.encode(SECRET))}),
        sign: |body, _| {
            let signature = hex(&mac(hmac::HMAC_SHA256, &format!("id_1.{body}")));
            vec![("x-id", "id_1".to_owned()), ("x-signature", signature)]
        },
        is_timed: false,
    },
    Scheme {
        proof: r#"{ kind = "jwt", header = "Authorization", bodyHash = "request_body_sha256", encoding = "hex" }"#,
        secret: || json!({"publicKeys": include_str!("../keys/test-rsa-2048-public.pem")}),
        sign: |body, at| {
            let claims = json!({"request_body_sha256": hex(digest(&SHA256, body.as_bytes()).as_ref()), "exp": at / 1_000 + 100});
            vec![("authorization", format!("Bearer {}", jwt(&claims)))]
        },
        is_timed: true,
    },
];

/// Returns a JWT of the test's RSA key.
fn jwt(claims: &Value) -> String {
    let pem = include_str!("../keys/test-rsa-2048-private.pem");
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn file(proof: &str) -> String {
    format!(
        "[acme]\nproof = {}\nevent = {{ type = 'event.type', id = 'event.id' }}\nsubject = {{ userId = 'event.user' }}\non.login.track = {{}}",
        proof.replace('\n', " ")
    )
}

impl Scheme {
    fn webhook(&self) -> Webhook {
        let mappings = Mappings::with("acme.toml", &file(self.proof)).unwrap();
        let config = Config { mappings, ..Config::new("d") };
        Webhook::with(&json!({"acme": (self.secret)()}), config, RecordingTopic::default())
    }
}

fn request(headers: &[(&'static str, String)], body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::post("/identity/acme").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(body.into()).unwrap()
}

fn milliseconds() -> i64 {
    now().as_millisecond()
}

#[tokio::test]
async fn a_genuine_request_of_every_scheme_is_accepted() {
    for scheme in SCHEMES {
        let webhook = scheme.webhook();
        let headers = (scheme.sign)(BODY, milliseconds());
        assert_eq!(
            webhook.send(request(&headers, BODY)).await,
            (200, json!({"accepted": 1})),
            "{}",
            scheme.proof
        );
        // The proof that Try it makes is the same one.
        let secret = json!({"acme": (scheme.secret)()}).to_string();
        let mappings = Mappings::with("acme.toml", &file(scheme.proof)).unwrap();
        let authentication = Authentication::parse(&secret, mappings.providers()).unwrap();
        let mut own = http::HeaderMap::new();
        if authentication.prove("acme", &mut own, BODY.as_bytes(), now()).is_ok() {
            let mut request = request(&[], BODY);
            request.headers_mut().extend(own);
            assert_eq!(webhook.send(request).await.0, 200, "{}", scheme.proof);
        }
    }
}

/// A part of the header without a text before it fits everything, so the others come first.
#[tokio::test]
async fn a_part_of_a_header_without_a_text_does_not_hide_the_others() {
    type Header = fn(&str, &str) -> String;
    let after: Header = |time, tag| format!("{time},v1={tag}");
    let before: Header = |time, tag| format!("{tag}, t={time}");
    for (form, header) in [("{timestamp},v1={signature}", after), ("{signature}, t={timestamp}", before)] {
        let proof = format!(
            r#"{{ kind = "hmac-sha256", header = "X-S", form = "{form}", content = "{{timestamp}}.{{body}}" }}"#
        );
        let mappings = Mappings::with("acme.toml", &file(&proof)).unwrap();
        let config = Config { mappings, ..Config::new("d") };
        let webhook = Webhook::with(&json!({"acme": plain()}), config, RecordingTopic::default());
        let seconds = (milliseconds() / 1_000).to_string();
        let tag = hex(&mac(hmac::HMAC_SHA256, &format!("{seconds}.{BODY}")));
        let request = request(&[("x-s", header(&seconds, &tag))], BODY);
        assert_eq!(webhook.send(request).await.0, 200, "{form}");
    }
}

#[tokio::test]
async fn a_request_without_one_of_its_headers_is_refused() {
    for scheme in SCHEMES {
        let headers = (scheme.sign)(BODY, milliseconds());
        for missing in 0..headers.len() {
            let mut fewer = headers.clone();
            let (name, _) = fewer.remove(missing);
            assert_eq!(
                scheme.webhook().send(request(&fewer, BODY)).await.0,
                401,
                "{} without {name}",
                scheme.proof
            );
            let mut empty = headers.clone();
            empty[missing].1 = String::new();
            assert_eq!(
                scheme.webhook().send(request(&empty, BODY)).await.0,
                401,
                "{} empty {name}",
                scheme.proof
            );
            let mut twice = headers.clone();
            twice.push(headers[missing].clone());
            assert_eq!(
                scheme.webhook().send(request(&twice, BODY)).await.0,
                401,
                "{} twice {name}",
                scheme.proof
            );
        }
    }
}

#[tokio::test]
async fn an_old_request_and_one_of_the_future_are_refused() {
    for scheme in SCHEMES.iter().filter(|scheme| scheme.is_timed) {
        let hours = |hours: i64| (scheme.sign)(BODY, milliseconds() + hours * 3_600_000);
        assert_eq!(scheme.webhook().send(request(&hours(-2), BODY)).await.0, 401, "{}", scheme.proof);
        let ahead = scheme.webhook().send(request(&hours(2), BODY)).await.0;
        // A JWT may be valid for hours.
        assert_eq!(ahead, if scheme.proof.contains("jwt") { 200 } else { 401 }, "{}", scheme.proof);
        let edge = |seconds: i64| (scheme.sign)(BODY, milliseconds() + seconds * 1_000);
        for seconds in [-180, 180] {
            assert_eq!(
                scheme.webhook().send(request(&edge(seconds), BODY)).await.0,
                if scheme.proof.contains("jwt") && seconds < 0 { 401 } else { 200 },
                "{} {seconds}",
                scheme.proof
            );
        }
    }
}

#[test]
fn an_empty_secret_is_refused_in_the_settings() {
    for scheme in SCHEMES {
        let mappings = Mappings::with("acme.toml", &file(scheme.proof)).unwrap();
        for secret in [json!(""), json!(" "), json!("whsec_"), json!("sk_"), json!([]), json!([""])] {
            let member = if scheme.proof.contains("\"jwt\"") { "publicKeys" } else { "signingSecrets" };
            let text = json!({"acme": {member: secret}}).to_string();
            let parsed = Authentication::parse(&text, mappings.providers());
            // Without base64, any text that is not blank may be the key.
            let is_text = secret.as_str().is_some_and(|secret| !secret.trim().is_empty());
            let decodes =
                scheme.proof.contains("base64\", secretPrefix") || scheme.proof.contains("standard");
            let prefix = secret == "whsec_" && scheme.proof.contains("sk_")
                || secret == "sk_" && scheme.proof.contains("standard");
            let fine = is_text && !decodes && member == "signingSecrets";
            assert!(parsed.is_err() || fine || prefix, "{} {secret}", scheme.proof);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_a_jwt_counts_only_if_it_is_an_event_of_this_key() {
    let config = || Config::new("d");
    let secret = json!({"kinde": {"publicKeys": include_str!("../keys/test-rsa-2048-public.pem")}});
    let event = json!({"type": "user.authenticated", "event_id": "e1", "data": {"user": {"id": "u1"}}});
    let with = |name: &str, value: Value| {
        let mut claims = event.clone();
        claims[name] = value;
        claims
    };
    let seconds = now().as_second();
    let post = async |body: String, content_type: &str| {
        let webhook = Webhook::with(&secret, config(), RecordingTopic::default());
        let request = Request::post("/identity/kinde").header("content-type", content_type);
        webhook.send(request.body(body.into()).unwrap()).await.0
    };
    let jwt_type = "application/jwt";
    assert_eq!(post(jwt(&event), jwt_type).await, 200);
    assert_eq!(post(format!("{}\n", jwt(&event)), "application/json").await, 200);
    for (claims, status) in [
        (with("exp", json!(seconds + 10)), 200),
        (with("exp", json!(seconds - 100)), 401),
        (with("nbf", json!(seconds + 100)), 401),
        // Kinde signs the tokens of its users with the same keys.
        (with("sub", json!("kp_1")), 401),
        (with("azp", json!("app")), 401),
        (with("scp", json!(["openid"])), 401),
        (with("scope", json!("openid")), 401),
        (json!({"type": "user.deleted"}), 422),
        (json!({}), 422),
    ] {
        assert_eq!(post(jwt(&claims), jwt_type).await, status, "{claims}");
    }
    let genuine = jwt(&event);
    let (header, rest) = genuine.split_once('.').unwrap();
    let signature = rest.split_once('.').unwrap().1;
    let forged = URL_SAFE_NO_PAD.encode(with("data", json!({"user": {"id": "u2"}})).to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    for body in [
        format!("{header}.{forged}.{signature}"),
        format!("{none}.{forged}."),
        format!("{header}.{forged}."),
        format!("{genuine}.{signature}"),
        event.to_string(),
        String::new(),
        "..".to_owned(),
    ] {
        assert_eq!(post(body.clone(), jwt_type).await, 401, "{body}");
    }
    // Only where the whole body is a JWT.
    let webhook = SCHEMES[1].webhook();
    let headers = (SCHEMES[1].sign)(BODY, milliseconds());
    let mut request = request(&headers, BODY);
    request.headers_mut().insert("content-type", "application/jwt".parse().unwrap());
    assert_eq!(webhook.send(request).await.0, 400);
}

#[tokio::test]
async fn the_answer_is_the_one_that_the_file_declares() {
    for (answer, status, body) in [
        ("{ status = 204 }", 204, ""),
        ("{ body = {} }", 200, "{}"),
        ("{ status = 202, body = { ok = true } }", 202, r#"{"ok":true}"#),
    ] {
        let text = file(SCHEMES[1].proof).replace("[acme]\n", &format!("[acme]\nanswer = {answer}\n"));
        let config = Config { mappings: Mappings::with("acme.toml", &text).unwrap(), ..Config::new("d") };
        let webhook = Webhook::with(&json!({"acme": plain()}), config, RecordingTopic::default());
        let headers = (SCHEMES[1].sign)(BODY, milliseconds());
        let response = webhook.respond(request(&headers, BODY)).await;
        assert_eq!((response.status().as_u16(), response.body().as_str()), (status, body), "{answer}");
        assert_eq!(response.headers().contains_key("content-type"), !body.is_empty());
    }
}

#[test]
fn the_secret_of_a_provider_is_added_in_the_form_that_its_file_needs() {
    for (proof, value, expected) in [
        (r#"{ kind = "bearer" }"#, "x", r#"{"acme":{"bearer":["x"]}}"#),
        (
            r#"{ kind = "header", header = "X-Key" }"#,
            "x",
            r#"{"acme":{"header":{"name":"x-key","value":"x"}}}"#,
        ),
        (r#"{ kind = "basic" }"#, "a:b:c", r#"{"acme":{"basic":{"username":"a","password":"b:c"}}}"#),
        (r#"{ kind = "hmac-sha256", header = "X-S" }"#, "x", r#"{"acme":{"signingSecrets":["x"]}}"#),
        (
            r#"{ kind = "jwt", header = "X-J", bodyHash = "h" }"#,
            "https://keys.example/jwks",
            r#"{"acme":{"jwksUrl":"https://keys.example/jwks"}}"#,
        ),
        (
            r#"{ kind = "jwt", header = "X-J", bodyHash = "h" }"#,
            "shared",
            r#"{"acme":{"signingSecrets":["shared"]}}"#,
        ),
        (
            r#"{ kind = "jwt-body" }"#,
            "https://keys.example/jwks",
            r#"{"acme":{"jwksUrl":"https://keys.example/jwks"}}"#,
        ),
    ] {
        let mappings = Mappings::with("acme.toml", &file(proof)).unwrap();
        let added = identity_webhook::add_member("{}", "acme", value, false, mappings.providers()).unwrap();
        assert_eq!(added, expected, "{proof}");
        assert!(identity_webhook::add_member("{}", "acme", value, false, &Providers::built_in()).is_err());
    }
    let mappings = Mappings::with("acme.toml", &file(r#"{ kind = "basic" }"#)).unwrap();
    let error = identity_webhook::add_member("{}", "acme", "hush", false, mappings.providers()).unwrap_err();
    assert_eq!(error.to_string(), "the new member cannot be used: write it as username:password");
}

/// Everybody could sign with it.
#[test]
fn a_public_key_or_its_address_is_no_signing_secret() {
    let pem = include_str!("../keys/test-rsa-2048-public.pem");
    for (value, member) in [
        ("https://keys.example/jwks.json", "jwksUrl"),
        ("HTTPS://keys.example/jwks.json", "jwksUrl"),
        (pem, "publicKeys"),
        (r#"{"kty":"RSA"}"#, "publicKeys"),
        (r#"{"keys":[{"kty":"RSA"}]}"#, "publicKeys"),
        (r#"[{"kty":"EC"}]"#, "publicKeys"),
        ("ssh-rsa AAAAB3NzaC1yc2E", "publicKeys"),
    ] {
        for provider in ["fusionauth", "workos"] {
            let secret = json!({provider: {"signingSecrets": [value]}}).to_string();
            let problem = Authentication::parse(&secret, &Providers::built_in()).err().unwrap();
            assert_eq!(
                problem,
                format!(
                    "{provider}.signingSecrets[0]: everybody knows this, so anybody could sign; put it into {member}"
                )
            );
        }
    }
    let shared = json!({"fusionauth": {"signingSecrets": [r#"{"kty":"oct","k":"c2VjcmV0"}"#]}}).to_string();
    assert!(
        Authentication::parse(&shared, &Providers::built_in()).is_ok(),
        "this kind of key is a shared secret"
    );
    let added = identity_webhook::add_member("{}", "fusionauth", pem, false, &Providers::built_in()).unwrap();
    assert!(added.contains("publicKeys"), "{added}");
}

proptest! {
    #[test]
    fn no_scheme_accepts_another_body_or_another_header(
        which in 0..SCHEMES.len(),
        at in any::<Index>(),
        byte in any::<u8>(),
        part in any::<Index>(),
    ) {
        let scheme = &SCHEMES[which];
        let headers = (scheme.sign)(BODY, milliseconds());
        // The body is one of the parts, and so is each header.
        let part = part.index(headers.len() + 1);
        let (mut changed, mut body) = (headers.clone(), BODY.as_bytes().to_vec());
        if let Some((_, value)) = changed.get_mut(part) {
            let at = at.index(value.len());
            let other = char::from(b' ' + byte % 95).to_string();
            value.replace_range(at..=at, &other);
            // A header's value has no spaces around it, and hexadecimal digits may be in either case.
            prop_assume!(!value.eq_ignore_ascii_case(&headers[part].1) && value.trim() == value.as_str());
            // Base64 ignores nothing, but a space after a comma and the word Bearer may be written in other ways.
            prop_assume!(!value.contains(' ') || headers[part].1.contains(' '));
        } else {
            let at = at.index(body.len());
            body[at] = byte;
            prop_assume!(body != BODY.as_bytes());
        }
        let webhook = scheme.webhook();
        let status = block_on(webhook.send(request(&changed, body))).0;
        prop_assert!(matches!(status, 401 | 400), "{} {:?} {}", scheme.proof, changed, status);
        prop_assert!(webhook.topic.bodies().is_empty());
    }
}
