//! The quota: how many more units of a limited service may be used.

use std::{error::Error, future::Future, time::Duration};

/// How long a period is kept after its first use. It must be longer than every period.
pub const PERIOD_RETENTION: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Counts the use of a limited service in each period.
pub trait Quota: Send + Sync {
    /// Takes up to `amount` from what is left of `limit` in `period`, such as `regulations#default#2026-11`.
    /// Returns the granted amount, from 0 to `amount`. All takers together never get more than `limit`.
    ///
    /// # Errors
    /// [`QuotaError`] when the granted amount is unknown. The caller must then use nothing, and any amount
    /// that was taken is lost for the period.
    fn take(
        &self,
        period: &str,
        amount: u64,
        limit: u64,
    ) -> impl Future<Output = Result<u64, QuotaError>> + Send;

    /// Gives back an amount that was taken and not used. Does nothing if less than `amount` is taken in the
    /// period.
    ///
    /// # Errors
    /// [`QuotaError`] when the result is unknown. The caller must not try again: an amount that is given back
    /// twice would be granted beyond the limit.
    fn give_back(&self, period: &str, amount: u64) -> impl Future<Output = Result<(), QuotaError>> + Send;
}

/// The quota did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the quota did not answer")]
pub struct QuotaError(#[source] pub Box<dyn Error + Send + Sync>);
