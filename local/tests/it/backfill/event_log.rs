//! FusionAuth's webhook event log.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Ended, NEVER,
    fusionauth_api::{FusionAuth, Held, KEY, user},
    run,
    sink::Sink,
};
use crate::process::{Server, sample, segue};

const OURS: &str = "https://segue.example.com/identity/fusionauth";

/// An entry with this event. `taken` tells whether the webhook accepted it.
fn entry(sequence: usize, event: &Value, result: &str, taken: bool) -> Value {
    let (attempt, status) = if taken { ("Success", 200) } else { ("Failure", 503) };
    json!({
        "id": format!("{sequence:08x}-0000-0000-0000-000000000000"),
        "sequence": sequence,
        "insertInstant": 1_700_000_000_000_i64 + sequence as i64,
        "eventType": event["event"]["type"],
        "eventResult": result,
        "attempts": [{"attemptResult": attempt, "webhookCallResponse": {"url": OURS, "statusCode": status}}],
        "event": event,
    })
}

/// Logins of `count` users, none of which was delivered.
pub fn undelivered(count: usize) -> Vec<Value> {
    (0..count).map(|number| entry(number, &login(number), "Succeeded", false)).collect()
}

fn login(number: usize) -> Value {
    json!({"event": {
        "id": format!("event-{number}"), "type": "user.login.success", "createInstant": 1_700_000_000_000_i64,
        "user": user(number, 1_600_000_000_000),
    }})
}

async fn backfill(data: &Path, fusionauth: &FusionAuth, sink: &Sink, more: &[&str]) -> Ended {
    let (url, options) = (fusionauth.server.url(), sink.options());
    let mut arguments = vec!["fusionauth", "--event-log", "--url", &url, "--api-key", KEY];
    arguments.extend(options.iter().map(String::as_str));
    arguments.extend(more);
    run(data, &arguments).await
}

