//! Captures the metrics and logs on the thread of a test.

use std::{cell::RefCell, io::Write, sync::Once};

use serde_json::Value;
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Captures the metrics from here on. Other tests use their own threads.
pub fn record() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).without_time();
        let filter = Targets::new().with_target("platform::telemetry", Level::TRACE);
        tracing_subscriber::registry().with(lines.with_writer(|| Lines)).with(filter).init();
    });
    LINES.take();
}

/// Returns the fields of every captured line, without its sentence.
pub fn recorded() -> Vec<Value> {
    let lines = String::from_utf8(LINES.take()).unwrap();
    let fields = |line| {
        let mut fields: Value = serde_json::from_str(line).unwrap();
        let object = fields.as_object_mut().unwrap();
        object.retain(|name, _| !["level", "message", "target"].contains(&name.as_str()));
        if let Some(times) = object.get_mut("DeliveryTime") {
            *times = serde_json::from_str(times.as_str().unwrap()).unwrap();
        }
        fields
    };
    lines.lines().map(fields).collect()
}

/// Captures the logs from here on. Other tests log on their own threads. A subscriber for one thread alone
/// would miss call sites that other tests reached first.
pub fn log() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let lines = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
        tracing::subscriber::set_global_default(lines.with_writer(|| Lines).finish()).unwrap();
    });
    LINES.take();
}

/// Returns all captured logs.
pub fn logged() -> String {
    String::from_utf8(LINES.take()).unwrap()
}
