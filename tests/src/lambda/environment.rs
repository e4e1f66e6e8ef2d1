//! An execution environment: a function's process under the Lambda Runtime API.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::runtime_api::{self, Invocation, now};

/// How long a test waits for a function's start. Lambda allows 10 s; a machine that is building may be
/// slower.
const PATIENCE: Duration = Duration::from_secs(60);

/// The failure of an invocation, as its caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error's type: the function's own, or `Sandbox.Timedout` or `Runtime.ExitError`.
    pub kind: String,
    /// The error's sentence.
    pub message: String,
}

/// Receives each line that the process writes.
pub(crate) type Log = Arc<dyn Fn(String) + Send + Sync>;

/// A process that has asked for its first event. Dropping it kills it.
pub(crate) struct Environment {
    invocations: mpsc::UnboundedSender<Invocation>,
    process: Child,
    logs: Vec<tokio::task::JoinHandle<()>>,
}

impl Environment {
    /// Starts the binary. Returns at the end of its INIT, when it asks for its first event.
    ///
    /// # Errors
    /// [`Failure`] when it ends before.
    pub(crate) async fn start(
        binary: &Path,
        arn: &str,
        variables: &[(String, String)],
        log: Log,
    ) -> Result<Self, Failure> {
        let (invocations, queue) = mpsc::unbounded_channel();
        let (ready, mut is_ready) = watch::channel(false);
        let address = runtime_api::serve(arn, queue, ready).await;
        let mut process = Command::new(binary)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        let logs = vec![
            copy(process.stdout.take().unwrap(), log.clone()),
            copy(process.stderr.take().unwrap(), log),
        ];
        let mut environment = Self { invocations, process, logs };
        let started = timeout(PATIENCE, async {
            tokio::select! {
                ready = is_ready.wait_for(|ready| *ready) => ready.is_ok(),
                _ = environment.process.wait() => false,
            }
        });
        match started.await {
            Ok(true) => Ok(environment),
            _ => Err(environment.end("its INIT did not succeed").await),
        }
    }

    /// Invokes the function and waits for its answer, at most for the function's timeout.
    ///
    /// # Errors
    /// [`Failure`] of the function. The second value is `None` if the environment is gone, which happens
    /// after one of Lambda's own errors.
    pub(crate) async fn invoke(
        mut self,
        payload: String,
        limit: Duration,
    ) -> (Result<String, Failure>, Option<Self>) {
        let (answer, answered) = oneshot::channel();
        let deadline = now() + limit;
        let sent = self.invocations.send(Invocation { payload, deadline, answer });
        if sent.is_err() {
            return (Err(self.end("its process had ended").await), None);
        }
        tokio::select! {
            // An answer counts even if the process ended right after it.
            biased;
            Ok(answer) = answered => (answer, Some(self)),
            _ = self.process.wait() => (Err(self.end("its process ended").await), None),
            () = tokio::time::sleep(limit) => {
                let message = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
                (Err(Failure { kind: "Sandbox.Timedout".to_owned(), message }), None)
            }
        }
    }

    /// Returns the process's number.
    pub(crate) fn process(&self) -> Option<u32> {
        self.process.id()
    }

    /// Whether the process is still running.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Ends the process after its last line is read.
    async fn end(mut self, how: &str) -> Failure {
        let _ = self.process.kill().await;
        for log in self.logs.drain(..) {
            let _ = log.await;
        }
        Failure { kind: "Runtime.ExitError".to_owned(), message: how.to_owned() }
    }
}

fn copy(output: impl AsyncRead + Unpin + Send + 'static, log: Log) -> tokio::task::JoinHandle<()> {
    let mut lines = BufReader::new(output).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            log(line);
        }
    })
}
