use serde_json::json;

use super::*;

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn parse(settings: &Value) -> Webhooks {
    Webhooks::parse(&settings.to_string()).unwrap()
}

fn problem(settings: &Value) -> String {
    Webhooks::parse(&settings.to_string()).unwrap_err()
}

#[test]
fn with_only_a_url_everything_is_as_in_segment() {
    let settings = parse(&json!({ "webhooks": [{ "url": "https://a.example/x" }] }));
    assert_eq!(settings.success, Success::All);
    assert_eq!(settings.window, Duration::from_secs(4 * 3_600));
    assert!(settings.shared_secrets.is_empty());
    let webhook = &settings.webhooks[0];
    assert_eq!(webhook.url.as_str(), "https://a.example/x");
    assert_eq!(webhook.types, MessageType::ALL);
    assert!(webhook.signing_secrets.is_empty());
    assert!(!webhook.takes_batches());
    let headers: Vec<_> =
        webhook.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(headers, [("content-type", "application/json"), ("user-agent", "Segment.io/1.0")]);
}

#[test]
fn everything_can_be_set() {
    let settings = parse(&json!({
        "sharedSecret": ["current", "previous"],
        "success": "all",
        "retryHours": 0.5,
        "webhooks": [{
            "url": " http://a.example:8080/x?key=k#top\n",
            "headers": { "User-Agent": "mine/1.0", "Content-Type": "application/cloudevents+json", "X-A": "b" },
            "types": ["delete", "track"],
            "signingSecret": [SIGNING, SIGNING],
            "batchSize": 1_000,
        }],
    }));
    assert_eq!(settings.shared_secrets, ["current", "previous"].map(Secret::new));
    assert_eq!(settings.window, Duration::from_secs(1_800));
    let webhook = &settings.webhooks[0];
    assert_eq!(webhook.url.as_str(), "http://a.example:8080/x?key=k");
    assert_eq!(webhook.types, [MessageType::Delete, MessageType::Track]);
    assert!(webhook.wants(MessageType::Track) && !webhook.wants(MessageType::Page));
    assert_eq!((webhook.signing_secrets.len(), webhook.batch_size), (2, 1_000));
    assert_eq!(webhook.headers["user-agent"], "mine/1.0");
    assert_eq!(webhook.headers["content-type"], "application/cloudevents+json");
    assert_eq!(webhook.headers["x-a"], "b");
}

#[test]
fn the_limits_of_each_setting_are_allowed() {
    for (name, value) in [
        ("retryHours", json!(0)),
        ("retryHours", json!(12)),
        ("sharedSecret", json!("one")),
        ("sharedSecret", json!(["one"])),
        ("success", json!("any")),
    ] {
        let mut settings = json!({ "webhooks": [{ "url": "https://a.example" }] });
        settings[name] = value;
        parse(&settings);
    }
    let five: Vec<Value> = (0..5).map(|path| json!({ "url": format!("https://a.example/{path}") })).collect();
    assert_eq!(parse(&json!({ "webhooks": five })).webhooks.len(), MAX_WEBHOOKS);
}

#[test]
fn a_text_that_is_no_object_is_answered_with_an_example() {
    for text in ["", "hunter2", "https://a.example/hunter2", "[]", "\"hunter2\"", "{\"webhooks\":[}", "null"]
    {
        let problem = Webhooks::parse(text).unwrap_err();
        let expected = r#"it is not a JSON object; store {"webhooks":[{"url":"https://…"}]}"#;
        assert_eq!(problem, expected, "{text}");
    }
}

#[test]
fn problems_around_the_webhooks_are_reported() {
    let secrets = "must be a text, or a list of the current and the previous one";
    let hours = "must be a number from 0 to 12";
    let list = "must be a list of at least one {\"url\":\"https://…\"}";
    for (name, value, expected) in [
        ("sharedSecret", json!(7), secrets),
        ("sharedSecret", json!(null), secrets),
        ("sharedSecret", json!(""), secrets),
        ("sharedSecret", json!(" "), secrets),
        ("sharedSecret", json!([]), secrets),
        ("sharedSecret", json!(["hunter2", 7]), secrets),
        ("sharedSecret", json!(["hunter2", ""]), secrets),
        ("sharedSecret", json!(["hunter2", "hunter2", "hunter2"]), secrets),
        ("success", json!("hunter2"), "must be \"all\" or \"any\""),
        ("success", json!(true), "must be \"all\" or \"any\""),
        ("retryHours", json!("hunter2"), hours),
        ("retryHours", json!(-1), hours),
        ("retryHours", json!(12.1), hours),
        ("webhooks", json!([]), list),
        ("webhooks", json!("hunter2"), list),
        ("webhooks", json!({ "url": "https://a.example" }), list),
    ] {
        let mut settings = json!({ "webhooks": [{ "url": "https://a.example" }] });
        settings[name] = value;
        assert_eq!(problem(&settings), format!("{name}: {expected}"), "{settings}");
    }
    assert_eq!(problem(&json!({})), format!("webhooks: {list}"));
}

