//! A deployed function with its environments, one for each parallel invocation.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::environment::{Environment, Failure, Log};
use crate::{metrics::Metrics, stack::Notes};

/// The settings of a function in the template.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Its name in the template.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its binary.
    pub binary: PathBuf,
    /// The environment variables from Lambda and the template.
    pub variables: Vec<(String, String)>,
    /// The longest duration of an invocation.
    pub timeout: Duration,
}

/// A deployed function.
pub struct Function {
    settings: Settings,
    idle: Mutex<Vec<Environment>>,
    /// The processes that are not idle.
    busy: Mutex<BTreeSet<u32>>,
    logs: Arc<Mutex<String>>,
    metrics: Arc<Metrics>,
    notes: Arc<Notes>,
}

impl Function {
    pub(crate) fn new(settings: Settings, metrics: Arc<Metrics>, notes: Arc<Notes>) -> Self {
        Self {
            settings,
            idle: Mutex::default(),
            busy: Mutex::default(),
            logs: Arc::default(),
            metrics,
            notes,
        }
    }

    /// Invokes it in an idle environment, or in a new one, and waits for its answer.
    ///
    /// # Errors
    /// [`Failure`] of the function or of its INIT.
    pub async fn invoke(&self, payload: impl Into<String>) -> Result<String, Failure> {
        let result = self.attempt(payload.into()).await;
        self.metrics.aws("AWS/Lambda", "Invocations", ("FunctionName", &self.settings.name), 1.0);
        if result.is_err() {
            self.metrics.aws("AWS/Lambda", "Errors", ("FunctionName", &self.settings.name), 1.0);
        }
        result
    }

    async fn attempt(&self, payload: String) -> Result<String, Failure> {
        let mut environment = None;
        while environment.is_none() {
            let Some(mut candidate) = self.idle.lock().unwrap().pop() else { break };
            environment = candidate.is_running().then_some(candidate);
        }
        let environment = match environment {
            Some(environment) => environment,
            None => self.start().await?,
        };
        let process = environment.process();
        self.busy.lock().unwrap().extend(process);
        let (result, environment) = environment.invoke(payload, self.settings.timeout).await;
        self.busy.lock().unwrap().retain(|busy| Some(*busy) != process);
        self.idle.lock().unwrap().extend(environment);
        result
    }

    /// Starts an environment before it is needed, if there is none.
    ///
    /// # Panics
    /// When its INIT fails.
    pub async fn warm(&self) {
        if self.idle.lock().unwrap().is_empty() {
            let started = self.start().await;
            let environment = started.unwrap_or_else(|failure| panic!("{}", failure.message));
            self.idle.lock().unwrap().push(environment);
        }
    }

    /// Ends its idle environments, so that the next invocation is a cold start.
    pub fn cool(&self) {
        self.idle.lock().unwrap().clear();
    }

    /// Sends a signal, such as `KILL` or `STOP`, to every environment with an invocation. Returns their
    /// number.
    pub fn signal_busy(&self, signal: &str) -> usize {
        let busy = self.busy.lock().unwrap();
        for process in busy.iter() {
            let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
            assert!(sent.unwrap().success());
        }
        busy.len()
    }

    /// Returns its log so far.
    pub fn logs(&self) -> String {
        self.logs.lock().unwrap().clone()
    }

    /// Whether one of its environments is still running.
    pub fn is_running(&self) -> bool {
        self.idle.lock().unwrap().iter_mut().any(Environment::is_running)
    }

    /// Returns the highest resident memory of its idle environments, in MiB.
    pub fn peak_memory(&self) -> u64 {
        let processes: Vec<u32> = self.idle.lock().unwrap().iter().filter_map(Environment::process).collect();
        let peak = |process: u32| {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
            peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
        };
        processes.into_iter().map(peak).max().unwrap()
    }

    async fn start(&self) -> Result<Environment, Failure> {
        let (logs, metrics) = (self.logs.clone(), self.metrics.clone());
        let log: Log = Arc::new(move |line: String| {
            metrics.read(&line);
            *logs.lock().unwrap() += &(line + "\n");
        });
        let Settings { binary, arn, variables, name, .. } = &self.settings;
        let environment = Environment::start(binary, arn, variables, log).await;
        environment.map_err(|failure| {
            let logs = self.logs();
            let last = logs.lines().last().unwrap_or("it logged nothing");
            let message = format!("{name} does not start: {last}");
            self.notes.add(message.clone());
            Failure { message, ..failure }
        })
    }
}