fn ids(messages: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> =
        messages.iter().map(|message| message["messageId"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_not_delivered_become_the_messages_of_the_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let log = (0..340)
        .map(|number| {
            // One in four was not delivered, and one in five of those was rolled back with its transaction.
            let result = if number % 20 == 0 { "Failed" } else { "Succeeded" };
            entry(number, &login(number), result, number % 4 != 0)
        })
        .collect();
    let held = Held { log, one_in: 8, ..Held::default() };
    let (fusionauth, sink) = (FusionAuth::start(1, held).await, Sink::failing(2, 8).await);
    let ended = backfill(folder.path(), &fusionauth, &sink, &["--deployment", "local"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let summary = ended.summary();
    assert_eq!(summary["skipped"], json!({"delivered": 255, "taken_back": 17}));
    assert_eq!((&summary["read"], &summary["sent"]), (&340.into(), &68.into()));
    let expected: Vec<Value> = (0..340)
        .filter(|number| number % 4 == 0 && number % 20 != 0)
        .map(|number| {
            let file = folder.path().join("event.json");
            std::fs::write(&file, login(number).to_string()).unwrap();
            let output = segue().args(["map", "fusionauth", file.to_str().unwrap()]).output().unwrap();
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    let sent = sink.messages();
    assert_eq!(ids(&sent), ids(&expected));
    for mut message in sent {
        message.as_object_mut().unwrap().shift_remove("sentAt");
        assert!(expected.contains(&message), "{message}");
        assert!(!message.to_string().contains(NEVER));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn message_ids_match_those_of_the_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.webhook(&login(1)).await.status().as_u16(), 200);
    let webhook = server.messages(1).await[0]["message"].clone();
    let held = Held { log: vec![entry(1, &login(1), "Succeeded", false)], ..Held::default() };
    let (fusionauth, sink) = (FusionAuth::start(3, held).await, Sink::healthy().await);
    let listen = server.base.trim_start_matches("http://").to_owned();
    let asked = backfill(folder.path(), &fusionauth, &sink, &["--dry-run", "--listen", &listen]).await;
    assert_eq!(asked.messages()[0]["messageId"], webhook["messageId"], "{asked:?}");
    server.kill();
    let ended = backfill(folder.path(), &fusionauth, &sink, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("For the webhooks of a stack on AWS, pass its ARN with --deployment"),
        "{ended:?}"
    );
    assert_eq!(sink.messages()[0]["messageId"], webhook["messageId"]);
    let empty = tempfile::tempdir().unwrap();
    let unknown = backfill(empty.path(), &fusionauth, &sink, &[]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("pass the stack's ARN with --deployment"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_run_reads_the_events_since_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let held = Held { log: undelivered(150), ..Held::default() };
    let (fusionauth, sink) = (FusionAuth::start(4, held).await, Sink::healthy().await);
    let options = ["--deployment", "d"];
    let first =
        backfill(folder.path(), &fusionauth, &sink, &[&options[..], &["--limit", "20"]].concat()).await;
    assert_eq!(first.summary()["sent"], 20, "{first:?}");
    let second = backfill(folder.path(), &fusionauth, &sink, &options).await;
    assert_eq!((&second.summary()["sent"], &second.summary()["finished"]), (&150.into(), &true.into()));
    fusionauth.held.lock().unwrap().log.push(entry(150, &login(150), "Succeeded", false));
    let third = backfill(folder.path(), &fusionauth, &sink, &options).await;
    assert_eq!(third.summary()["thisRun"]["sent"], 1, "{third:?}");
    assert_eq!(sink.server.taken().len(), 151, "nothing was sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn since_all_and_the_webhook_url_select_events() {
    let folder = tempfile::tempdir().unwrap();
    let log = vec![
        entry(1, &login(1), "Succeeded", false),
        entry(2, &login(2), "Succeeded", true),
        entry(3, &login(3), "Failed", false),
        entry(4, &login(4), "Succeeded", false),
    ];
    let (fusionauth, sink) =
        (FusionAuth::start(5, Held { log, ..Held::default() }).await, Sink::healthy().await);
    for (options, expected) in [
        (&["--since", "2023-11-14T22:13:20.002Z"][..], vec![4]),
        (&["--all"], vec![1, 2, 4]),
        (&["--webhook-url", OURS], vec![1, 4]),
        (&["--webhook-url", "https://other.example.com/"], vec![]),
    ] {
        let ended = backfill(
            folder.path(),
            &fusionauth,
            &sink,
            &[options, &["--dry-run", "--deployment", "d"]].concat(),
        )
        .await;
        let users: Vec<Value> = ended.messages().iter().map(|message| message["userId"].clone()).collect();
        let expected: Vec<Value> =
            expected.into_iter().map(|number| super::fusionauth_api::id(number).into()).collect();
        assert_eq!(users, expected, "{options:?}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_and_unusable_events_are_refused_and_unmapped_types_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let body = |name: &str| -> Value {
        let path = sample(&format!("identity-webhook/bodies/fusionauth.{name}.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let nameless = json!({"event": {"type": "user.login.success", "user": {"id": "u"}}});
    let log = vec![
        entry(1, &body("user.create.complete"), "Succeeded", false),
        entry(2, &body("user.delete.complete"), "Succeeded", false),
        entry(3, &body("group.member.add.complete"), "Succeeded", false),
        entry(4, &nameless, "Succeeded", false),
    ];
    let (fusionauth, sink) =
        (FusionAuth::start(6, Held { log, ..Held::default() }).await, Sink::healthy().await);
    let ended = backfill(folder.path(), &fusionauth, &sink, &["--deployment", "d"]).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let summary = ended.summary();
    assert_eq!(summary["refused"], json!({"deletion": 1, "unusable": 1}));
    assert_eq!((&summary["skipped"], &summary["sent"]), (&json!({"event_type": 1}), &1.into()));
    let refused = std::fs::read_to_string(summary["refusedFile"].as_str().unwrap()).unwrap();
    assert!(
        refused.contains("entry 2 of the webhook event log") && refused.contains("Public API"),
        "{refused}"
    );
}
