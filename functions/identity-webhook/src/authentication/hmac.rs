//! Signed bodies: an HMAC over the body and other parts of the request.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use identity::{Content, Encoding, Hmac, HmacAlgorithm, HmacForm, SecretForm, TimestampUnit};
use jiff::Timestamp;
use platform::encoding::{BASE64, hex};
use ring::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512};

use super::{headers::single, refusal::Refusal};

/// Returns the key of a signing secret: its text, or the bytes of a secret such as
/// `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`, also with `v1,` before it. Returns `None` if it is not of the
/// expected form.
pub(super) fn key(form: &Hmac, secret: &str) -> Option<hmac::Key> {
    let algorithm = match form.algorithm {
        HmacAlgorithm::Sha1 => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HmacAlgorithm::Sha256 => HMAC_SHA256,
        HmacAlgorithm::Sha512 => HMAC_SHA512,
    };
    let secret = secret.trim();
    let bytes = match form.secret {
        SecretForm::Text => secret.as_bytes().to_vec(),
        SecretForm::Base64 { prefix } => {
            let version = match form.form {
                HmacForm::Versioned(version) => version,
                HmacForm::Parts(_) => "",
            };
            let unversioned = secret.strip_prefix(version).and_then(|secret| secret.strip_prefix(','));
            let secret = unversioned.unwrap_or(secret);
            BASE64.decode(secret.strip_prefix(prefix).unwrap_or(secret)).ok()?
        }
    };
    (!bytes.is_empty()).then(|| hmac::Key::new(algorithm, &bytes))
}

/// The parts of a request that may be signed, apart from the body.
#[derive(Default)]
struct Signed<'h> {
    id: &'h str,
    timestamp: &'h str,
    signatures: Vec<Vec<u8>>,
}

/// Passes if the body was signed with one of `keys`, within the last minutes if the request has a time.
pub(super) fn check(
    form: &Hmac,
    keys: &[hmac::Key],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    let signed = read(form, headers)?;
    let is_timed = form.content.contains(&Content::Timestamp);
    let time: i64 = match is_timed {
        true => signed.timestamp.parse().map_err(|_| Refusal::Time)?,
        false => 0,
    };
    let content = content(form, signed.id, signed.timestamp, body);
    // Each comparison takes constant time, and every pair is compared.
    let candidates = &signed.signatures;
    let pairs = keys.iter().flat_map(|key| candidates.iter().map(move |signature| (key, signature)));
    let fitting = pairs.filter(|(key, signature)| hmac::verify(key, &content, signature).is_ok()).count();
    if fitting == 0 {
        return Err(Refusal::Signature);
    }
    let (now, tolerance) = match form.timestamp_unit {
        TimestampUnit::Seconds => (now.as_second(), u128::from(form.tolerance.as_secs())),
        TimestampUnit::Milliseconds => (now.as_millisecond(), form.tolerance.as_millis()),
    };
    if is_timed && u128::from(now.abs_diff(time)) > tolerance { Err(Refusal::Time) } else { Ok(()) }
}

/// Reads the headers.
fn read<'h>(form: &Hmac, headers: &'h HeaderMap) -> Result<Signed<'h>, Refusal> {
    let mut signed = Signed::default();
    if !form.id_header.is_empty() {
        signed.id = find(headers, form.id_header)?;
    }
    if !form.timestamp_header.is_empty() {
        signed.timestamp = find(headers, form.timestamp_header)?;
    }
    let value = find(headers, form.header)?;
    let signatures: Vec<&str> = match form.form {
        HmacForm::Versioned(version) => {
            // The standard separates them by spaces; Supabase puts a comma before a space.
            let pieces: Vec<&str> = value.split([' ', ',']).collect();
            pieces.windows(2).filter(|pair| pair[0] == version).map(|pair| pair[1]).collect()
        }
        HmacForm::Parts(parts) => {
            let mut signatures = Vec::new();
            for piece in value.split(',').map(str::trim) {
                let fitting = parts.iter().filter(|(text, _)| piece.starts_with(text));
                // A part without a text fits everything.
                let found = fitting.max_by_key(|(text, _)| text.len());
                let found = found.and_then(|(text, part)| Some((piece.strip_prefix(text)?, part)));
                match found {
                    Some((signature, Content::Signature)) => signatures.push(signature),
                    // With two times it would be unclear which one is signed.
                    Some((_, Content::Timestamp)) if !signed.timestamp.is_empty() => {
                        return Err(Refusal::SignatureMalformed);
                    }
                    Some((timestamp, Content::Timestamp)) => signed.timestamp = timestamp,
                    _ => {}
                }
            }
            signatures
        }
    };
    signed.signatures = signatures.into_iter().filter_map(|text| decode(form.encoding, text)).collect();
    Ok(signed)
}

/// Returns the bytes that are signed.
fn content(form: &Hmac, id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    let part = |part: &Content| match part {
        Content::Text(text) => text.as_bytes(),
        Content::Id => id.as_bytes(),
        Content::Timestamp => timestamp.as_bytes(),
        Content::Body => body,
        Content::Signature => &[],
    };
    form.content.iter().map(part).collect::<Vec<_>>().concat()
}

