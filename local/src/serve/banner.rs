//! What `segue serve` says when it is up.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use segment::Endpoint;

/// A login as FusionAuth reports it, short enough for a command line.
const SAMPLE: &str = r#"{"event":{"id":"1","type":"user.login.success","createInstant":1795233600000,"info":{"ipAddress":"203.0.113.7"},"user":{"id":"00000000-0000-0001-0000-000000000001","email":"ada@example.com"}}}"#;

/// Prints the addresses to paste and a command that works. That nobody reads it is no reason to stop.
pub fn print(address: SocketAddr, endpoint: Option<&Endpoint>, signed: bool, data_dir: &Path) {
    let _ = std::io::stdout().write_all(screen(address, endpoint, signed, data_dir).as_bytes());
}

fn screen(address: SocketAddr, endpoint: Option<&Endpoint>, signed: bool, data_dir: &Path) -> String {
    let reachable = match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        _ => address,
    };
    let base = format!("http://{reachable}");
    let segment = match endpoint {
        Some(endpoint) => endpoint.to_string(),
        None => format!("a stand-in; what it received is at {base}/"),
    };
    let next = if signed {
        "Webhooks must be authentic: FusionAuth signs them with the key you gave, or they are refused."
            .to_owned()
    } else {
        format!(
            "Webhooks are taken without proof. Try one (again, and Segment sees the same message):\n\n  \
             curl -H 'content-type: application/json' {base}/identity/fusionauth -d '{SAMPLE}'"
        )
    };
    format!(
        "Segue {version} is up.\n\n  \
           FusionAuth webhook   {base}/identity/fusionauth\n  \
           Segment              {segment}\n  \
           Store                {store}\n\n{next}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        store = data_dir.display(),
    )
}
