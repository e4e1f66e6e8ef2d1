//! The source of a call's write key.

use std::{error::Error, future::Future};

use crate::{Failure, Outcome, Secret};

/// Why there is no write key.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// No write key of that name is configured.
    #[error("no write key of that name is configured")]
    NoWriteKey,
    /// The store of the write key cannot be reached now.
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

/// A write key that may change while the program runs. A [`Secret`] is one that does not change.
pub trait Credentials: Send + Sync {
    /// Returns the last known write key.
    fn write_key(&self) -> impl Future<Output = Result<Secret, CredentialsError>> + Send;

    /// Reads the write key again, after Segment refused the one from [`write_key`](Self::write_key).
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
