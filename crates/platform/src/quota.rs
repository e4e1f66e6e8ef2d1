//! How much a limited service may still be asked for.

use std::{error::Error, future::Future, time::Duration};

/// How long a period is remembered after its first use. It must outlast every period.
pub const PERIOD_RETENTION: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Counts what a limited service may still be asked for in a period.
pub trait Quota: Send + Sync {
    /// Takes up to `amount` from what is left of `limit` in `period`, such as `regulations#default#2026-11`, and
    /// returns how much was granted, from 0 to `amount`. Concurrent takers together never get more than `limit`.
    ///
    /// # Errors
    /// [`QuotaError`] when it is not known how much was granted: then nothing may be used, and what was taken
    /// all the same is lost to the period.
    fn take(
        &self,
        period: &str,
        amount: u64,
        limit: u64,
    ) -> impl Future<Output = Result<u64, QuotaError>> + Send;

    /// Gives back what was taken and not used. Nothing is given back of a period that has less than `amount` taken.
    ///
    /// # Errors
    /// [`QuotaError`] when it is not known to be given back. It must not be tried again then: what is given back
    /// twice would be granted beyond the limit.
    fn give_back(&self, period: &str, amount: u64) -> impl Future<Output = Result<(), QuotaError>> + Send;
}

/// The quota did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the quota did not answer")]
pub struct QuotaError(#[source] pub Box<dyn Error + Send + Sync>);
