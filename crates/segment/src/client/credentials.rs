//! Where a call's write key comes from.

use std::{error::Error, future::Future};

use crate::{Failure, Outcome, Secret};

/// Why there is no write key.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Nothing of that name is configured.
    #[error("no write key of that name is configured")]
    NoWriteKey,
    /// Where it is kept cannot be reached now.
    #[error("the write key could not be read")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl CredentialsError {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::NoWriteKey => Outcome::Rejected(Failure::NoWriteKey),
            Self::Unavailable(_) => Outcome::Retry { failure: Failure::SecretUnavailable, after: None },
        }
    }
}

/// A write key that may change while the program runs. A [`Secret`] is one that does not.
pub trait Credentials: Send + Sync {
    /// The write key as last known.
    fn write_key(&self) -> impl Future<Output = Result<Secret, CredentialsError>> + Send;

    /// The write key read anew, after Segment refused the one of [`write_key`](Self::write_key).
    fn refreshed(&self) -> impl Future<Output = Result<Secret, CredentialsError>> + Send;
}

impl Credentials for Secret {
    async fn write_key(&self) -> Result<Secret, CredentialsError> {
        Ok(self.clone())
    }

    async fn refreshed(&self) -> Result<Secret, CredentialsError> {
        Ok(self.clone())
    }
}
