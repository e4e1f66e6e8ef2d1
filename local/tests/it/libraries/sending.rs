//! The messages of the real libraries arrive, even if Segue refuses the first request.

use segment::json;
use segment_client::{
    Batcher, Client as _, HttpClient, Message,
    message::{Alias, BatchMessage, Group, Identify, Page, Screen, Track, User},
};
use serde_json::{Map, Value, json};
use testkit::FakeServer;

use super::{
    arrival::{Expected, Side, arrives_everywhere, has_calls},
    arrived, node, python,
    relay::{Accepted, Relay},
    start,
};

const CALLS: [&str; 6] = ["identify", "track", "page", "screen", "group", "alias"];
/// An app has no pages.
const CALLS_OF_APPS: [&str; 5] = ["identify", "track", "screen", "group", "alias"];

/// Runs a sender against a relay whose first answer is 503, and checks the messages that arrive.
async fn arrives<T>(side: Side, calls: &[&str], send: impl AsyncFnOnce(&str) -> T) {
    let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
    let server = start(&data, &webhook, &["--write-key", "the-key"]);
    let relay = Relay::start(&server.base, 1).await;
    send(&relay.url).await;
    let expected = Expected::of(&relay.accepted(), side);
    has_calls(&expected, calls);
    arrives_everywhere(&server, &webhook, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_node_library_works_unchanged() {
    arrives(Side::Server, &CALLS, async |url| node("send-node.mjs", &[url, "the-key"], String::new()).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_older_node_library_works_unchanged() {
    arrives(Side::Server, &CALLS, async |url| {
        node("send-node-6.mjs", &[url, "the-key"], String::new()).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_python_library_works_unchanged_with_and_without_gzip() {
    arrives(Side::Server, &CALLS, async |url| {
        python("send_python.py", &[url, "the-key"], String::new()).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_older_python_library_works_unchanged_with_and_without_gzip() {
    arrives(Side::Server, &CALLS, async |url| {
        python("send_python_1.py", &[url, "the-key"], String::new()).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_react_native_library_works_unchanged_in_its_newest_version_and_an_older_one() {
    for version in ["2.22", "2.24"] {
        arrives(Side::App, &CALLS_OF_APPS, async |url| {
            node("send-react-native.mjs", &[url, "the-key", version], String::new()).await
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_not_stuck_behind_a_bad_message() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
    let server = start(&data, &webhook, &["--write-key", "the-key"]);
    for version in ["2.22", "2.24"] {
        let arguments = [&server.base, "the-key", version, "bad"];
        let printed = node("send-react-native.mjs", &arguments, String::new()).await;
        assert_eq!(json::parse(printed.as_bytes()).unwrap()["left"], 0, "{version}: {printed}");
    }
    let good = arrived(&webhook, 14).await;
    assert_eq!(good.len(), 14, "each good message of both once");
    assert!(good.iter().all(|message| message["event"] != ""));
    let rejected = server.ask("rejected").await;
    assert_eq!(rejected["total"], 4, "those beside good ones, and those that came alone: {rejected}");
    assert!(rejected["messages"].as_array().unwrap().iter().all(|message| message["field"] == "event"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_community_rust_client_works_unchanged() {
    let user = || User::UserId { user_id: "user-1".to_owned() };
    let extra = |id: &str| -> Map<String, Value> {
        Map::from_iter([
            ("messageId".to_owned(), id.into()),
            ("timestamp".to_owned(), "2024-02-29T23:59:59.999999999Z".into()),
        ])
    };
    let track = |id: &str| Track {
        user: User::Both { user_id: "user-1".to_owned(), anonymous_id: "anonymous-1".to_owned() },
        event: "Order Completed".to_owned(),
        properties: json!({"total": 0.1, "name": "Zoë 🎿"}),
        context: Some(json!({"ip": "203.0.113.7"})),
        extra: extra(id),
        ..Track::default()
    };
    let identify = Identify {
        user: user(),
        traits: json!({"plan": null}),
        extra: extra("rust-1"),
        ..Identify::default()
    };
    let page = Page { user: user(), name: "Index".to_owned(), extra: extra("rust-3"), ..Page::default() };
    let screen =
        Screen { user: user(), name: "Main".to_owned(), extra: extra("rust-4"), ..Screen::default() };
    let group = Group { user: user(), group_id: "12".to_owned(), extra: extra("rust-5"), ..Group::default() };
    let alias =
        Alias { user: user(), previous_id: "13".to_owned(), extra: extra("rust-6"), ..Alias::default() };
    let mut batcher = Batcher::new(Some(json!({"app": {"name": "Shop"}})));
    for id in ["rust-7", "rust-8"] {
        assert!(batcher.push(BatchMessage::from(track(id))).unwrap().is_none());
    }
    let messages = [
        Message::from(identify),
        Message::from(track("rust-2")),
        Message::from(page),
        Message::from(screen),
        Message::from(group),
        Message::from(alias),
        batcher.into_message(),
    ];
    arrives(Side::Server, &CALLS, async |url| {
        let client = HttpClient::new(Default::default(), url.to_owned());
        let mut refused = 0;
        for message in messages {
            // It never retries, so its user must.
            while client.send("the-key".to_owned(), message.clone()).await.is_err() {
                refused += 1;
                assert_eq!(refused, 1);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_browser_library_delivers_from_a_page_of_another_origin() {
    for mode in ["standard", "batching", "leaving", "headers", "consent"] {
        let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
        let server = start(&data, &webhook, &["--write-key", "the-key"]);
        let printed = node("browser.mjs", &[&server.base, "the-key", mode], String::new()).await;
        let printed = json::parse(printed.as_bytes()).unwrap();
        let requests = printed["requests"].as_array().unwrap();
        assert!(requests.iter().all(|request| request["status"] == 200), "{mode}: {requests:?}");
        let preflights = printed["preflights"].as_array().unwrap();
        assert!(!preflights.is_empty(), "the origins differ");
        let asks =
            |header: &str| preflights.iter().any(|asked| asked["headers"].as_str().unwrap().contains(header));
        assert_eq!(asks("x-shop"), mode == "headers", "{preflights:?}");
        let taken = |request: &Value| Accepted {
            path: request["path"].as_str().unwrap().to_owned(),
            body: request["body"].clone(),
        };
        let expected = Expected::of(&requests.iter().map(taken).collect::<Vec<_>>(), Side::Browser);
        has_calls(&expected, &CALLS);
        for message in &expected {
            let consent = &message.content["context"]["consent"]["categoryPreferences"];
            let asked = json!({"Advertising": false, "Analytics": true});
            assert_eq!(*consent == asked, mode == "consent", "{consent}");
        }
        arrives_everywhere(&server, &webhook, &expected).await;
    }
}
