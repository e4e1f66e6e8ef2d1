//! Work that may do anything but harm: hang or panic.

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
    #[error("there is a fault in this program: it panicked")]
    Panic,
}

/// The result of the work, unless it panics or takes longer than `deadline`.
pub(crate) async fn contained<T>(deadline: Duration, work: impl Future<Output = T>) -> Result<T, WorkError> {
    let mut work = pin!(work);
    let guarded = std::future::poll_fn(|context| {
        // After a panic it is not polled again, so that nobody sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(WorkError::Panic)),
        }
    });
    tokio::time::timeout(deadline, guarded).await.unwrap_or(Err(WorkError::Deadline(deadline)))
}
