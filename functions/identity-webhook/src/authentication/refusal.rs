//! Why a request is refused.

/// Why a request is refused. The texts go to the sender and into the log, so they quote nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Fail closed.
    #[error("no authentication is configured for this provider, so every request is refused")]
    NotConfigured,
    /// The static header.
    #[error("the static header is missing or has another value than the configured one")]
    Header,
    /// No bearer token, or another one.
    #[error("the Authorization header has no bearer token, or another one than the configured one")]
    Bearer,
    /// No HTTP Basic credentials.
    #[error("the request has no HTTP Basic credentials in its Authorization header")]
    BasicMissing,
    /// Other HTTP Basic credentials.
    #[error("the HTTP Basic user name or password is wrong")]
    Basic,
    /// No signature.
    #[error("the {0} header is missing; enable signing for this webhook")]
    SignatureMissing(&'static str),
    /// Not a JWT.
    #[error("the signature is not of the expected form")]
    SignatureMalformed,
    /// `none`, ES512 and whatever else is not verified.
    #[error("the signature's algorithm is not supported")]
    Algorithm,
    /// No key of the right kind and id.
    #[error("no configured key has the signature's algorithm and key id")]
    NoKey,
    /// Forged or damaged, or made with another key.
    #[error("the signature was made with another key, or was changed")]
    Signature,
    /// Genuine, for another body.
    #[error("the signature is genuine but belongs to another body")]
    Body,
    /// `exp` is over, `nbf` has not come, or one of them is no time.
    #[error("the signature is not valid at this time")]
    Time,
    /// The keys to check with could not be had.
    #[error("the keys that signatures are checked with could not be fetched; try again")]
    KeysUnavailable,
}

impl Refusal {
    /// Whether the request may be genuine and should be sent again.
    pub fn is_temporary(self) -> bool {
        self == Self::KeysUnavailable
    }

    /// Whether the sender offered a proof that a newer secret might accept.
    pub(crate) fn may_pass_with_newer_secret(self) -> bool {
        matches!(
            self,
            Self::NotConfigured | Self::Header | Self::Bearer | Self::Basic | Self::NoKey | Self::Signature
        )
    }
}