/// Returns the headers of a body that is signed with `key` now.
pub(super) fn sign(form: &Hmac, key: &hmac::Key, body: &[u8], now: Timestamp) -> Vec<(HeaderName, String)> {
    let timestamp = match form.timestamp_unit {
        TimestampUnit::Seconds => now.as_second(),
        TimestampUnit::Milliseconds => now.as_millisecond(),
    };
    let timestamp = timestamp.to_string();
    let id = format!("msg_{}", now.as_nanosecond());
    let signature = hmac::sign(key, &content(form, &id, &timestamp, body));
    let signature = encode(form.encoding, signature.as_ref());
    let value = match form.form {
        HmacForm::Versioned(version) => format!("{version},{signature}"),
        HmacForm::Parts(parts) => {
            let part = |(text, part): &(&str, Content)| match part {
                Content::Timestamp => format!("{text}{timestamp}"),
                _ => format!("{text}{signature}"),
            };
            parts.iter().map(part).collect::<Vec<_>>().join(",")
        }
    };
    let headers = [(form.id_header, id), (form.timestamp_header, timestamp), (form.header, value)];
    let named = headers.into_iter().filter_map(|(names, value)| Some((*names.first()?, value)));
    named.map(|(name, value)| (HeaderName::from_static(name), value)).collect()
}

/// Reads the bytes of a signature or a hash.
pub(super) fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Hex => {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let pairs = text.as_bytes().chunks(2);
            pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
        }
    }
}

/// Writes the bytes of a signature or a hash.
pub(super) fn encode(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Hex => hex(bytes),
    }
}

/// Returns the value of the first of these headers that is present.
fn find<'h>(headers: &'h HeaderMap, names: &[&'static str]) -> Result<&'h str, Refusal> {
    let mut known = names.iter().map(|name| HeaderName::from_static(name));
    let found = known.find(|name| headers.contains_key(name));
    let missing = Refusal::SignatureMissing(names.first().copied().unwrap_or_default());
    let value = found.and_then(|name| single(headers, &name)).ok_or(missing)?;
    std::str::from_utf8(value).map_err(|_| Refusal::SignatureMalformed)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use identity::{Providers, Signature};

    use super::*;

    fn form() -> &'static Hmac {
        let Some(Signature::Hmac(form)) = &Providers::built_in().named("clerk").unwrap().signature else {
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

    /// Signatures that the providers' own libraries have in their tests.
    #[test]
    fn a_signature_of_the_providers_own_tests_passes() {
        let kitten = r#"{"id":"event_01J44T8116Q5M0RYCFA6KWNXN9","data":{"id":"meow_123","name":"Meow Corp","object":"kitten","status":"cuteness","created_at":"2021-06-25T19:07:33.155Z","updated_at":"2021-06-25T19:07:33.155Z"},"event":"kitten.created","created_at":"2021-06-25T19:07:33.155Z"}"#;
        for (provider, secret, pairs, body, milliseconds) in [
            // workos/workos-python, tests/test_webhooks.py.
            (
                "workos",
                "2sAZJlbjP8Ce3rwkKEv2GfKef",
                vec![(
                    "workos-signature",
                    "t=1722443701539, v1=f82f88dd60d5bc8a803686a27f83ce148b8c37c54490c52b77d00d62da891f1b",
                )],
                kitten,
                1_722_443_701_539,
            ),
            // logto-io/logto, packages/core/src/utils/sign.test.ts.
            (
                "logto",
                "foo",
                vec![(
                    "logto-signature-sha-256",
                    "436958f1dbfefab37712fb3927760490fbf7757da8c0b2306ee7b485f0360eee",
                )],
                r#"{"bar":"bar","foo":"foo"}"#,
                0,
            ),
            // svix/svix-webhooks, rust/src/webhooks.rs.
            (
                "stytch",
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                vec![
                    ("svix-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
                    ("svix-timestamp", "1649367553"),
                    ("svix-signature", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
                ],
                r#"{"email":"test@example.com","username":"test_user"}"#,
                1_649_367_553_000,
            ),
            // RFC 4231, test case 2, with hexadecimal digits in the other case.
            (
                "keycloak",
                "Jefe",
                vec![(
                    "x-keycloak-signature",
                    "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843",
                )],
                "what do ya want for nothing?",
                0,
            ),
        ] {
            let Some(Signature::Hmac(form)) = &Providers::built_in().named(provider).unwrap().signature
            else {
                panic!("{provider} signs")
            };
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            let now = Timestamp::from_millisecond(milliseconds).unwrap();
            let keys = [key(form, secret).unwrap()];
            assert_eq!(check(form, &keys, &headers, body.as_bytes(), now), Ok(()), "{provider}");
            let other = format!("{body} ");
            assert_eq!(check(form, &keys, &headers, other.as_bytes(), now), Err(Refusal::Signature));
        }
    }

    #[test]
    fn a_secret_that_is_not_base64_is_no_key() {
        for secret in ["whsec_", "", "whsec_not base64!"] {
            assert!(key(form(), secret).is_none(), "{secret}");
        }
    }
}
