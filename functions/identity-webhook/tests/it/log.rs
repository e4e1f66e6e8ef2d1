//! What this thread logs.

use std::{cell::RefCell, io::Write, sync::Once};

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Other tests log on their own threads, and a subscriber for one thread alone would not see call sites that they
/// came to first.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps what is logged from here on, debug lines included.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
        tracing::subscriber::set_global_default(subscriber.with_writer(|| Log).finish()).unwrap();
    });
}

/// What was logged on this thread.
pub fn take() -> String {
    String::from_utf8(LOG.take()).unwrap()
}
