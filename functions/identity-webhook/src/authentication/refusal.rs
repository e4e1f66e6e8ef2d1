//! Why a request is refused.

/// Why a request is refused. The texts go to the sender and into the log, so they quote nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is configured, so the provider is refused.
    #[error("no authentication is configured for this provider, so every request is refused")]
    NotConfigured,
    /// The static header is missing or wrong.
    #[error("the static header is missing or has another value than the configured one")]
    Header,
    /// The bearer token is missing or wrong.
    #[error("the Authorization header has no bearer token, or another one than the configured one")]
    Bearer,
    /// The HTTP Basic credentials are missing.
    #[error("the request has no HTTP Basic credentials in its Authorization header")]
    BasicMissing,
    /// The HTTP Basic credentials are wrong.
    #[error("the HTTP Basic user name or password is wrong")]
    Basic,
    /// The signature is missing.
    #[error("the {0} header is missing; enable signing for this webhook")]
    SignatureMissing(&'static str),
    /// The signature is not a JWT.
    #[error("the signature does not have the expected form")]
    SignatureMalformed,
    /// `none`, ES512 and other algorithms that are not supported.
    #[error("the signature's algorithm is not supported")]
    Algorithm,
    /// No key has the right kind and id.
    #[error("no configured key has the signature's algorithm and key id")]
    NoKey,
    /// The JWT is that of a person or a program.
    #[error("the body is a token of a person or a program, not a webhook")]
    NoEvent,
    /// The signature is forged or damaged, or was made with another key.
    #[error("the signature was made with another key, or was changed")]
    Signature,
    /// The signature is genuine, but for another body.
    #[error("the signature is genuine but belongs to another body")]
    Body,
    /// `exp` is over, `nbf` is in the future, or one of them is not a time.
    #[error("the signature is not valid at this time")]
    Time,
    /// The keys for the check could not be fetched.
    #[error("the keys that verify signatures could not be fetched; try again")]
    KeysUnavailable,
}

impl Refusal {
    /// Whether the request may be genuine and should be sent again.
    pub fn is_temporary(self) -> bool {
        self == Self::KeysUnavailable
    }

    /// Whether the sender offered a proof that a newer secret may accept.
    pub(crate) fn may_pass_with_newer_secret(self) -> bool {
        matches!(
            self,
            Self::NotConfigured | Self::Header | Self::Bearer | Self::Basic | Self::NoKey | Self::Signature
        )
    }
}
