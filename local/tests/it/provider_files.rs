//! Providers of the user's own, through the real program.

use std::{fs, path::Path};

use platform::clock::{Clock, SystemClock};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    process::{Server, sample},
    program::{run, text},
};

const SECRET: &str = "a sample secret of Acme";

fn acme() -> String {
    sample("provider-files/acme.toml").to_str().unwrap().to_owned()
}

fn body(name: &str) -> String {
    fs::read_to_string(sample(&format!("provider-files/acme/{name}.json"))).unwrap()
}

/// Returns the header that Acme would send now.
fn signed(body: &str, secret: &str) -> String {
    let seconds = SystemClock.now().as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

fn start(data: &Path) -> Server {
    let secret = json!({"acme": {"signingSecrets": SECRET}}).to_string();
    Server::start(data, &["--provider", &acme(), "--identity-secret", &secret])
}

#[tokio::test]
async fn the_users_of_a_provider_that_segue_does_not_know_reach_segment() {
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path());
    assert!(server.banner.contains("identity/…: acme, "), "{}", server.banner);
    let url = format!("{}/identity/acme", server.base);
    let post = async |body: &str, signature: &str| {
        let request = server.http.post(&url).header("content-type", "application/json");
        request.header("acme-signature", signature).body(body.to_owned()).send().await.unwrap().status()
    };
    let created = body("user.created");
    assert_eq!(post(&created, &signed(&created, "another secret")).await, 401);
    assert_eq!(post(&created, &signed(&body("session.started"), SECRET)).await, 401);
    assert_eq!(post(&created, &signed(&created, SECRET)).await, 200);
    let messages: Vec<Value> =
        server.messages(2).await.iter().map(|received| received["message"].clone()).collect();
    let identify = messages.iter().find(|message| message["type"] == "identify").unwrap();
    assert_eq!((&identify["userId"], &identify["traits"]["name"]), (&json!("48213"), &json!("Ada King")));
    assert!(!format!("{messages:?}").contains("never-send"), "{messages:?}");
    // The page shows neither credentials nor what the file says is never read.
    let delivered = |row: &&Value| row["state"] == "delivered";
    let rows = server.rows(|rows| rows.iter().filter(delivered).count() == 2).await;
    let row = rows.iter().find(delivered).unwrap();
    let details = server.details(row).await;
    assert!(!details.to_string().contains("never-send"), "{details}");
    assert_eq!(row["source"], "acme");
}

#[tokio::test]
async fn try_it_signs_a_body_of_a_provider_of_the_users_own() {
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path());
    let samples = server.ask("samples").await;
    let own = samples["samples"]
        .as_array()
        .unwrap()
        .iter()
        .find(|sample| sample["group"] == "Acme ID")
        .unwrap()
        .clone();
    let trial =
        json!({"path": own["path"], "contentType": own["contentType"], "body": body("session.started")});
    let answer: Value = server.post("/debugger/api/try", trial.to_string()).await.json().await.unwrap();
    assert_eq!((&answer["status"], answer["ids"].as_array().unwrap().len()), (&json!(200), 1), "{answer}");
    let setup = server.ask("setup").await;
    let shown =
        setup["providers"].as_array().unwrap().iter().find(|provider| provider["route"] == "acme").unwrap();
    assert_eq!((&shown["name"], &shown["authenticated"]), (&json!("Acme ID"), &json!(true)));
}

