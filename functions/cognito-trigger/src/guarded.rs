//! Runs work that must not hang or panic the invocation.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

/// Why work has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WorkError {
    #[error("it took longer than {0:?}")]
    Deadline(Duration),
    #[error("a bug in this program: it panicked; please report it")]
    Panic,
}

/// Returns the result of the work, unless it panics or takes longer than `deadline`.
pub(crate) async fn guarded<T>(deadline: Duration, work: impl Future<Output = T>) -> Result<T, WorkError> {
    let mut work = pin!(work);
    let guarded = std::future::poll_fn(|context| {
        // After a panic it is not polled again, so that nothing sees its unfinished state.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(WorkError::Panic)),
        }
    });
    tokio::time::timeout(deadline, guarded).await.unwrap_or(Err(WorkError::Deadline(deadline)))
}