#[test]
fn problems_of_a_webhook_are_reported_with_its_index() {
    let url = "must be a full http:// or https:// URL";
    let types = "must list some of identify, track, page, screen, group, alias, delete";
    let count = "must be a whole number from 1 to 1000";
    let secrets = "must be a text, or a list of the current and the previous one";
    for (name, value, expected) in [
        ("url", json!(7), url),
        ("url", json!(null), url),
        ("url", json!("hunter2"), url),
        ("url", json!("/hunter2"), url),
        ("url", json!("ftp://a.example/hunter2"), url),
        ("url", json!("https://"), url),
        ("url", json!("https://a.example:hunter2/"), url),
        ("headers", json!("X-Token: hunter2"), "must be an object"),
        ("headers", json!({ "X-Token": 7 }), "the value of the header x-token is not a string"),
        (
            "headers",
            json!({ "X-Signature": "hunter2" }),
            "the header x-signature cannot be set; it is part of a signature",
        ),
        ("headers", json!({ "Host": "hunter2" }), "the header host cannot be set; the HTTP client sets it"),
        ("types", json!("track"), "must be a list of texts"),
        ("types", json!([7]), "must be a list of texts"),
        ("types", json!([]), types),
        ("types", json!(["track", "hunter2"]), types),
        ("types", json!(["Track"]), types),
        ("signingSecret", json!("hunter2"), "a signing secret begins with whsec_, and this one does not"),
        (
            "signingSecret",
            json!([SIGNING, "whsec_hunter2"]),
            "the part after whsec_ in the signing secret is not base64 with its padding",
        ),
        ("signingSecret", json!({ "key": "hunter2" }), secrets),
        ("batchSize", json!(0), count),
        ("batchSize", json!(1_001), count),
        ("batchSize", json!(1.5), count),
        ("batchSize", json!("hunter2"), count),
    ] {
        let mut webhook = json!({ "url": "https://b.example" });
        webhook[name] = value;
        let settings = json!({ "webhooks": [{ "url": "https://a.example" }, webhook] });
        assert_eq!(problem(&settings), format!("webhooks[1].{name}: {expected}"), "{settings}");
    }
    let nameless = json!({ "webhooks": [{ "types": ["track"] }] });
    assert_eq!(problem(&nameless), format!("webhooks[0].url: {url}"));
}

#[test]
fn a_misspelled_member_is_reported_with_the_nearest_name() {
    let url = "https://a.example";
    for (settings, expected) in [
        (
            json!({"webhooks": [{"url": url}], "sharedSecert": "hunter2"}),
            "there is no \"sharedSecert\"; did you mean \"sharedSecret\"?",
        ),
        (
            json!({"webhooks": [{"url": url, "header": {"x": "hunter2"}}]}),
            "webhooks[0]: there is no \"header\"; did you mean \"headers\"?",
        ),
        (
            json!({"webhooks": [{"url": url, "hunter2": "hunter2"}]}),
            "webhooks[0]: member 2 has an unknown name; known are: url, headers, types, signingSecret, batchSize",
        ),
    ] {
        assert_eq!(problem(&settings), expected, "{settings}");
    }
}

#[test]
fn a_webhook_that_is_no_object_does_not_shift_the_indexes_of_the_others() {
    let settings = json!({ "webhooks": ["https://a.example/hunter2", { "url": "hunter2" }, 7] });
    assert_eq!(
        problem(&settings),
        "webhooks[0]: must be an object; webhooks[2]: must be an object; \
         webhooks[1].url: must be a full http:// or https:// URL"
    );
}

#[test]
fn the_sixth_webhook_is_named_by_index_and_host() {
    let webhooks: Vec<Value> =
        (1..=6).map(|path| json!({ "url": format!("https://a.example/hunter2/{path}?hunter2") })).collect();
    let problem = problem(&json!({ "webhooks": webhooks }));
    let name = name(&"https://a.example/hunter2/6?hunter2".parse().unwrap());
    assert_eq!(problem, format!("webhooks[5] ({name}): is one too many; at most five webhooks"));
}

