//! The running emulator, and the programs that use it.

use std::{ffi::OsStr, fs, net::TcpListener, path::Path, process::Stdio, time::Duration};

use aws_config::SdkConfig;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    cloud::{ACCOUNT, REGION, config},
    tools,
};

/// The user who may do everything.
const ADMINISTRATOR: &str = "administrator";

/// How long a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(60);

/// An empty AWS. Dropping it ends it and its functions.
pub struct Ministack {
    url: String,
    // It ends before its folder is removed.
    _process: Child,
    /// The files of the emulator and its clients.
    folder: TempDir,
    /// The credentials of programs.
    pub(super) credentials: (String, String),
}

impl Ministack {
    /// Starts an emulator for this test only.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The port is free once the listener is dropped. Another process is unlikely to take it in the
        // meantime.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{address}");
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(tools::root().join(".tools/ministack/bin/ministack"));
        set_environment(&mut command, &url, folder.path());
        let process = command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", address.port().to_string())
            .env("MINISTACK_ACCOUNT_ID", ACCOUNT)
            .env("MINISTACK_REGION", REGION)
            .env("STATE_DIR", folder.path())
            .env("S3_DATA_DIR", folder.path())
            // Checks signatures and permissions.
            .env("AUTH", "true")
            // Ports of services that are not used here.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            // Lambda waits for one minute, and then for two.
            .env("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "0")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("ministack is installed by `make tools`");
        let up = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, up).await.expect("ministack starts");
        Self { url, _process: process, folder, credentials: administrator() }
    }

    /// Returns its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns a folder for the clients' files.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the configuration of clients that may do everything.
    pub(super) async fn config(&self) -> SdkConfig {
        config(&self.url, ADMINISTRATOR).await
    }

    /// Returns the answer of the AWS CLI.
    pub async fn aws(&self, arguments: &[&str]) -> Value {
        let mut command = self.command(tools::program("aws"));
        command.args(arguments);
        let answer = self.output_of(command).await.unwrap_or_else(|fault| panic!("{fault}"));
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// Returns the answer of a function, by its name or ARN.
    pub async fn invoke(&self, function: &str, payload: &str) -> Value {
        let file = self.folder().join("answer");
        let output = file.to_str().unwrap();
        let told =
            self.aws(&["lambda", "invoke", "--function-name", function, "--payload", payload, output]).await;
        let answer = fs::read_to_string(&file).unwrap();
        assert!(told["FunctionError"].is_null(), "{function}: {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// Creates a secret that belongs to the user, and returns its ARN.
    pub async fn create_secret(&self, name: &str, text: &str) -> String {
        let client = aws_sdk_secretsmanager::Client::new(&self.config().await);
        let call = client.create_secret().name(name).secret_string(text);
        call.send().await.unwrap().arn.unwrap()
    }

    /// Waits until the condition holds.
    ///
    /// # Panics
    /// With the emulator's last lines when it takes too long.
    pub async fn eventually(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let start = Instant::now();
        while !is_so().await {
            assert!(start.elapsed() < PATIENCE, "{what}: that did not happen\n{}", self.log());
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns its last lines and those of the functions.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Returns a program that can reach this AWS and none of the user's settings.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        set_environment(&mut command, &self.url, self.folder.path());
        let (key, secret) = &self.credentials;
        command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
        command
    }

    /// Returns the output of a program.
    ///
    /// # Errors
    /// All output of the program if it failed.
    pub(super) async fn output_of(&self, mut command: Command) -> Result<String, String> {
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
        let written = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(written);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        Err(format!("{program} failed:\n{written}{errors}\n{}", self.log()))
    }
}

/// Returns the key and the secret of the user who may do everything.
pub(super) fn administrator() -> (String, String) {
    (ADMINISTRATOR.to_owned(), "secret".to_owned())
}

/// Points a program to this AWS. Functions get the endpoint from the emulator's own environment.
fn set_environment(command: &mut Command, url: &str, folder: &Path) {
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", ADMINISTRATOR)
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_DEFAULT_OUTPUT", "json")
        // SAM polls a stack at this interval, in seconds.
        .env("SAM_CLI_POLL_DELAY", "0.1")
        .env("SAM_CLI_TELEMETRY", "0");
}
