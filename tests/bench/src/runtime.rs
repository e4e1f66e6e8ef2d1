//! The Lambda Runtime API for the process of one function.

use std::{
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    process::{Child, Command},
    sync::watch,
};

use crate::http::{self, Answer};

/// A function's process that has asked for its first event.
pub struct Function {
    child: Child,
    /// The time from the start of the process to that request.
    pub init: Duration,
    wanted: Arc<AtomicUsize>,
    answered: watch::Receiver<usize>,
    go: watch::Sender<()>,
    payload: Arc<Mutex<String>>,
}

impl Function {
    /// Starts the binary. [`invoke`](Self::invoke) invokes it with `payload`.
    pub async fn start(binary: &Path, environment: &[(&str, String)], payload: String) -> Self {
        let (asked, mut is_ready) = watch::channel(0_usize);
        let (answers, answered) = watch::channel(0_usize);
        let (go, going) = watch::channel(());
        let wanted = Arc::new(AtomicUsize::new(0));
        let (asked, answers, payload) = (Arc::new(asked), Arc::new(answers), Arc::new(Mutex::new(payload)));
        let (left, served) = (wanted.clone(), payload.clone());
        let api = http::serve(move |request| {
            let next = request.head.starts_with("get");
            assert!(!request.head.contains("/error"), "the function failed: {}", request.body);
            if next {
                asked.send_modify(|count| *count += 1);
            } else {
                let failed = ["\"itemIdentifier\"", "\"statusCode\":4", "\"statusCode\":5"];
                assert!(!failed.iter().any(|mark| request.body.contains(mark)), "{}", request.body);
                answers.send_modify(|count| *count += 1);
            }
            let (left, payload, mut going) = (left.clone(), served.clone(), going.clone());
            async move {
                if !next {
                    return Answer::Reply(202, String::new(), String::new());
                }
                while left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                    .is_err()
                {
                    if going.changed().await.is_err() {
                        // The function is dropped, and with it this connection.
                        std::future::pending::<()>().await;
                    }
                }
                let headers = "Content-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: id\r\n\
                               Lambda-Runtime-Deadline-Ms: 9999999999999\r\n\
                               Lambda-Runtime-Invoked-Function-Arn: arn\r\n";
                Answer::Reply(200, headers.to_owned(), payload.lock().unwrap().clone())
            }
        })
        .await;
        let started = Instant::now();
        let mut child = Command::new(binary)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("LOG_LEVEL", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::select! {
            ready = is_ready.wait_for(|count| *count > 0) => drop(ready.unwrap()),
            status = child.wait() => panic!("{} ended at its start: {}", binary.display(), status.unwrap()),
        }
        Self { child, init: started.elapsed(), wanted, answered, go, payload }
    }

    /// Sets the payload of further invocations.
    pub fn give(&self, payload: String) {
        *self.payload.lock().unwrap() = payload;
    }

    /// Invokes it `count` times, one after the other. Returns the time of one invocation.
    pub async fn invoke(&mut self, count: usize) -> Duration {
        let goal = *self.answered.borrow() + count;
        let start = Instant::now();
        self.wanted.store(count, Ordering::SeqCst);
        self.go.send_replace(());
        self.answered.wait_for(|answered| *answered >= goal).await.unwrap();
        start.elapsed() / u32::try_from(count).unwrap()
    }

    /// Returns the processor time that it has used, in user and system mode (Linux).
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id().unwrap())).unwrap();
        // The name comes first, in parentheses, and may contain spaces. The state and ten figures follow.
        let (_, figures) = stat.rsplit_once(')').unwrap();
        let ticks: u32 =
            figures.split_whitespace().skip(11).take(2).map(|one| one.parse::<u32>().unwrap()).sum();
        // The unit is fixed for programs, whatever unit the kernel counts in.
        ticks * Duration::from_millis(10)
    }

    /// Returns its resident memory, in MiB (Linux, `VmRSS`).
    pub fn memory(&self) -> f64 {
        crate::memory(self.child.id().unwrap(), "VmRSS")
    }
}
