//! FusionAuth's users.

use std::path::Path;

use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use super::{
    Ended, NEVER,
    fusionauth_api::{FusionAuth, Held, KEY, id, user},
    run,
    sink::Sink,
};

pub async fn backfill(data: &Path, fusionauth: &FusionAuth, sink: &Sink, more: &[&str]) -> Ended {
    let (url, options) = (fusionauth.server.url(), sink.options());
    let mut arguments = vec!["fusionauth", "--url", &url, "--api-key", KEY];
    arguments.extend(options.iter().map(String::as_str));
    arguments.extend(more);
    run(data, &arguments).await
}

/// `count` users, a hundred of them created in each millisecond.
pub fn users(count: usize) -> Vec<Value> {
    (0..count).map(|number| user(number, 1_600_000_000_000 + (number / 100) as i64)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_users_are_identified_once_beyond_the_first_ten_thousand() {
    let folder = tempfile::tempdir().unwrap();
    let held = Held { users: users(11_300), elastic: true, one_in: 10, expires: 5, ..Held::default() };
    let (fusionauth, sink) = (FusionAuth::start(1, held).await, Sink::failing(2, 10).await);
    let ended = backfill(folder.path(), &fusionauth, &sink, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    sink.assert_each_once((0..11_300).map(id));
    assert_eq!(ended.summary()["sent"], 11_300);
    let message = sink.messages().remove(0);
    assert_eq!((&message["type"], &message["context"]["active"]), (&"identify".into(), &false.into()));
    assert_eq!(message["timestamp"], "2020-09-13T12:26:41.000Z");
    assert_eq!(message["traits"]["createdAt"], "2020-09-13T12:26:40.000Z");
    assert_eq!(message["traits"]["data"], json!({"plan": "team"}));
    assert!(!sink.server.requests().iter().any(|request| request.body.contains(NEVER)));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_engine_no_user_is_missed_when_others_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut held = Held { users: users(3_000), one_in: 6, ..Held::default() };
    let (mut random, mut next) = (fastrand::Rng::with_seed(3), 3_000);
    held.meanwhile = Some(Box::new(move |users| {
        for _ in 0..7 {
            // Deletes only users that need not be sent, and adds a new one.
            let gone = random.usize(0..users.len());
            if users[gone]["email"].as_str().unwrap().ends_with("5@example.com") {
                users.remove(gone);
            }
        }
        if next < 3_004 {
            users.push(user(next, 1_700_000_000_000));
            next += 1;
        }
    }));
    let (fusionauth, sink) = (FusionAuth::start(4, held).await, Sink::failing(5, 6).await);
    let ended = backfill(folder.path(), &fusionauth, &sink, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let sent = sink.users();
    for user in fusionauth.users() {
        let user = user["id"].as_str().unwrap();
        assert_eq!(sent.get(user), Some(&1), "{user}");
    }
    assert!(sent.values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn since_and_limit_select_users_and_the_next_run_continues() {
    let folder = tempfile::tempdir().unwrap();
    for elastic in [true, false] {
        let held = Held { users: users(2_000), elastic, ..Held::default() };
        let (fusionauth, sink) = (FusionAuth::start(6, held).await, Sink::healthy().await);
        let since = ["--since", "2020-09-13T12:26:41.003Z"];
        let first =
            backfill(folder.path(), &fusionauth, &sink, &[&since[..], &["--limit", "650"]].concat()).await;
        assert_eq!(first.summary()["sent"], 650, "{first:?}");
        let second = backfill(folder.path(), &fusionauth, &sink, &since).await;
        assert_eq!((second.code, &second.summary()["sent"]), (Some(0), &1_700.into()), "{second:?}");
        assert_eq!(second.summary()["skipped"]["before_since"], 300);
        sink.assert_each_once((300..2_000).map(id));
        assert_eq!(sink.server.taken().len(), 1_700, "nobody was sent twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_users_are_sent_with_its_write_key() {
    let folder = tempfile::tempdir().unwrap();
    let held = Held { users: users(10), elastic: true, ..Held::default() };
    let (fusionauth, sink) = (FusionAuth::start(7, held).await, Sink::healthy().await);
    let url = (fusionauth.server.url(), sink.server.url());
    let keys = ["--write-key", r#"{"default":"k1","shop":"k2"}"#];
    let tenants = r#"{"11111111-AAAA-0000-0000-000000000000":"shop"}"#;
    let arguments = ["fusionauth", "--url", &url.0, "--api-key", KEY, "--segment-endpoint", &url.1];
    let ended =
        run(folder.path(), &[&arguments[..], &keys, &["--tenant-write-keys", tenants]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for (key, message) in sink.server.taken() {
        let tenant = message["traits"]["tenantId"].as_str().unwrap();
        assert_eq!(key, if tenant.starts_with('1') { "k2" } else { "k1" });
    }
    let unknown = tenants.replace("shop", "unknown");
    let more = ["--tenant-write-keys", &unknown, "--restart"];
    let ended = run(folder.path(), &[&arguments[..], &keys, &more].concat()).await;
    assert!(
        ended.code == Some(1) && ended.stderr.contains("add it to the JSON object in SEGMENT_WRITE_KEY"),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_were_not_read_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut held = Held { users: users(600), elastic: true, ..Held::default() };
    let mut searches = 0;
    held.meanwhile = Some(Box::new(move |users| {
        searches += 1;
        if searches == 2 {
            users.push(user(9_999, 1));
        }
    }));
    let (fusionauth, sink) = (FusionAuth::start(8, held).await, Sink::healthy().await);
    let ended = backfill(folder.path(), &fusionauth, &sink, &[]).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("FusionAuth reports 1 more users than were read"), "{ended:?}");
    backfill(folder.path(), &fusionauth, &sink, &["--restart"]).await;
    sink.assert_each_once((0..600).chain([9_999]).map(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_wrong_address_are_reported_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let fusionauth = FusionAuth::start(9, Held::default()).await;
    let page = FakeServer::start(|_| Answer::Status(200, Vec::new(), "<html>".to_owned())).await;
    let moved = FakeServer::start(|_| Answer::status(302)).await;
    let other = FakeServer::start(|_| Answer::ok()).await;
    for (url, expected) in [
        (fusionauth.server.url(), "FUSIONAUTH_API_KEY must be an API key"),
        (
            page.url(),
            "answered something that is not JSON to /api/user/search; check that --url is FusionAuth's address",
        ),
        (moved.url(), "answered 302 to /api/user/search; check that --url is FusionAuth's address"),
        (other.url(), "did not answer with users"),
        ("http://127.0.0.1:1".to_owned(), "FusionAuth accepts no connection, after 4 attempts; check --url"),
    ] {
        let ended =
            run(folder.path(), &["fusionauth", "--url", &url, "--api-key", "hunter2", "--dry-run"]).await;
        assert_eq!(ended.code, Some(1), "{url}: {ended:?}");
        assert!(ended.stderr.contains(expected) && !ended.stderr.contains("hunter2"), "{url}: {ended:?}");
    }
    let ended = run(folder.path(), &["fusionauth", "--url", "auth.example.com", "--api-key", "k"]).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("such as https://auth.example.com"), "{ended:?}");
}

/// In the search by either engine, and in the event log.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_repeats_a_page_is_reported() {
    let mut users = users(3);
    users.sort_by_key(|user| user["id"].to_string());
    let entries = (1..4).map(|number| json!({"id": "e", "sequence": number, "eventResult": "Failed"}));
    let log = json!({"total": 9, "webhookEventLogs": entries.collect::<Vec<Value>>()});
    for (answer, options) in [
        (json!({"total": 9, "users": &users, "nextResults": "same"}), &[][..]),
        (json!({"total": 9, "users": &users}), &[]),
        (log, &["--event-log", "--deployment", "d"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = FakeServer::start(move |_| Answer::Status(200, Vec::new(), answer.to_string())).await;
        let (url, sink) = (server.url(), Sink::failing(1, 0).await);
        let given = sink.options();
        let mut arguments = vec!["fusionauth", "--url", &url, "--api-key", KEY];
        arguments.extend(given.iter().map(String::as_str));
        arguments.extend(options);
        let ended = run(folder.path(), &arguments).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(format!("{ended:?}").contains("returns the same page of"), "{ended:?}");
        assert!(server.requests().len() < 10, "{} requests", server.requests().len());
    }
}
