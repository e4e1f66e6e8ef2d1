//! The examples of `segue backfill fusionauth --help` and `segue backfill auth0 --help`.

use std::path::Path;

use super::{
    auth0_job::{Auth0, TOKEN},
    fusionauth::users,
    fusionauth_api::{FusionAuth, Held, KEY},
    ndjson,
};
use crate::{
    process::{Server, segue},
    program::bash,
};

/// The examples, with the addresses of these servers and a credential in place of each `…`.
fn examples(provider: &str, addresses: &[(&str, &str)], credential: &str) -> Vec<String> {
    let help = segue().args(["backfill", provider, "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let examples = help.split_once("Examples:\n").unwrap().1.split("\n\n").next().unwrap();
    let fill = |line: &str| {
        let line = line.replace("=…", &format!("={credential}"));
        addresses.iter().fold(line, |line, (from, to)| line.replace(from, to))
    };
    examples.lines().map(str::trim).filter(|line| !line.starts_with('#')).map(fill).collect()
}

async fn works(example: String, folder: &Path, listen: &str) {
    let mut command = bash();
    command.args(["-c", &example]).current_dir(folder).env("SEGUE_LISTEN", listen);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{example}: {output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_work() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path(), &[]);
    let listen = server.base.trim_start_matches("http://");
    let export = "user_id,email,updated_at\n1,a@example.com,2026-12-01\n";
    std::fs::write(folder.path().join("users.csv.gz"), testkit::gzip(export)).unwrap();
    let held = Held { users: users(30), elastic: true, ..Held::default() };
    let fusionauth = FusionAuth::start(0, held).await;
    let auth0 = Auth0::with(ndjson(3).into_bytes()).await;
    let (at_fusionauth, at_auth0) = (fusionauth.server.url(), auth0.server.url());
    let addresses = [("https://auth.example.com", at_fusionauth.as_str()), ("arn:…", "arn:1")];
    let of_fusionauth = examples("fusionauth", &addresses, KEY);
    let of_auth0 = examples("auth0", &[("tenant.eu.auth0.com", &at_auth0)], TOKEN);
    assert_eq!((of_fusionauth.len(), of_auth0.len()), (2, 2));
    for example in of_fusionauth.into_iter().chain(of_auth0) {
        works(example, folder.path(), listen).await;
    }
    server.messages(4).await;
}
