//! What `segue serve` says when it is up.

use std::{net::SocketAddr, path::Path};

use segment::Endpoint;

/// A login as FusionAuth reports it, short enough for a command line.
const SAMPLE: &str = r#"{"event":{"id":"1","type":"user.login.success","createInstant":1795233600000,"info":{"ipAddress":"203.0.113.7"},"user":{"id":"00000000-0000-0001-0000-000000000001","email":"ada@example.com"}}}"#;

/// Prints the addresses to paste and a command that works.
#[allow(clippy::print_stdout, reason = "the start screen is for the person at the terminal")]
pub fn print(address: SocketAddr, endpoint: Option<&Endpoint>, signed: bool, data_dir: &Path) {
    let ip = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    let ip = if address.is_ipv6() && ip.contains(':') { format!("[{ip}]") } else { ip };
    let base = format!("http://{ip}:{}", address.port());
    println!("Segue {} is up.\n", env!("CARGO_PKG_VERSION"));
    println!("  FusionAuth webhook   {base}/identity/fusionauth");
    match endpoint {
        Some(endpoint) => println!("  Segment              {endpoint}"),
        None => println!("  Segment              a stand-in; what it received is at {base}/"),
    }
    println!("  Store                {}\n", data_dir.display());
    if signed {
        println!(
            "Webhooks must be authentic: FusionAuth signs them with the key you gave, or they are refused."
        );
    } else {
        println!("Webhooks are taken without proof. Try one (again, and Segment sees the same message):\n");
        println!("  curl -H 'content-type: application/json' {base}/identity/fusionauth -d '{SAMPLE}'");
    }
    println!();
}
