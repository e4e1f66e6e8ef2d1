//! The Lambda Runtime API, and a function's process under it.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex as StdMutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
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

use crate::binaries::binary;

/// The time that a function is told it has.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How long a test waits for a function before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A function's process, and what Lambda is to it. Dropping it kills the process.
pub struct Lambda {
    invocations: mpsc::UnboundedSender<Invocation>,
    logs: Arc<StdMutex<String>>,
    process: StdMutex<Child>,
}

/// How an invocation fails, as its caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error's type.
    pub kind: String,
    /// Its sentence.
    pub message: String,
}

struct Invocation {
    payload: String,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<String, Failure>>;

struct Api {
    queue: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// The invocation under way: a function has one at a time.
    current: StdMutex<Option<(String, Answer)>>,
    ready: watch::Sender<bool>,
    arn: String,
}

impl Lambda {
    /// Starts the function's binary and returns when its INIT is over: when it asks for its first event.
    pub async fn start(function: &str, environment: &[(&str, &str)]) -> Self {
        let (invocations, queue) = mpsc::unbounded_channel();
        let (ready, mut is_ready) = watch::channel(false);
        let arn = format!("arn:aws:lambda:eu-central-1:123456789012:function:{function}");
        let api = Api { queue: Mutex::new(queue), current: StdMutex::default(), ready, arn };
        let address = serve(api).await;
        let path = tokio::task::spawn_blocking({
            let function = function.to_owned();
            move || binary(&function)
        });
        let mut process = Command::new(path.await.unwrap())
            .env_clear()
            .envs(environment.iter().copied())
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", function)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let logs = Arc::new(StdMutex::new(String::new()));
        tokio::spawn(collect(process.stderr.take().unwrap(), logs.clone()));
        tokio::spawn(collect(process.stdout.take().unwrap(), logs.clone()));
        let lambda = Self { invocations, logs, process: StdMutex::new(process) };
        let started =
            timeout(PATIENCE, is_ready.wait_for(|ready| *ready)).await.is_ok_and(|ready| ready.is_ok());
        assert!(started, "{function} did not start:\n{}", lambda.logs());
        lambda
    }

    /// Invokes the function and waits for its answer.
    ///
    /// # Errors
    /// [`Failure`] when the function answered with an error.
    pub async fn invoke(&self, payload: impl Into<String>) -> Result<String, Failure> {
        let (answer, answered) = oneshot::channel();
        assert!(self.invocations.send(Invocation { payload: payload.into(), answer }).is_ok());
        let answer = timeout(PATIENCE, answered).await;
        answer.unwrap_or_else(|_| panic!("no answer:\n{}", self.logs())).expect("an answer")
    }

    /// What the function logged so far, its metrics included.
    pub fn logs(&self) -> String {
        self.logs.lock().unwrap().clone()
    }

    /// Whether the function's process still runs.
    pub fn is_running(&self) -> bool {
        self.process.lock().unwrap().try_wait().unwrap().is_none()
    }
}

/// Both outputs of a function go to one log, line by line.
async fn collect(output: impl AsyncRead + Unpin, logs: Arc<StdMutex<String>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        *logs.lock().unwrap() += &(line + "\n");
    }
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
    let since_epoch = now();
    let id = format!("8476a536-e9f4-11e8-9739-{:012x}", since_epoch.as_micros() & 0xffff_ffff_ffff);
    let deadline = (since_epoch + TIME_LIMIT).as_millis().to_string();
    let headers = [
        ("lambda-runtime-aws-request-id", id.clone()),
        ("lambda-runtime-deadline-ms", deadline),
        ("lambda-runtime-invoked-function-arn", api.arn.clone()),
        ("content-type", "application/json".to_owned()),
    ];
    *api.current.lock().unwrap() = Some((id, invocation.answer));
    (headers, invocation.payload).into_response()
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: String) -> StatusCode {
    api.finish(&id, Ok(body))
}

async fn error(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    _: HeaderMap,
    body: String,
) -> StatusCode {
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
