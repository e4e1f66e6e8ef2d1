//! Webhooks. Doctor connects to them and sends nothing.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{expect, findings, servers::Server};

#[test]
fn webhooks_are_connected_to_and_sent_nothing() {
    let (plain, tls) = (Server::silent(), Server::self_signed());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (plain_url, tls_url) = (plain.url("http", "/hook"), tls.url("https", "/hook"));
    let free_url = format!("http://{free}/hook");
    let private = ["--allow-private-webhooks", "--shared-secret", "0kZ8vTq3RrWm5yXc7Lp2"];
    for (arguments, status, found, fix) in [
        (
            &["--webhook", &plain_url, private[0], private[1], private[2]][..],
            "ok",
            "accepts connections; doctor sent it nothing",
            "",
        ),
        (&["--webhook", &plain_url, private[0]], "warning", "are not signed", "SEGUE_SHARED_SECRET"),
        (
            &["--webhook", &plain_url, private[0], private[1], "changeme"],
            "warning",
            "sharedSecret is a placeholder",
            "openssl",
        ),
        (&["--webhook", &plain_url], "problem", "127.0.0.1 is this machine", "--allow-private-webhooks"),
        (&["--webhook", &free_url, private[0]], "problem", "refuses connections", "start the server there"),
        (
            &["--webhook", &tls_url, private[0]],
            "problem",
            "is not signed by a trusted authority",
            "public authority",
        ),
        (
            &["--webhook", "https://nowhere.invalid/x"],
            "problem",
            "no address found for nowhere.invalid",
            "spelling",
        ),
        (
            &["--webhook", "http://169.254.169.254/"],
            "problem",
            "is a metadata service, which holds credentials",
            "another address",
        ),
        (&["--webhook", "example"], "problem", "must be a full http:// or https:// URL", "SEGUE_WEBHOOK"),
    ] {
        expect(arguments, "webhook", status, found, fix);
    }
    assert_eq!((plain.requests(), tls.requests()), (vec![], vec![]));
}

#[test]
fn silent_servers_are_waited_for_in_parallel() {
    let servers = [Server::silent(), Server::silent(), Server::silent()];
    let urls: Vec<String> = servers.iter().map(|server| server.url("https", "/")).collect();
    let mut arguments: Vec<&str> = urls.iter().flat_map(|url| ["--webhook", url]).collect();
    arguments.push("--allow-private-webhooks");
    let start = Instant::now();
    let (findings, code) = findings(&arguments, &[]);
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}: 5 s for all of them", start.elapsed());
    let slow = "did not answer within 5 s: it accepts connections, but starts no TLS";
    let slow = |finding: &&Value| finding["found"].as_str().unwrap().contains(slow);
    assert_eq!((findings.iter().filter(slow).count(), code), (3, 1), "{findings:#?}");
}
