//! What `segue serve` says when it is up.

use std::{io::Write, net::SocketAddr, path::Path};

use segment::Endpoint;
use webhook_delivery::Webhook;

/// A login as FusionAuth reports it, short enough for a command line.
const SAMPLE: &str = r#"{"event":{"id":"1","type":"user.login.success","createInstant":1795233600000,"info":{"ipAddress":"203.0.113.7"},"user":{"id":"00000000-0000-0001-0000-000000000001","email":"ada@example.com"}}}"#;

/// What the banner tells.
pub struct Banner<'a> {
    pub address: SocketAddr,
    /// The real Segment; None is the stand-in.
    pub endpoint: Option<&'a Endpoint>,
    /// Whether webhooks must be authentic.
    pub signed: bool,
    /// The write key, where it is no secret.
    pub write_key: Option<&'a str>,
    /// Whether the tracking API takes anything.
    pub tracking_open: bool,
    pub webhooks: &'a [Webhook],
    /// What becomes of deleted users at Segment.
    pub regulations: Option<&'a str>,
    pub data_dir: &'a Path,
}

impl Banner<'_> {
    /// Prints the addresses to paste and a command that works. That nobody reads it is no reason to stop.
    pub fn print(&self) {
        let _ = std::io::stdout().write_all(self.screen().as_bytes());
    }

    fn screen(&self) -> String {
        let base = format!("http://{}", super::reachable(self.address));
        let segment = match self.endpoint {
            Some(endpoint) => endpoint.to_string(),
            None => format!("a stand-in; what it received is at {base}/"),
        };
        let libraries = match (self.tracking_open, self.write_key) {
            (false, _) => "refused: set SEGMENT_WRITE_KEY to let them in from other machines".to_owned(),
            (true, Some(write_key)) => format!("host {base}, write key {write_key}"),
            (true, None) => format!("host {base}, with the write key you gave"),
        };
        let webhooks: Vec<&str> = self.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
        let webhooks = if webhooks.is_empty() {
            "none; name one with --webhook".to_owned()
        } else {
            webhooks.join(", ")
        };
        let next = if self.signed {
            "Webhooks must prove who sends them as you configured it, or they are refused.".to_owned()
        } else {
            format!(
                "Webhooks are taken without proof. Try one (again, and Segment sees the same message):\n\n  \
                 curl -H 'content-type: application/json' {base}/identity/fusionauth -d '{SAMPLE}'"
            )
        };
        format!(
            "Segue {version} is up.\n\n  \
               Identity providers   {base}/identity/…: {providers}\n  \
               Segment libraries    {libraries}\n  \
               Segment              {segment}\n  \
               Webhooks             {webhooks}\n  \
               Deleted users        {deleted}\n  \
               Store                {store}\n\n{next}\n\n",
            version = env!("CARGO_PKG_VERSION"),
            providers = identity_webhook::addresses().join(", "),
            deleted = self.regulations.unwrap_or("stay at Segment; SEGMENT_PUBLIC_API_TOKEN changes that"),
            store = self.data_dir.display(),
        )
    }
}
