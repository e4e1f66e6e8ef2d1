//! moto, which emulates SNS, SQS, DynamoDB and Secrets Manager.

use std::{
    net::TcpListener,
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::tools;

/// The region of all resources.
pub(crate) const REGION: &str = "eu-central-1";

/// moto reads and writes an item in two steps, in a thread for each request; DynamoDB does both at once.
/// Threads that only switch while they wait for the network never interleave the two steps.
///
/// A number on its standard input advances the time of its queues by that many seconds, so that no test has
/// to wait for a visibility timeout.
const EMULATOR: &str = r#"
import sys, threading
sys.setswitchinterval(3600)
import moto.server, moto.sqs.models as queues
ahead, seconds, milliseconds = 0, queues.unix_time, queues.unix_time_millis
queues.unix_time = lambda: seconds() + ahead
queues.unix_time_millis = lambda: milliseconds() + ahead * 1000
def advance():
    global ahead
    for line in sys.stdin:
        ahead += float(line)
        print("advanced", flush=True)
threading.Thread(target=advance, daemon=True).start()
moto.server.main()
"#;

/// A running emulator. Dropping it ends it.
pub(crate) struct Emulator {
    url: String,
    /// Its input and its output.
    pipes: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    /// Milliseconds.
    ahead: AtomicU64,
    _process: Child,
}

impl Emulator {
    /// Starts an emulator for this test only.
    pub(crate) async fn start() -> Self {
        // The port is free once the listener is dropped. Another process is unlikely to take it in the
        // meantime.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut process = Command::new(tools::program("python"))
            .args(["-c", EMULATOR, "--host", "127.0.0.1", "--port", &address.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let up = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), up).await.expect("moto starts");
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let pipes = Mutex::new((process.stdin.take().unwrap(), answers));
        Self { url: format!("http://{address}"), pipes, ahead: AtomicU64::new(0), _process: process }
    }

    /// Returns its URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the configuration of clients that may do everything.
    pub(crate) async fn config(&self) -> SdkConfig {
        config(&self.url, "administrator").await
    }

    /// Advances the time of its queues.
    pub(crate) async fn advance(&self, time: Duration) {
        self.ahead.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
        let line = format!("{}\n", time.as_secs_f64());
        let (input, answers) = &mut *self.pipes.lock().await;
        input.write_all(line.as_bytes()).await.unwrap();
        // Reads past the output of its start.
        while answers.next_line().await.unwrap().expect("moto runs") != "advanced" {}
    }

    /// Returns how far the time of its queues is ahead of the machine's.
    pub(crate) fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead.load(Ordering::Relaxed))
    }
}

/// Returns the configuration of clients for the AWS at `url`. The access key is the owner's name.
pub(crate) async fn config(url: &str, owner: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new(owner, "secret", None, None, "tests"))
        .endpoint_url(url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await
}
