//! Auth0's export files.

use std::{fs, path::Path};

use serde_json::Value;
use testkit::{Answer, FakeServer};

use crate::process::sample;

use super::{Ended, NEVER, auth0_user, ndjson, run, sink::Sink};

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("auth0|{number:07}")).collect()
}

/// A CSV export as Auth0 writes it: every string in double quotes and after a single quote.
fn csv(users: usize) -> String {
    let mut csv = "user_id,email,email_verified,family_name,logins_count,created_at,updated_at,identities[0].connection\n".to_owned();
    for user in (0..users).map(auth0_user) {
        let text = |value: &Value| format!("\"'{}\"", value.as_str().unwrap().replace('"', "\"\""));
        let fields = [
            text(&user["user_id"]),
            text(&user["email"]),
            user["email_verified"].to_string(),
            text(&user["family_name"]),
            user["logins_count"].to_string(),
            text(&user["created_at"]),
            text(&user["updated_at"]),
            text(&user["identities"][0]["connection"]),
        ];
        csv += &format!("{}\r\n", fields.join(","));
    }
    csv
}

async fn backfill(folder: &Path, file: &str, sink: &Sink, more: &[&str]) -> Ended {
    let path = folder.join(file);
    let options = sink.options();
    let mut arguments = vec!["auth0", path.to_str().unwrap()];
    arguments.extend(options.iter().map(String::as_str));
    arguments.extend(more);
    run(&folder.join("data"), &arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_user_of_an_export_is_identified_once_even_when_segment_fails() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, (file, bytes)) in [
        ("users.json", ndjson(2_600).into_bytes()),
        ("users.json.gz", testkit::gzip(ndjson(2_600))),
        ("users.csv", csv(2_600).into_bytes()),
        ("users.csv.gz", testkit::gzip(csv(2_600))),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(folder.path().join(file), bytes).unwrap();
        let sink = Sink::failing(seed as u64, 4).await;
        let ended = backfill(folder.path(), file, &sink, &[]).await;
        assert_eq!(ended.code, Some(0), "{file}: {ended:?}");
        sink.assert_each_once(ids(0..2_600));
        let summary = ended.summary();
        assert_eq!(
            (&summary["read"], &summary["sent"], &summary["finished"]),
            (&2_600.into(), &2_600.into(), &true.into()),
            "{file}"
        );
        for message in sink.messages() {
            assert_eq!(
                (&message["type"], &message["context"]["active"]),
                (&"identify".into(), &false.into())
            );
            assert!(message["timestamp"].as_str().unwrap().ends_with("-02T08:00:00.000Z"), "{message}");
            assert!(!message.to_string().contains(NEVER), "{message}");
        }
        assert!(sink.server.taken().iter().all(|(key, _)| key == "key"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_user_is_the_same_message_from_either_kind_of_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut printed = Vec::new();
    for (file, bytes) in [("users.json", ndjson(20).into_bytes()), ("users.csv.gz", testkit::gzip(csv(20)))] {
        let path = folder.path().join(file);
        fs::write(&path, bytes).unwrap();
        let ended = run(folder.path(), &["auth0", path.to_str().unwrap(), "--dry-run"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        printed.push(ended.messages());
    }
    assert_eq!(printed[0].len(), 20);
    assert_eq!(printed[0], printed[1]);
    assert_eq!(printed[0][5]["traits"]["lastName"], "'t Hooft, \"senior\"");
    let samples = ["json", "csv"].map(|kind| sample(&format!("backfill/auth0.users.{kind}")));
    let [json, csv] = samples.each_ref().map(|file| ["auth0", file.to_str().unwrap(), "--dry-run"]);
    let (json, csv) = (run(folder.path(), &json).await, run(folder.path(), &csv).await);
    assert_eq!((json.messages().len(), json.messages()), (3, csv.messages()), "{json:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_the_messages_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("users.json"), ndjson(30)).unwrap();
    let sink = Sink::healthy().await;
    let dry = backfill(folder.path(), "users.json", &sink, &["--dry-run"]).await;
    assert_eq!((dry.code, dry.messages().len()), (Some(0), 30), "{dry:?}");
    assert!(dry.stderr.contains("30 read, 30 would be sent"), "{dry:?}");
    assert!(sink.server.requests().is_empty() && !folder.path().join("data").exists());
    assert_eq!(backfill(folder.path(), "users.json", &sink, &[]).await.code, Some(0));
    let without_sent_at = |mut message: Value| {
        message.as_object_mut().unwrap().shift_remove("sentAt");
        message
    };
    let sent: Vec<Value> = sink.messages().into_iter().map(without_sent_at).collect();
    assert_eq!(sent, dry.messages());
}

#[tokio::test(flavor = "multi_thread")]
async fn since_skips_users_that_have_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("users.json"), ndjson(24)).unwrap();
    let sink = Sink::healthy().await;
    let ended = backfill(folder.path(), "users.json", &sink, &["--since", "2025-11-02T08:00:00Z"]).await;
    assert_eq!(ended.summary()["skipped"]["before_since"], 20);
    sink.assert_each_once(ids([10, 11, 22, 23]));
    let wrong = backfill(folder.path(), "users.json", &sink, &["--since", "yesterday"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_continues_after_a_limit_and_not_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("users.csv"), csv(1_200)).unwrap();
    let sink = Sink::healthy().await;
    let first = backfill(folder.path(), "users.csv", &sink, &["--limit", "7"]).await;
    assert_eq!((first.code, &first.summary()["finished"]), (Some(0), &false.into()));
    sink.assert_each_once(ids(0..7));
    let second = backfill(folder.path(), "users.csv", &sink, &["--limit", "600"]).await;
    assert!(second.stderr.contains("Continuing after 7 "), "{second:?}");
    sink.assert_each_once(ids(0..607));
    let third = backfill(folder.path(), "users.csv", &sink, &[]).await;
    assert_eq!((&third.summary()["read"], &third.summary()["thisRun"]["read"]), (&1_200.into(), &593.into()));
    sink.assert_each_once(ids(0..1_200));
    assert_eq!(sink.server.taken().len(), 1_200, "nobody was sent twice");
    let again = backfill(folder.path(), "users.csv", &sink, &[]).await;
    assert_eq!(again.code, Some(0));
    assert!(again.stderr.contains("To send everything again, use --restart"), "{again:?}");
    assert_eq!(sink.server.taken().len(), 1_200);
    backfill(folder.path(), "users.csv", &sink, &["--restart"]).await;
    assert_eq!(sink.server.taken().len(), 2_400);
    sink.assert_each_once(ids(0..1_200));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_cannot_be_sent_are_in_a_file_with_the_reason_and_the_others_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let large = format!("{{\"user_id\":\"auth0|large\",\"nickname\":\"{}\"}}\n", "x".repeat(40_000));
    let text = format!("{}not json\n\n{{\"email\":\"a@example.com\"}}\n{large}{}", ndjson(2), auth0_user(2));
    fs::write(folder.path().join("users.json"), text).unwrap();
    let sink = Sink::healthy().await;
    let ended = backfill(folder.path(), "users.json", &sink, &[]).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let summary = ended.summary();
    assert_eq!((&summary["sent"], &summary["finished"]), (&4.into(), &true.into()));
    assert_eq!(summary["refused"], serde_json::json!({"unreadable": 1, "unusable": 1}));
    let refused = fs::read_to_string(summary["refusedFile"].as_str().unwrap()).unwrap();
    let refused: Vec<Value> = refused.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&refused[0]["place"], &refused[1]["place"]), (&"line 3".into(), &"line 5".into()));
    assert_eq!(refused[1]["problem"], "user_id is missing");
    let large = sink.messages().into_iter().find(|message| message["userId"] == "auth0|large").unwrap();
    assert_eq!(large["context"]["leftOut"], serde_json::json!(["traits.nickname"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_segment_rejects_is_written_to_the_file_of_refused_users() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("users.json"), ndjson(40)).unwrap();
    let sink = Sink::healthy().await;
    sink.server.set(|request| match request.body.contains("auth0|0000017") {
        true => Answer::status(400),
        false => Answer::ok(),
    });
    let ended = backfill(folder.path(), "users.json", &sink, &[]).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    sink.assert_each_once(ids((0..40).filter(|number| *number != 17)));
    let refused = fs::read_to_string(ended.summary()["refusedFile"].as_str().unwrap()).unwrap();
    let refused: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!((&refused["place"], &refused["reason"]), (&"line 18".into(), &"client_error".into()));
    assert_eq!(refused["message"]["userId"], "auth0|0000017");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_broken_or_no_export_is_reported_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let whole = testkit::gzip(ndjson(1_000));
    let quote = format!("{}\"never closed,x\n", csv(1));
    for (file, bytes, expected) in [
        ("empty.json", Vec::new(), "is empty; export it again"),
        ("array.json", b"[{}]".to_vec(), "is a JSON array"),
        ("archive.zip", b"PK\x03\x04".to_vec(), "is a zip archive; unpack it first"),
        ("other.csv", b"email\na\n".to_vec(), "is not an export of users: it has no column user_id"),
        ("quote.csv", quote.into_bytes(), "line 3 opens a double quote that is never closed"),
        ("cut.json.gz", whole[..whole.len() / 2].to_vec(), "is the last complete one: the file is cut off"),
    ] {
        fs::write(folder.path().join(file), bytes).unwrap();
        let sink = Sink::healthy().await;
        let ended = backfill(folder.path(), file, &sink, &[]).await;
        assert_eq!(ended.code, Some(1), "{file}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{file}: {ended:?}");
        if file == "cut.json.gz" {
            let sent = sink.users().len();
            assert!(sent > 100 && ended.stderr.contains(&format!("line {sent} ")), "{sent}: {ended:?}");
        }
    }
    let sink = Sink::healthy().await;
    let missing = backfill(folder.path(), "nowhere.json", &sink, &[]).await;
    assert!(missing.code == Some(1) && missing.stderr.contains("nowhere.json cannot be read"), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_continue_with_another_file_of_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("users.json"), ndjson(20)).unwrap();
    let sink = Sink::healthy().await;
    backfill(folder.path(), "users.json", &sink, &["--limit", "5"]).await;
    fs::write(folder.path().join("users.json"), ndjson(21)).unwrap();
    let ended = backfill(folder.path(), "users.json", &sink, &[]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("start over with --restart"), "{ended:?}");
    assert_eq!(backfill(folder.path(), "users.json", &sink, &["--restart"]).await.code, Some(0));
    sink.assert_each_once(ids(0..21));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_a_wrong_address_and_too_high_a_rate_are_reported_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.json");
    fs::write(&file, ndjson(20)).unwrap();
    let (unauthorized, elsewhere) =
        (FakeServer::start(|_| Answer::status(401)).await, FakeServer::start(|_| Answer::status(404)).await);
    for (endpoint, rate, expected) in [
        (unauthorized.url().as_str(), "1000", "set SEGMENT_WRITE_KEY to the source's write key"),
        (elsewhere.url().as_str(), "1000", "check --segment-endpoint"),
        ("http://127.0.0.1:1", "1000", "no connection to Segment"),
        ("https://api.segment.io", "1001", "use --rate 1000 or less"),
    ] {
        let arguments = [
            "auth0",
            file.to_str().unwrap(),
            "--segment-endpoint",
            endpoint,
            "--rate",
            rate,
            "--write-key",
            "hunter2",
        ];
        let ended = run(&folder.path().join("data"), &arguments).await;
        assert_eq!(ended.code, Some(1), "{endpoint}: {ended:?}");
        assert!(
            ended.stderr.contains(expected) && !ended.stderr.contains("hunter2"),
            "{endpoint}: {ended:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_own_mapping_can_read_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let (file, mapping) = (folder.path().join("users.json"), folder.path().join("mine.toml"));
    fs::write(&file, r#"{"user_id":"auth0|1","app_metadata":{"plan":"team"}}"#).unwrap();
    fs::write(&mapping, "[auth0.events.sets.user]\nplan = 'event.data.object.app_metadata.plan'\n").unwrap();
    let arguments = ["auth0", file.to_str().unwrap(), "--dry-run", "--mappings", mapping.to_str().unwrap()];
    let ended = run(folder.path(), &arguments).await;
    assert_eq!(ended.messages()[0]["traits"], serde_json::json!({"plan": "team"}));
}
