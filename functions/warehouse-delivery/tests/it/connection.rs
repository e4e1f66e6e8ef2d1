//! Connections: TLS, passwords, sockets, poolers, and servers that take no changes.

use std::{sync::Arc, time::Duration};

use ring::digest::{SHA256, digest};
use serde_json::json;
use testkit::{
    World,
    postgres::{Installation, OWNER, PgBouncer, PostgresServer},
    tls::{Authority, Identity, self_signed},
};
use warehouse_delivery::WarehouseDestination;

use crate::support::{Warehouse, destination, track};

/// Starts a server that takes only TLS connections of its owner, with a password.
async fn with_tls(installation: &Installation, identity: &Identity) -> PostgresServer {
    let server = PostgresServer::start_with_tcp(installation).await;
    let (certificate, key) = identity.pem();
    server.write("server.crt", &certificate);
    server.write("server.key", &key);
    server.run("ALTER ROLE postgres PASSWORD 'secret'").await;
    server.run("ALTER SYSTEM SET ssl = on").await;
    server.write("pg_hba.conf", "hostssl all all all scram-sha-256\nlocal all all trust\n");
    let reload = "SELECT pg_reload_conf()";
    server.client().await.batch_execute(reload).await.unwrap();
    server
}

/// Writes one message. Returns the reason if it was not written.
async fn attempt(secret: impl Into<String>) -> Result<(), String> {
    let secret = secret.into();
    let world: World<WarehouseDestination> =
        World::new(move |_, clock| destination(secret.clone(), clock.clone()));
    testkit::log();
    world.publish(&track("m1", "{}"), "default").await;
    world.poll(10).await;
    let logged = testkit::logged();
    if world.queued().await.is_empty() { Ok(()) } else { Err(logged) }
}

#[tokio::test]
async fn the_certificate_of_the_server_is_checked_unless_the_user_says_otherwise() {
    let (authority, stranger) = (Authority::default(), Authority::default());
    let identity = authority.good("localhost");
    let fingerprint = |bytes: &[u8]| -> String {
        digest(&SHA256, bytes)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}:"))
            .collect::<String>()
            .trim_end_matches(':')
            .to_owned()
    };
    for installation in Installation::all() {
        let server = with_tls(&installation, &identity).await;
        // A loopback address has no TLS by default, so `sslmode` asks for it.
        let secret = |host: &str, more: &[(&str, &str)]| {
            let url = format!("postgres://postgres:secret@{host}:{}/postgres", server.port());
            let mut secret = json!({"url": url, "sslmode": "verify-full"});
            for (name, value) in more {
                secret[*name] = (*value).into();
            }
            secret.to_string()
        };
        for (secret, expected) in [
            (secret("localhost", &[("ca", &authority.pem())]), None),
            (
                secret("localhost", &[]),
                Some("UnknownIssuer; give the certificate of the server's CA as `ca`"),
            ),
            (secret("localhost", &[("ca", &stranger.pem())]), Some("invalid peer certificate")),
            (secret("127.0.0.1", &[("ca", &authority.pem())]), Some("not valid for name")),
            (secret("127.0.0.1", &[("fingerprint", &fingerprint(identity.certificate()))]), None),
            (
                secret("127.0.0.1", &[("fingerprint", &fingerprint(b"another"))]),
                Some("invalid peer certificate"),
            ),
            (secret("127.0.0.1", &[("sslmode", "require")]), None),
            (secret("127.0.0.1", &[("sslmode", "disable")]), Some("no pg_hba.conf entry")),
            (
                secret("localhost", &[("ca", &authority.pem())]).replace(":secret@", ":wrong@"),
                Some("28P01 password authentication failed"),
            ),
            // Neon's own connection strings ask for this.
            (
                secret("127.0.0.1", &[("sslmode", "require")])
                    .replace("/postgres\"", "/postgres?channel_binding=require\""),
                None,
            ),
        ] {
            match (attempt(secret.clone()).await, expected) {
                (Ok(()), None) => {}
                (Err(reason), Some(expected)) => assert!(reason.contains(expected), "{secret}: {reason}"),
                (result, expected) => panic!("{secret}: {result:?} in place of {expected:?}"),
            }
        }
        let log = server.log();
        assert!(!log.contains("secret"), "{log}");
    }
}

