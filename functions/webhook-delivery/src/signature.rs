//! The two signatures of a request: Segment's `X-Signature`, and the one of the Standard Webhooks spec.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use platform::encoding::hex;
use ring::{digest, hmac};
use segment::Secret;

/// The beginning of a signing secret in Standard Webhooks.
const PREFIX: &str = "whsec_";

/// The number of bytes of a signing secret (Standard Webhooks spec, "Signature scheme").
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Returns the value of `X-Signature`, as Segment makes it: the hexadecimal HMAC-SHA1 of `signed`.
pub fn x_signature(secret: &Secret, signed: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
    hex(hmac::sign(&key, signed).as_ref())
}

/// Returns the hexadecimal SHA-256 of a text, for names that must not reveal it.
pub(crate) fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// A secret that signs as the [Standard Webhooks](https://www.standardwebhooks.com) spec says. It prints as
/// `***`.
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

impl SigningSecret {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// The problem, without the secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let encoded = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| format!("a signing secret begins with {PREFIX}, and this one does not"))?;
        let key = STANDARD.decode(encoded).map_err(|_| {
            format!("the part after {PREFIX} in the signing secret is not base64 with its padding")
        })?;
        if !LENGTHS.contains(&key.len()) {
            let (least, most) = (LENGTHS.start(), LENGTHS.end());
            return Err(format!("the signing secret has {} bytes; it needs {least} to {most}", key.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// Returns the value of `webhook-signature` for these values of `webhook-id` and `webhook-timestamp`.
    pub fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp_seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_signature_is_the_hexadecimal_hmac_sha1() {
        // As `openssl dgst -sha1 -hmac` prints them. The second one is well known.
        let long = "é".repeat(70);
        for (secret, signed, expected) in [
            ("", "", "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"),
            (
                "key",
                "The quick brown fox jumps over the lazy dog",
                "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9",
            ),
            (
                "sharedsecretvalue",
                r#"{"version":1,"type":"track","userId":"019mr8mf4r","event":"Café 😀"}"#,
                "406e1b297f79ca4190326368adf296981d89c69b",
            ),
            (&long, "{}", "e54c90bef87b41bbddde4e54c3ea79ffa1108129"),
        ] {
            assert_eq!(x_signature(&Secret::new(secret), signed.as_bytes()), expected, "{signed}");
        }
    }

    #[test]
    fn standard_webhooks_are_signed_over_id_time_and_body() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        // The first one is the example of the spec's libraries; the others were computed with Python's hmac.
        for (id, timestamp, body, expected) in [
            (
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            ("id", 0, "", "v1,WUUEjWSO0VOTH8RO0scz8v5Bl2mrNsQJwcktbe6A9qE="),
            ("é", -1, r#"{"a":"😀"}"#, "v1,IBBh52fxFqsoHW/IgbXeWrWVU7zMp6e2cd3sPl2+aW4="),
        ] {
            assert_eq!(secret.sign(id, timestamp, body.as_bytes()), expected, "{id}");
        }
    }

    #[test]
    fn a_signing_secret_needs_its_prefix_base64_and_24_to_64_bytes() {
        let of_bytes = |count: usize| format!("whsec_{}", STANDARD.encode(vec![b'k'; count]));
        for (text, problem) in [
            (of_bytes(23), Some("the signing secret has 23 bytes; it needs 24 to 64")),
            (of_bytes(24), None),
            (of_bytes(64), None),
            (of_bytes(65), Some("the signing secret has 65 bytes; it needs 24 to 64")),
            (of_bytes(0), Some("the signing secret has 0 bytes; it needs 24 to 64")),
            (of_bytes(25).replace('=', ""), Some("is not base64")),
            (of_bytes(24) + "\n", Some("is not base64")),
            (of_bytes(24).replace("whsec_", ""), Some("begins with whsec_")),
            (of_bytes(24).replace("whsec_", "whsk_"), Some("begins with whsec_")),
            (String::new(), Some("begins with whsec_")),
        ] {
            match (SigningSecret::parse(&text), problem) {
                (Ok(_), None) => {}
                (Err(error), Some(problem)) => {
                    assert!(error.contains(problem), "{text}: {error}");
                    assert!(!error.contains("a2tra2"), "{error}");
                }
                (result, _) => panic!("{text}: {result:?}"),
            }
        }
    }

    #[test]
    fn a_signing_secret_never_prints_itself() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
    }
}
