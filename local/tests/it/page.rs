//! The debugger page in a real browser: each scenario of `tests/libraries/page` on a running `segue serve`
//! with a webhook and the stand-in.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use testkit::{Answer, FakeServer, Request};

use crate::process::{Server, sample};

const SHARED_SECRET: &str = "s3cret";

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/libraries/page")
}

/// A webhook that answers with the status in a message's property `webhook`, until `POST /control` repairs
/// it.
async fn webhook() -> FakeServer {
    let broken = Arc::new(AtomicBool::new(true));
    FakeServer::start(move |request: &Request| {
        if request.line == "POST /control" {
            broken.store(request.body == "\"break\"", Ordering::Relaxed);
            return Answer::ok();
        }
        let asked = |status: u16| request.body.contains(&format!("\"webhook\":{status}"));
        match [400, 503].into_iter().find(|status| asked(*status)) {
            Some(status) if broken.load(Ordering::Relaxed) => Answer::status(status),
            _ => Answer::ok(),
        }
    })
    .await
}

/// Plays a scenario to its end. Its output is shown when it fails.
async fn play(scenario: &str, server: &Server, further: &[&str]) {
    let mut command = Command::new("node");
    command.arg(scripts().join(format!("{scenario}.mjs"))).arg(server.page()).args(further);
    command.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let output = output.unwrap_or_else(|error| panic!("node does not start ({error}); run `make tools`"));
    let (said, problem) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{scenario}: {problem}{said}");
}

/// A server that delivers to the stand-in and to that webhook.
fn start(data: &tempfile::TempDir, webhook: &FakeServer) -> Server {
    let url = format!("{}/hook", webhook.url());
    let options = ["--webhook", &url, "--shared-secret", SHARED_SECRET, "--allow-private-webhooks"];
    Server::start(data.path(), &options)
}

async fn scenario(name: &str) {
    let (data, webhook) = (tempfile::tempdir().unwrap(), webhook().await);
    let server = start(&data, &webhook);
    play(name, &server, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_screen_explains_how_to_connect_and_its_command_makes_the_first_event() {
    scenario("first-screen").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_appear_live_and_show_each_state() {
    scenario("live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_do_not_slow_the_page_down() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    play("many", &server, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_messages_do_not_move_the_rows_that_a_person_reads() {
    scenario("reading").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_is_in_the_url_and_comes_back_with_it() {
    scenario("filters").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_shows_its_request_its_content_and_its_deliveries() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), webhook().await);
    let server = start(&data, &webhook);
    let login = sample("identity-webhook/bodies/fusionauth.user.login.success.json");
    play("details", &server, &[SHARED_SECRET, login.to_str().unwrap()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_show_incoming_queued_and_outgoing_messages() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    play("numbers", &server, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_edited_and_sent_and_appears_in_the_list() {
    scenario("try-it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_redriven_and_are_purged_only_after_confirmation() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), webhook().await);
    let server = start(&data, &webhook);
    play("dead-letters", &server, &[&format!("{}/control", webhook.url())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_the_stand_in_is_shown_and_ends() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    play("faults", &server, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn message_content_is_never_markup() {
    scenario("escaping").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_reaches_everything() {
    scenario("keyboard").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_light_quick_strict_and_readable_everywhere() {
    scenario("manners").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_reported_and_comes_back() {
    scenario("lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn screenshots_of_the_page_are_saved() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), webhook().await);
    let server = start(&data, &webhook);
    // Cargo's target folder: the binary is in it.
    let target = Path::new(env!("CARGO_BIN_EXE_segue")).ancestors().nth(2).unwrap().join("page");
    let login = sample("identity-webhook/bodies/fusionauth.user.login.success.json");
    play("screenshots", &server, &[target.to_str().unwrap(), login.to_str().unwrap()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_warns_before_it_sends_to_a_real_segment() {
    let (data, segment) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
    let url = segment.url();
    let options = ["--segment-endpoint", &url, "--write-key", "secret-write-key"];
    let server = Server::start(data.path(), &options);
    play("real-segment", &server, &[&url]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_cannot_send_without_proof() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    play("cross-site", &server, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn try_it_shows_the_mapping_where_only_the_provider_can_sign() {
    let data = tempfile::tempdir().unwrap();
    let secret = r#"{"fusionauth":{"jwksUrl":"http://127.0.0.1:9/jwks.json"}}"#;
    let server = Server::start(data.path(), &["--identity-secret", secret]);
    play("try-unsigned", &server, &[]).await;
}
