//! How the requests of a provider prove that they are genuine, as data. The function identity-webhook checks them.

use std::time::Duration;

/// How a provider signs a body.
#[derive(Debug)]
pub enum Signature {
    /// A JWT in a header that holds the hash of the body, signed with a shared secret or a key pair.
    BodyHash(BodyHashToken),
    /// An HMAC over the body and other parts of the request, with a shared secret.
    Hmac(Hmac),
    /// The whole body is a JWT, signed with a key pair. The event is its claims.
    WholeBody,
}

/// A JWT that holds the hash of the body.
#[derive(Debug)]
pub struct BodyHashToken {
    /// The header with the JWT, in lower case. In `authorization`, the word `Bearer` comes before it.
    pub header: &'static str,
    /// The claim with the SHA-256 of the raw body.
    pub claim: &'static str,
    /// How the claim writes the hash.
    pub encoding: Encoding,
    /// How far the sender's clock may be off, for the times between which the JWT is valid.
    pub leeway: Duration,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits, in either case.
    Hex,
    /// Standard base64 with padding.
    Base64,
}

/// An HMAC in a header. A header can have several names; the first one that is present counts.
#[derive(Debug)]
pub struct Hmac {
    /// The hash function.
    pub algorithm: HmacAlgorithm,
    /// How the signature is written.
    pub encoding: Encoding,
    /// The header with the signature, in lower case.
    pub header: &'static [&'static str],
    /// The form of that header.
    pub form: HmacForm,
    /// The header with the id of the request, if there is one.
    pub id_header: &'static [&'static str],
    /// The header with the time of the request, if it is not in the header of the signature.
    pub timestamp_header: &'static [&'static str],
    /// The unit of the time.
    pub timestamp_unit: TimestampUnit,
    /// The largest difference between the time of the request and ours.
    pub tolerance: Duration,
    /// The bytes that are signed.
    pub content: &'static [Content],
    /// The form of the shared secret.
    pub secret: SecretForm,
}

/// The hash function of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum HmacAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// The form of the header with a signature.
#[derive(Debug)]
pub enum HmacForm {
    /// `version,signature`, several of them separated by spaces, as in Standard Webhooks.
    Versioned(&'static str),
    /// Parts that are separated by commas, in any order. A part is a text and the value after it, such as
    /// `t=` and the time. A part may occur several times.
    Parts(&'static [(&'static str, Content)]),
}

/// A part of the bytes that are signed, or of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The same text in each request.
    Text(&'static str),
    /// The id of the request.
    Id,
    /// The time of the request, as it was sent.
    Timestamp,
    /// The raw body.
    Body,
    /// The signature. Only a header has it.
    Signature,
}

/// The unit of a time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum TimestampUnit {
    Seconds,
    Milliseconds,
}

/// The form of a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// The key is the text itself.
    Text,
    /// The key is in base64, after this prefix. The prefix may be missing.
    Base64 {
        /// Such as `whsec_`.
        prefix: &'static str,
    },
}

/// [Standard Webhooks](https://www.standardwebhooks.com), as Svix implements them for Clerk, Stytch and
/// others. The first name of each header is Svix's own.
pub(crate) const STANDARD_WEBHOOKS: Hmac = Hmac {
    algorithm: HmacAlgorithm::Sha256,
    encoding: Encoding::Base64,
    header: &["svix-signature", "webhook-signature"],
    form: HmacForm::Versioned("v1"),
    id_header: &["svix-id", "webhook-id"],
    timestamp_header: &["svix-timestamp", "webhook-timestamp"],
    timestamp_unit: TimestampUnit::Seconds,
    // "Webhook timestamp": five minutes.
    tolerance: Duration::from_secs(5 * 60),
    content: &[Content::Id, Content::Text("."), Content::Timestamp, Content::Text("."), Content::Body],
    secret: SecretForm::Base64 { prefix: "whsec_" },
};

/// The member of the identity secret that a secret as plain text goes into, if the provider does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticProof {
    /// A token in the `Authorization` header.
    Bearer,
    /// A user name and a password, with a colon between them.
    Basic,
    /// The value of this header.
    Header(&'static str),
}