/// Copies the example's bodies and expected messages to a folder.
fn bodies() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(sample("provider-files/acme")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn expect(folder: &Path, further: &[&str]) -> (i32, String) {
    let (provider, folder) = (acme(), folder.to_str().unwrap().to_owned());
    let output = run(&[&["map", "--provider", &provider, "--expect", &folder], further].concat(), b"");
    (output.status.code().unwrap(), [text(&output.stdout), text(&output.stderr)].concat())
}

#[test]
fn a_folder_of_bodies_is_compared_with_its_expected_messages() {
    let folder = bodies();
    let (code, said) = expect(folder.path(), &[]);
    assert!(code == 0 && said.contains("all 2 bodies make the expected messages"), "{said}");

    let changed = body("user.created").replace("\"Ada\"", "\"Eda\"");
    fs::write(folder.path().join("user.created.json"), changed).unwrap();
    let (code, said) = expect(folder.path(), &[]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("-        \"firstName\": \"Ada\"") && said.contains("+        \"firstName\": \"Eda\""),
        "{said}"
    );
    assert!(said.contains("1 of 2 bodies make other messages"), "{said}");

    let (code, said) = expect(folder.path(), &["--write"]);
    assert!(
        code == 0 && said.contains("wrote the expected messages of 2 bodies, 0 of them without"),
        "{said}"
    );
    assert_eq!(expect(folder.path(), &[]).0, 0);

    // A body without expected messages, and expected messages without a body.
    fs::remove_file(folder.path().join("user.created.expected.json")).unwrap();
    assert_eq!(expect(folder.path(), &[]).0, 1);
    assert_eq!(expect(folder.path(), &["--write"]).0, 0);
    fs::remove_file(folder.path().join("user.created.json")).unwrap();
    let (code, said) = expect(folder.path(), &[]);
    assert!(code == 1 && said.contains("has no body user.created.json beside it"), "{said}");
    let empty = tempfile::tempdir().unwrap();
    let (code, said) = expect(empty.path(), &[]);
    assert!(code == 1 && said.contains("has no body; save each as NAME.json there"), "{said}");
    let (code, said) = expect(&empty.path().join("none"), &[]);
    assert!(code == 1 && said.contains("cannot be read"), "{said}");
}

#[test]
fn the_expected_messages_do_not_depend_on_the_time_of_the_test() {
    let folder = tempfile::tempdir().unwrap();
    let body = body("user.created").replace("created_at", "made_at");
    fs::write(folder.path().join("user.created.json"), body).unwrap();
    assert_eq!(expect(folder.path(), &["--write"]).0, 0);
    let expected = fs::read_to_string(folder.path().join("user.created.expected.json")).unwrap();
    assert!(
        expected.contains("\"timestamp\": \"the time of receipt\"") && !expected.contains("library"),
        "{expected}"
    );
    assert_eq!(expect(folder.path(), &[]).0, 0);
}

#[test]
fn a_draft_is_written_once_and_maps_its_own_body() {
    let folder = tempfile::tempdir().unwrap();
    let (file, source) = (folder.path().join("mine.toml"), sample("provider-files/acme/user.created.json"));
    let (file, source) = (file.to_str().unwrap(), source.to_str().unwrap());
    let new = |name: &str| {
        let output = run(&["provider", "new", name, source, "--output", file], b"");
        (output.status.code().unwrap(), text(&output.stderr).to_owned())
    };
    assert_eq!(new("mine").0, 0);
    let output = run(&["map", "--provider", file, source], b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let messages: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((messages.len(), &messages[0]["userId"]), (2, &json!("48213")), "{messages:?}");
    assert!(!text(&output.stdout).contains("never-send"));
    let (code, said) = new("mine");
    assert!(code == 1 && said.contains("cannot be written"), "{said}");
    for (name, expected) in [
        ("clerk", "clerk is built in; segue mappings clerk prints its file"),
        ("auth0", "auth0 is built in"),
        ("Mine", "is no name of a provider"),
        ("my.own", "is no name of a provider"),
        ("proof", "is a key of a provider"),
    ] {
        let (code, said) = new(name);
        assert!(code == 1 && said.contains(expected), "{name}: {said}");
    }
    for body in ["", "7", "[]", "not json"] {
        let output = run(&["provider", "new", "mine", "-", "--output", "-"], body.as_bytes());
        assert_eq!(output.status.code(), Some(1), "{body}");
    }
}

#[test]
fn the_provider_need_not_be_named_where_there_is_only_one() {
    let (file, source) = (acme(), sample("provider-files/acme/user.created.json"));
    let source = source.to_str().unwrap();
    for arguments in
        [&["map", "--provider", &file, source][..], &["map", "acme", "--provider", &file, source]]
    {
        assert!(run(arguments, b"").status.success(), "{arguments:?}");
    }
    let output = run(&["map", "--provider", &file], body("user.created").as_bytes());
    assert!(output.status.success(), "from standard input: {}", text(&output.stderr));
    let other = tempfile::tempdir().unwrap();
    let second = other.path().join("other.toml");
    fs::write(&second, fs::read_to_string(&file).unwrap().replace("acme", "other")).unwrap();
    let output = run(&["map", "--provider", &file, "--provider", second.to_str().unwrap(), source], b"");
    assert!(text(&output.stderr).contains("there is no provider"), "{}", text(&output.stderr));
}

/// A secret may have members of providers whose files are not given here.
#[test]
fn map_needs_only_the_hash_key_of_a_secret() {
    let source = sample("identity-webhook/bodies/fusionauth.user.login.success.json");
    let secret = r#"{"acme": {"bearer": "x"}, "hashKey": "a long hash key of the test"}"#;
    let output = run(&["map", "fusionauth", source.to_str().unwrap(), "--identity-secret", secret], b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = run(&["map", "fusionauth", source.to_str().unwrap(), "--identity-secret", "{"], b"");
    assert!(text(&output.stderr).contains("IDENTITY_SECRET is not usable"), "{}", text(&output.stderr));
}
