//! Signed bodies: an HMAC over id, time and body in headers.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use identity::SignedMessage;
use jiff::Timestamp;
use platform::encoding::BASE64;
use ring::hmac::{self, HMAC_SHA256};

use super::{headers::single, refusal::Refusal};

/// Returns the key of a signing secret such as `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`, also with `v1,`
/// before it. Returns `None` if it is not base64.
pub(super) fn key(form: &SignedMessage, secret: &str) -> Option<hmac::Key> {
    let secret = secret.trim();
    let unversioned = secret.strip_prefix(form.version).and_then(|secret| secret.strip_prefix(','));
    let secret = unversioned.unwrap_or(secret);
    let bytes = BASE64.decode(secret.strip_prefix(form.secret_prefix).unwrap_or(secret)).ok()?;
    (!bytes.is_empty()).then(|| hmac::Key::new(HMAC_SHA256, &bytes))
}

/// Passes if the body was signed with one of `keys` within the last minutes.
pub(super) fn check(
    form: &SignedMessage,
    keys: &[hmac::Key],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    let id = find(headers, form.id)?;
    let timestamp = find(headers, form.timestamp)?;
    let signatures = find(headers, form.signature)?;
    let seconds: i64 = timestamp.parse().map_err(|_| Refusal::Time)?;
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    // The standard separates them by spaces; Supabase puts a comma before a space.
    let signatures = signatures.split([' ', ',']).collect::<Vec<_>>();
    let candidates = signatures.windows(2).filter(|pair| pair[0] == form.version);
    let candidates: Vec<Vec<u8>> = candidates.filter_map(|pair| STANDARD.decode(pair[1]).ok()).collect();
    // Each comparison takes constant time, and every pair is compared.
    let pairs = keys.iter().flat_map(|key| candidates.iter().map(move |signature| (key, signature)));
    let fitting = pairs.filter(|(key, signature)| hmac::verify(key, &content, signature).is_ok()).count();
    if fitting == 0 {
        return Err(Refusal::Signature);
    }
    if now.as_second().abs_diff(seconds) > form.tolerance.as_secs() { Err(Refusal::Time) } else { Ok(()) }
}

/// Returns the headers of a body that is signed with `key` now.
pub(super) fn sign(
    form: &SignedMessage,
    key: &hmac::Key,
    body: &[u8],
    now: Timestamp,
) -> [(HeaderName, String); 3] {
    let timestamp = now.as_second().to_string();
    let id = format!("msg_{}", now.as_nanosecond());
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signature = format!("{},{}", form.version, STANDARD.encode(hmac::sign(key, &content)));
    [(form.id, id), (form.timestamp, timestamp), (form.signature, signature)]
        .map(|([name, _], value)| (HeaderName::from_static(name), value))
}

/// Returns the value of the first of these headers that is present.
fn find<'h>(headers: &'h HeaderMap, names: [&'static str; 2]) -> Result<&'h str, Refusal> {
    let found = names.map(HeaderName::from_static).into_iter().find(|name| headers.contains_key(name));
    let value = found.and_then(|name| single(headers, &name)).ok_or(Refusal::SignatureMissing(names[0]))?;
    std::str::from_utf8(value).map_err(|_| Refusal::SignatureMalformed)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use identity::{Provider, Signature};

    use super::*;

    fn form() -> &'static SignedMessage {
        let Some(Signature::Message(form)) = &Provider::named("clerk").unwrap().signature else {
            panic!("it signs")
        };
        form
    }

    /// The example in the standard's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const GENUINE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const AT: i64 = 1_614_265_330;

    fn headers(prefix: &str, signature: &str) -> HeaderMap {
        let pairs =
            [("id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), ("timestamp", "1614265330"), ("signature", signature)];
        let name = |name: &str| HeaderName::try_from(format!("{prefix}-{name}")).unwrap();
        pairs.iter().map(|(key, value)| (name(key), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn check_with(secret: &str, headers: &HeaderMap, body: &[u8], at: i64) -> Result<(), Refusal> {
        check(form(), &[key(form(), secret).unwrap()], headers, body, Timestamp::from_second(at).unwrap())
    }

    #[test]
    fn a_signature_of_the_standard_passes() {
        let other = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for (prefix, signature, secret, at, expected) in [
            ("svix", GENUINE.to_owned(), SECRET, AT, Ok(())),
            ("webhook", GENUINE.to_owned(), SECRET, AT, Ok(())),
            ("svix", GENUINE.to_owned(), "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", AT, Ok(())),
            ("svix", GENUINE.to_owned(), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", AT + 300, Ok(())),
            ("svix", GENUINE.to_owned(), SECRET, AT - 300, Ok(())),
            ("svix", GENUINE.to_owned(), SECRET, AT + 301, Err(Refusal::Time)),
            ("svix", GENUINE.to_owned(), SECRET, AT - 301, Err(Refusal::Time)),
            ("svix", format!("v1a,xxxx {other} {GENUINE}"), SECRET, AT, Ok(())),
            ("svix", format!("{other}, {GENUINE}"), SECRET, AT, Ok(())),
            ("svix", other.to_owned(), SECRET, AT, Err(Refusal::Signature)),
            ("svix", GENUINE.replace("v1,", "v2,"), SECRET, AT, Err(Refusal::Signature)),
            ("svix", GENUINE.replace("v1,", ""), SECRET, AT, Err(Refusal::Signature)),
            ("svix", String::new(), SECRET, AT, Err(Refusal::Signature)),
            ("svix", GENUINE.to_owned(), "whsec_AAAA", AT, Err(Refusal::Signature)),
            ("other", GENUINE.to_owned(), SECRET, AT, Err(Refusal::SignatureMissing("svix-id"))),
        ] {
            let headers = headers(prefix, &signature);
            assert_eq!(check_with(secret, &headers, BODY, at), expected, "{prefix} {signature} {at}");
        }
        assert_eq!(
            check_with(SECRET, &headers("svix", GENUINE), b"{}", AT),
            Err(Refusal::Signature),
            "it is for this body only"
        );
    }

    #[test]
    fn a_secret_that_is_not_base64_is_no_key() {
        for secret in ["whsec_", "", "whsec_not base64!"] {
            assert!(key(form(), secret).is_none(), "{secret}");
        }
    }
}
