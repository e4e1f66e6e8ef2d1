//! The details of a message.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::FakeServer;

use crate::process::{Server, login, sample};

#[tokio::test]
async fn details_show_the_request_the_message_and_the_deliveries() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut event = login("1");
    event["event"]["user"]["password"] = "hunter2".into();
    server.webhook(&event).await;
    let rows = server.rows(|rows| rows.first().is_some_and(|row| row["state"] == "delivered")).await;
    let details = server.details(&rows[0]).await;
    assert_eq!(details["row"], rows[0]);
    let arrival = &details["arrivals"][0];
    assert_eq!(
        (&arrival["method"], &arrival["path"], &arrival["status"], &arrival["answer"]),
        (&json!("POST"), &json!("/identity/fusionauth"), &json!(200), &json!(r#"{"accepted":1}"#))
    );
    let body: Value = serde_json::from_str(arrival["body"].as_str().unwrap()).unwrap();
    event["event"]["user"].as_object_mut().unwrap().remove("password");
    assert_eq!(body, event);
    assert!(
        details["mapping"]["rule"].as_str().unwrap().starts_with("providers/fusionauth.toml:"),
        "{details}"
    );
    let message: Value = serde_json::from_str(details["message"].as_str().unwrap()).unwrap();
    assert_eq!((&message["type"], &details["writeKey"]), (&json!("track"), &json!("default")));
    let delivery = &details["deliveries"][0];
    let request = &delivery["request"];
    assert!(request["url"].as_str().unwrap().ends_with("/stand-in/v1/batch"));
    let sent: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert_eq!(sent["batch"], json!([message]));
    assert_eq!(
        (&delivery["attempts"][0]["status"], &delivery["attempts"][0]["failure"]),
        (&json!(200), &json!(null))
    );
    let answer = server.api(Method::GET, "messages/99").send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn details_name_the_fields_that_the_mapping_hid() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut event = login("1");
    event["event"]["type"] = "user.create.complete".into();
    event["event"]["user"]["data"] = json!({"plan": "pro", "apiKey": "hunter2"});
    server.webhook(&event).await;
    let rows = server.rows(|rows| rows.first().is_some_and(|row| !row["kind"].is_null())).await;
    let details = server.details(&rows[0]).await;
    let hidden = details["mapping"]["hidden"].as_array().unwrap();
    assert!(hidden.iter().any(|path| path.as_str().unwrap().contains("apiKey")), "{hidden:?}");
    assert!(!details.to_string().contains("hunter2"), "{details:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_request_is_shown_with_its_signature_and_without_secrets() {
    let data = tempfile::tempdir().unwrap();
    let webhook = FakeServer::healthy().await;
    let url = format!("{}/hook?key=hunter4", webhook.url());
    let header = format!("{url} X-Api-Key: hunter2");
    let server = Server::start(
        data.path(),
        &[
            "--webhook",
            &url,
            "--webhook-header",
            &header,
            "--shared-secret",
            "hunter3",
            "--allow-private-webhooks",
        ],
    );
    server.webhook(&login("1")).await;
    let rows = server.rows(|rows| rows.first().is_some_and(|row| row["state"] == "delivered")).await;
    let details = server.details(&rows[0]).await;
    let request = &details["deliveries"][1]["request"];
    assert_eq!(
        (&request["url"], &details["deliveries"][1]["attempts"][0]["status"]),
        (&json!(url.replace("key=hunter4", "***")), &json!(200))
    );
    let received = &webhook.requests()[0];
    assert_eq!(request["body"].as_str().unwrap(), received.body);
    let headers = request["headers"].as_array().unwrap();
    let shown = |name: &str| headers.iter().find(|header| header[0] == name).map(|header| header[1].clone());
    assert_eq!(shown("x-signature"), received.header("x-signature").map(Into::into));
    assert_eq!(shown("x-api-key"), Some(json!("***")));
    assert!(!details.to_string().contains("hunter"), "{details}");
}

/// Sends each sample with Try it, and returns it with its answer.
async fn try_all(server: &Server) -> Vec<(Value, Value)> {
    let samples = server.ask("samples").await;
    let mut tried = Vec::new();
    for sample in samples["samples"].as_array().unwrap() {
        let trial =
            json!({"path": sample["path"], "contentType": sample["contentType"], "body": sample["body"]});
        let answer = server.post("/debugger/api/try", trial.to_string()).await;
        assert_eq!(answer.status(), 200, "{sample}");
        tried.push((sample.clone(), answer.json().await.unwrap()));
    }
    assert!(tried.len() > 20);
    tried
}

#[tokio::test]
async fn try_it_signs_as_the_provider_would_and_returns_its_rows() {
    for secret in [
        json!({"fusionauth": {"signingSecrets": ["s3cret"], "header": {"name": "x-key", "value": "s3cret"}},
            "auth0/logs": {"bearer": "s3cret"}, "auth0": {"bearer": ["s3cret", "old"]},
            "clerk": {"signingSecrets": "whsec_c2FtcGxl"}, "okta": {"bearer": "s3cret"},
            // Nobody but Kinde could sign its bodies.
            "kinde": {"bearer": "s3cret"}, "keycloak": {"signingSecrets": "s3cret"},
            "logto": {"signingSecrets": "s3cret"}, "ory": {"bearer": "s3cret"}, "supabase": {"bearer": "s3cret"},
            "stytch": {"signingSecrets": "whsec_c2FtcGxl"}, "workos": {"signingSecrets": "s3cret"},
            "supabase-hook": {"signingSecrets": "v1,whsec_c2FtcGxl"}}),
        json!({"fusionauth": {"basic": {"username": "u", "password": "p"}},
            "auth0": {"header": {"name": "x-key", "value": "s3cret"}},
            "clerk": {"signingSecrets": ["v1,whsec_c2FtcGxl", "whsec_b2xk"]},
            "okta": {"header": {"name": "x-okta", "value": "s3cret"}},
            "kinde": {"basic": {"username": "u", "password": "p"}}, "keycloak": {"bearer": "s3cret"},
            "logto": {"header": {"name": "x-key", "value": "s3cret"}}, "ory": {"bearer": "s3cret"},
            "supabase": {"header": {"name": "x-key", "value": "s3cret"}}, "workos": {"bearer": "s3cret"},
            "stytch": {"signingSecrets": ["whsec_c2FtcGxl", "whsec_b2xk"]},
            "supabase-hook": {"bearer": "s3cret"}}),
    ] {
        let data = tempfile::tempdir().unwrap();
        let secret = secret.to_string();
        let server = Server::start(data.path(), &["--identity-secret", &secret, "--write-key", "s3cret-too"]);
        let mut made = 0;
        for (sample, answer) in try_all(&server).await {
            assert_eq!(answer["status"], 200, "{sample} {answer}");
            let ids = answer["ids"].as_array().unwrap();
            assert!(!ids.is_empty(), "{} {answer}", sample["name"]);
            made += ids.len();
        }
        // The same sample twice is one row.
        let waits = |row: &Value| ["queued", "retrying"].contains(&row["state"].as_str().unwrap());
        let rows = server.rows(|rows| !rows.is_empty() && !rows.iter().any(waits)).await;
        assert!(rows.len() > 20 && rows.len() <= made, "{} of {made}", rows.len());
        for row in &rows {
            let details = server.details(row).await.to_string();
            assert!(!details.contains("s3cret") && !details.contains("c2FtcGxl"), "{details}");
        }
    }
}

#[tokio::test]
async fn try_it_is_refused_as_the_provider_would_be() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--fusionauth-signing-secret", "s3cret"]);
    for (sample, answer) in try_all(&server).await {
        let path = sample["path"].as_str().unwrap();
        let refused = path.starts_with("/identity/") && path != "/identity/fusionauth";
        assert_eq!(answer["status"].as_u64() > Some(400), refused, "{path}: {answer}");
    }
    for (trial, status) in [
        (json!({"path": "/debugger/api/purge", "body": "{}"}), 400),
        (json!({"path": "/identity/fusionauth", "body": "hunter2"}), 200),
        (json!({"path": "no path", "body": ""}), 400),
        (json!({"body": ""}), 400),
    ] {
        let answer = server.post("/debugger/api/try", trial.to_string()).await;
        assert_eq!(answer.status(), status, "{trial}");
    }
}

#[tokio::test]
async fn try_it_shows_the_mapping_and_sends_nothing_where_only_the_provider_can_sign() {
    let data = tempfile::tempdir().unwrap();
    let secret = r#"{"fusionauth": {"jwksUrl": "http://127.0.0.1:9/jwks.json"}}"#;
    let server = Server::start(data.path(), &["--identity-secret", secret]);
    let body = login("1").to_string();
    let trial = json!({"path": "/identity/fusionauth", "body": body}).to_string();
    let answer: Value = server.post("/debugger/api/try", trial).await.json().await.unwrap();
    assert!(
        answer["reason"].as_str().unwrap().starts_with("Nothing was sent: only the provider"),
        "{answer}"
    );
    assert_eq!(
        (&answer["messages"][0]["type"], &answer["messages"][0]["userId"]),
        (&json!("track"), &json!("user-1"))
    );
    assert_eq!(answer["status"], Value::Null);
    let unusable = json!({"path": "/identity/fusionauth", "body": "{}"}).to_string();
    assert_eq!(server.post("/debugger/api/try", unusable).await.status(), 422);
    assert!(server.rows(|_| true).await.is_empty() && server.messages(0).await.is_empty());
}

#[tokio::test]
async fn no_credential_of_any_sample_is_on_the_page() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut sent = 0;
    for entry in std::fs::read_dir(sample("identity-webhook/bodies")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let routes = ["fusionauth", "auth0.login", "auth0.logs", "auth0.events", "clerk", "okta"];
        let Some(route) = routes.iter().find(|route| name.starts_with(**route)) else { continue };
        let body = std::fs::read_to_string(&path).unwrap();
        // Puts it into every object of the body.
        let planted = body.replace('{', r#"{"password":"hunter2","api_key":"hunter2","#).replace(",}", "}");
        if serde_json::from_str::<Value>(&planted).is_err() {
            continue;
        }
        sent += 1;
        server.post(&format!("/identity/{}", route.replace('.', "/")), planted).await;
    }
    assert!(sent > 20, "{sent}");
    let rows = server.rows(|rows| rows.len() > 20).await;
    for row in &rows {
        let details = server.details(row).await;
        assert!(!details.to_string().contains("hunter2"), "{details:#}");
    }
}