#[test]
fn a_webhook_that_is_listed_twice_is_refused() {
    for other in
        ["https://a.example/hunter2", "HTTPS://A.example:443/hunter2", "https://a.example/hunter2#here"]
    {
        let settings = json!({ "webhooks": [{ "url": "https://a.example/hunter2" }, { "url": other }] });
        let problem = problem(&settings);
        assert!(problem.starts_with("webhooks[1] (a.example/"), "{problem}");
        assert!(problem.ends_with("): is listed twice"), "{problem}");
    }
}

#[test]
fn batches_cannot_be_combined_with_any() {
    let webhook = json!({ "url": "https://a.example", "batchSize": 2 });
    let problem = problem(&json!({ "success": "any", "webhooks": [webhook] }));
    assert_eq!(problem, "webhooks[0].batchSize: does not go with \"success\":\"any\"");
    parse(&json!({ "success": "any", "webhooks": [{ "url": "https://a.example", "batchSize": 1 }] }));
}

#[test]
fn all_problems_are_reported_together_and_no_value_is_quoted() {
    let webhook = json!({
        "url": "hunter2://hunter2@hunter2/hunter2",
        "headers": { "Host": "hunter2", "X-A": ["hunter2"], "Authorization: Bearer hunter2": "hunter2" },
        "types": ["hunter2"],
        "signingSecret": ["hunter2", "whsec_hunter2"],
        "batchSize": "hunter2",
        "unknown": "hunter2",
    });
    let problem = problem(&json!({
        "sharedSecret": { "hunter2": "hunter2" },
        "success": "hunter2",
        "retryHours": "hunter2",
        "unknown": ["hunter2"],
        "webhooks": [webhook, "hunter2"],
    }));
    assert!(!problem.contains("hunter2"), "{problem}");
    assert_eq!(problem.matches("webhooks[0].headers: ").count(), 3, "{problem}");
    assert_eq!(problem.matches("webhooks[0].signingSecret: ").count(), 2, "{problem}");
    for place in ["sharedSecret: ", "success: ", "retryHours: ", "member 4 ", "webhooks[1]: "] {
        assert!(problem.contains(place), "{place} in {problem}");
    }
    for name in ["url", "headers", "types", "signingSecret", "batchSize"] {
        assert!(problem.contains(&format!("webhooks[0].{name}: ")), "{name} in {problem}");
    }
    assert!(problem.contains("webhooks[0]: member 6 "), "{problem}");
}

#[test]
fn nothing_secret_prints() {
    let settings = parse(&json!({
        "sharedSecret": "hunter2",
        "webhooks": [{ "url": "https://a.example", "headers": { "X-Token": "hunter2" }, "signingSecret": SIGNING }],
    }));
    let printed = format!("{settings:?}");
    assert!(!printed.contains("hunter2") && !printed.contains("MfKQ"), "{printed}");
}

#[test]
fn a_name_has_host_and_port_and_nothing_of_path_query_or_credentials() {
    for (url, start) in [
        ("https://a.example/hunter2?hunter2", "a.example/"),
        ("https://a.example:443/hunter2", "a.example/"),
        ("http://a.example:8080/hunter2", "a.example:8080/"),
        ("https://hunter2:hunter2@a.example/", "a.example/"),
        ("https://[2001:db8::1]:8443/", "[2001:db8::1]:8443/"),
    ] {
        let name = name(&url.parse().unwrap());
        let hash = name.strip_prefix(start).unwrap_or_else(|| panic!("{name}"));
        assert!(hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
    let names = ["https://a.example/1", "https://a.example/2", "https://a.example/1?x", "http://a.example/1"]
        .map(|url| name(&url.parse().unwrap()));
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn urls_that_name_a_private_address_themselves_are_found() {
    for (url, private) in [
        ("https://a.example/", false),
        ("https://8.8.8.8/", false),
        ("http://localhost:3000/", true),
        ("http://127.0.0.1/", true),
        ("http://[::1]/", true),
        ("http://169.254.169.254/", true),
        ("http://0x7f000001/", true),
    ] {
        let settings = parse(&json!({ "webhooks": [{ "url": "https://b.example" }, { "url": url }] }));
        assert_eq!(
            settings.private().map(|webhook| webhook.url.as_str()),
            private.then_some(settings.webhooks[1].url.as_str())
        );
    }
}