/// A token of IAM is a password that RDS asks for in plain text, over TLS, and that is as long as this one.
#[tokio::test]
async fn a_token_in_place_of_a_password_may_be_long() {
    let authority = Authority::default();
    let server = with_tls(&Installation::all()[0], &authority.good("localhost")).await;
    let token = format!("localhost:5432/?Action=connect&X-Amz-Security-Token={}", "aB3%2F".repeat(300));
    server.run(&format!("ALTER ROLE postgres PASSWORD '{token}'")).await;
    server.write("pg_hba.conf", "hostssl all all all password\nlocal all all trust\n");
    server.client().await.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let url = format!("postgres://postgres@localhost:{}/postgres", server.port());
    let secret = json!({"url": url, "password": token, "ca": authority.pem()});
    assert_eq!(attempt(secret.to_string()).await, Ok(()));
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_pinned() {
    // Most servers that people set up themselves have one.
    let identity = self_signed("db.example.com");
    let server = with_tls(&Installation::all()[0], &identity).await;
    let hex: String =
        digest(&SHA256, identity.certificate()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let url = format!("postgres://postgres:secret@127.0.0.1:{}/postgres?sslfingerprint={hex}", server.port());
    assert_eq!(attempt(url).await, Ok(()));
}

#[tokio::test]
async fn a_unix_socket_needs_no_tls() {
    let server = PostgresServer::start().await;
    assert_eq!(attempt(server.url(OWNER)).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pooler_in_transaction_mode_serves_many_environments() {
    let server = Arc::new(PostgresServer::start().await);
    let Some(bouncer) = PgBouncer::start(&server).await else {
        eprintln!("skipped: a_pooler_in_transaction_mode_serves_many_environments needs PgBouncer");
        return;
    };
    let bouncer = Arc::new(bouncer);
    let mut tasks = Vec::new();
    for number in 0..6 {
        let (server, url) = (server.clone(), bouncer.url());
        tasks.push(tokio::spawn(async move {
            let warehouse = Warehouse::connecting(server, url);
            for round in 0..10 {
                let batch: Vec<String> = (0..5)
                    .map(|at| track(&format!("m{number}-{round}-{at}"), &format!(r#"{{"c{round}":1}}"#)))
                    .collect();
                warehouse.write(&batch).await;
            }
            warehouse.world.publish(r#"{"type":"delete","userId":"nobody"}"#, "default").await;
            warehouse.world.drain().await;
            warehouse.assert_empty().await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(server.value("SELECT count(*) FROM segue.order_completed").await, "300");
    let open = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    assert!(server.value(open).await.parse::<u32>().unwrap() <= 2);
}

#[tokio::test]
async fn a_server_that_takes_no_changes_is_named() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[track("m1", "{}")]).await;
    // As a reader has it, or the former writer after a fail-over: on the open connection, and for new ones.
    warehouse.server.run("ALTER SYSTEM SET default_transaction_read_only = on").await;
    warehouse.server.run("SELECT pg_reload_conf()").await;
    while warehouse.server.value("SHOW default_transaction_read_only").await != "on" {}
    testkit::log();
    for _ in 0..2 {
        warehouse.write(&[track("m2", "{}")]).await;
    }
    let logged = testkit::logged();
    assert!(logged.contains("takes no changes"), "{logged}");
    let owner = warehouse.server.client().await;
    owner.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    owner.batch_execute("ALTER SYSTEM RESET default_transaction_read_only").await.unwrap();
    warehouse.server.run("SELECT pg_reload_conf()").await;
    warehouse.world.drain_by(Duration::from_secs(1)).await;
    warehouse.assert_empty().await;
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, "2");
}
