//! `segue tail`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Stdio},
};

use serde_json::Value;

use crate::process::{Server, login, segue};

struct Tail(Child, BufReader<ChildStdout>);

impl Tail {
    fn start(server: &Server, options: &[&str]) -> Self {
        let mut child = segue()
            .args(["tail", "--url", &server.base])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_the_known_messages_and_then_new_ones() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for id in ["1", "2", "3"] {
        server.webhook(&login(id)).await;
    }
    server.rows(|rows| rows.len() == 3 && rows.iter().all(|row| row["state"] == "delivered")).await;
    let mut tail = Tail::start(&server, &["--lines", "2"]);
    for _ in 0..2 {
        let line = tail.line();
        assert!(line.contains("fusionauth user.login.success  track  user-1"), "{line}");
        assert!(line.ends_with("stand-in delivered\n") && !line.contains('\u{1b}'), "{line}");
    }
    let news = r#"{"userId":"u\u001b[2J","event":"News","writeKey":"local"}"#;
    server.post("/v1/track", news).await;
    let line = tail.line();
    assert!(line.contains("HTTP API  track  u\\u{1b}[2J  News  stand-in "), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_filters_and_prints_json_for_programs() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let options = ["--json", "--type", "page", "--user", "b", "--source", "HTTP", "--state", "delivered"];
    let mut tail = Tail::start(&server, &options);
    for (call, user) in [("track", "b"), ("page", "a"), ("page", "b")] {
        let message = format!(r#"{{"userId":"{user}","event":"e","writeKey":"local"}}"#);
        server.post(&format!("/v1/{call}"), message).await;
    }
    let row: Value = serde_json::from_str(&tail.line()).unwrap();
    assert_eq!(
        (&row["type"], &row["user"], &row["state"]),
        (&"page".into(), &"b".into(), &"delivered".into())
    );
}

#[tokio::test]
async fn tail_names_the_fix_when_there_is_no_server() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--page", "everyone", "--page-token", "0123456789abcdef"]);
    let other = tempfile::tempdir().unwrap();
    let without_page = Server::start(other.path(), &["--page", "off"]);
    let nothing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, expected) in [
        (format!("http://{nothing}"), "start segue serve, or pass its address with --url"),
        (server.base.clone(), "needs its page's token: run this in the folder where segue serve was started"),
        (without_page.base.clone(), "has no page: the page is off"),
    ] {
        let output = segue().args(["tail", "--url", &url]).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(expected), "{error}");
    }
}
