//! Starts `segue serve`, and talks to it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::live::Live;

/// The program with a clean environment.
pub fn segue() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segue"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// The path of a file in the repository's `events` folder.
pub fn sample(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(path)
}

/// FusionAuth's event for a login, with this event id.
pub fn login(id: &str) -> Value {
    json!({"event": {"id": id, "type": "user.login.success", "user": {"id": "user-1"}}})
}

/// A running server. It is killed when it is dropped.
pub struct Server {
    child: Child,
    log: Log,
    pub base: String,
    /// The start screen.
    pub banner: String,
    pub http: Client,
    /// The token of its page, if it needs one.
    pub token: Option<String>,
}

impl Server {
    /// Starts it on a free port, with its store in `data` and these options.
    pub fn start(data: &Path, options: &[&str]) -> Self {
        Self::start_with(data, options, |_| ())
    }

    /// Like [`start`](Self::start), but `prepare` can change the command.
    pub fn start_with(data: &Path, options: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let listen = if options.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] };
        let mut command = segue();
        command.arg("serve").args(listen).arg("--data-dir").arg(data).args(options);
        prepare(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = Log::read(child.stderr.take().unwrap());
        let mut banner = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !banner.contains("Ctrl-C stops it") {
            assert!(lines.read_line(&mut banner).unwrap() > 0, "it ended: {}", log.whole());
        }
        let after = banner.split("Identity providers").nth(1).unwrap().trim_start();
        let base = after.split("/identity").next().unwrap().to_owned();
        let token = token(data);
        Self { child, log, base, banner, http: platform::http::client().unwrap(), token }
    }

    /// Posts a FusionAuth webhook.
    pub async fn webhook(&self, body: &Value) -> Response {
        self.post("/identity/fusionauth", body.to_string()).await
    }

    /// Posts JSON. Requests to the page's API have its token.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let request = match path.strip_prefix("/debugger/api/") {
            Some(path) => self.api(Method::POST, path),
            None => self.http.post(format!("{}{path}", self.base)),
        };
        request.header("content-type", "application/json").body(body).send().await.unwrap()
    }

    /// A request to the page's API, like those of the page.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/debugger/api/{path}", self.base));
        self.token.iter().fold(request, |request, token| request.bearer_auth(token))
    }

    /// Its API's answer to a GET.
    pub async fn ask(&self, path: &str) -> Value {
        self.api(Method::GET, path).send().await.unwrap().json().await.unwrap()
    }

    /// The page's address, with its token if it needs one.
    pub fn page(&self) -> String {
        let token = self.token.as_ref().map(|token| format!("?token={token}"));
        format!("{}/{}", self.base, token.unwrap_or_default())
    }

    /// Waits until the stand-in has received `count` messages, and returns all of them, newest first.
    pub async fn messages(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.ask("stand-in?limit=1000").await;
            let messages = answer["messages"].as_array().unwrap().clone();
            if messages.len() >= count {
                return messages;
            }
            assert!(Instant::now() < deadline, "only {} of {count} messages arrived", messages.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until `until` accepts the rows of the live list, and returns them, oldest first.
    pub async fn rows(&self, until: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        Live::connect(self).await.rows(until).await
    }

    /// The details of a message on the page.
    pub async fn details(&self, row: &Value) -> Value {
        self.ask(&format!("messages/{}", row["id"])).await
    }

    /// The state of a queue: `segment`, `webhooks` or `regulations`.
    pub async fn queue(&self, name: &str) -> Value {
        self.ask("queues").await[name].clone()
    }

    /// Kills it with SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it with SIGTERM, and returns its exit status.
    pub fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// Its peak memory in MiB.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Kills it and returns its log.
    pub fn log(mut self) -> String {
        self.child.kill().unwrap();
        self.log.whole()
    }

    /// Its log until now.
    #[cfg(target_os = "linux")]
    pub fn log_so_far(&self) -> String {
        self.log.so_far()
    }

    /// Waits this long for it to end by itself. Returns its exit status, or None if it still runs.
    #[cfg(target_os = "linux")]
    pub async fn ended_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + time;
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || Instant::now() > deadline {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The page token in a data directory.
pub fn token(data: &Path) -> Option<String> {
    std::fs::read_to_string(data.join("segue.page-token")).ok().map(|token| token.trim_end().to_owned())
}

/// Runs a server that must not start. Returns its exit status and its log.
#[cfg(target_os = "linux")]
pub fn ended_at_start(mut command: Command) -> (ExitStatus, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = Log::read(child.stderr.take().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status, log.whole());
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it started: {}", log.whole());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Reads the standard error of a process all the time, because a full pipe would block the process.
struct Log {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    fn read(stderr: ChildStderr) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let shared = text.clone();
        let reader = thread::spawn(move || {
            let mut lines = BufReader::new(stderr);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Its whole log, once the process has ended.
    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}
