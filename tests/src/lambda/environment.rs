//! One execution environment: a function's process under the Lambda Runtime API.

use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex as StdMutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{Path as Segment, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc, oneshot, watch},
    time::timeout,
};

/// How long a test waits for a function's start. Lambda allows 10 s; machines that build may be slower.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an invocation fails, as its caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error's type: the function's own, or `Sandbox.Timedout`, `Runtime.ExitError`.
    pub kind: String,
    /// Its sentence.
    pub message: String,
}

/// Gets each line that the process writes.
pub(crate) type Log = Arc<dyn Fn(String) + Send + Sync>;

/// A process that has asked for its first event. Dropping it kills it.
pub(crate) struct Environment {
    invocations: mpsc::UnboundedSender<Invocation>,
    process: Child,
    logs: Vec<tokio::task::JoinHandle<()>>,
}

struct Invocation {
    payload: String,
    deadline: Duration,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<String, Failure>>;

struct Api {
    queue: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// The invocation under way: an environment has one at a time.
    current: StdMutex<Option<(String, Answer)>>,
    ready: watch::Sender<bool>,
    arn: String,
}

impl Environment {
    /// Starts the binary and returns when its INIT is over: when it asks for its first event.
    ///
    /// # Errors
    /// [`Failure`] when it ends before that.
    pub(crate) async fn start(
        binary: &Path,
        arn: &str,
        variables: &[(String, String)],
        log: Log,
    ) -> Result<Self, Failure> {
        let (invocations, queue) = mpsc::unbounded_channel();
        let (ready, mut is_ready) = watch::channel(false);
        let api = Api { queue: Mutex::new(queue), current: StdMutex::default(), ready, arn: arn.to_owned() };
        let address = serve(api).await;
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

    /// Invokes the function and waits for its answer, for the function's timeout at most.
    ///
    /// # Errors
    /// [`Failure`] of the function. After one of Lambda's own the environment is gone, which the second value says.
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
            // An answer that is there counts, even when the process ended right after it.
            biased;
            Ok(answer) = answered => (answer, Some(self)),
            _ = self.process.wait() => (Err(self.end("its process ended").await), None),
            () = tokio::time::sleep(limit) => {
                let message = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
                (Err(Failure { kind: "Sandbox.Timedout".to_owned(), message }), None)
            }
        }
    }

    /// The number of the process.
    pub(crate) fn process(&self) -> Option<u32> {
        self.process.id()
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Ends it, once its last line is read.
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

async fn serve(api: Api) -> SocketAddr {
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .with_state(Arc::new(api));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    api.ready.send_replace(true);
    let Some(invocation) = api.queue.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let id = format!("8476a536-e9f4-11e8-9739-{:012x}", now().as_micros() & 0xffff_ffff_ffff);
    let headers = [
        ("lambda-runtime-aws-request-id", id.clone()),
        ("lambda-runtime-deadline-ms", invocation.deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", api.arn.clone()),
        ("content-type", "application/json".to_owned()),
    ];
    *api.current.lock().unwrap() = Some((id, invocation.answer));
    (headers, invocation.payload).into_response()
}

async fn response(State(api): State<Arc<Api>>, Segment(id): Segment<String>, body: String) -> StatusCode {
    api.finish(&id, Ok(body))
}

async fn error(State(api): State<Arc<Api>>, Segment(id): Segment<String>, body: String) -> StatusCode {
    let error: Value = serde_json::from_str(&body).unwrap();
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    api.finish(&id, Err(Failure { kind: text("errorType"), message: text("errorMessage") }))
}

impl Api {
    fn finish(&self, id: &str, result: Result<String, Failure>) -> StatusCode {
        match self.current.lock().unwrap().take() {
            Some((current, answer)) if current == id => {
                let _ = answer.send(result);
                StatusCode::ACCEPTED
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the function is told a deadline by the machine's clock")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
