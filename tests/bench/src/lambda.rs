//! Compares the functions' binaries with one that does nothing and one that only publishes: size, INIT, CPU
//! time and memory.

use std::{env, io::Write, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Value, json};
use testkit::postgres::PostgresServer;

use crate::{
    cloud::{self, Cloud},
    http::{self, Answer},
    load, median,
    runtime::Function,
};

const STARTS: usize = 41;

/// The number of invocations before the measurement, and then the number of turns and of invocations in each.
const WARM_UP: usize = 500;
const TURNS: usize = 10;
const TURN: usize = 1_000;

/// The subject whose secret has a proof for Auth0's logins.
const AUTH0: &str = ", a sign-up of Auth0";

/// A function and its event.
#[derive(Clone)]
struct Subject {
    name: &'static str,
    what: &'static str,
    binary: PathBuf,
    payload: Value,
    /// The name of the identity secret. With a proof for Auth0's logins, identity-webhook needs the ledger.
    identity_secret: &'static str,
    /// Whether it publishes one message, so that it can be compared with the function that only publishes.
    publishes: bool,
}

/// The measured figures.
#[derive(Default)]
struct Figures {
    inits: Vec<f64>,
    cpu: f64,
    memory: f64,
}

/// Prints the table for the functions in `wanted`, or for all. If the folder `BASELINE` has a binary of the
/// same name, it is measured too. Functions start and run alternately, so that other work of the machine
/// affects all of them.
pub async fn measure(wanted: &[String]) {
    let receiver = http::serve(|_| async { Answer::ok("text/plain", "ok") }).await;
    let database = PostgresServer::start().await;
    let cloud = Cloud::start(&[format!("http://{receiver}/")], &database.url("postgres")).await;
    let environment = |subject: &Subject| {
        let mut variables = cloud.environment();
        variables.push(("IDENTITY_SECRET_ARN", cloud::secret(subject.identity_secret)));
        variables
    };
    let mut subjects = subjects();
    let compared = |name: &str| ["no-op", "publish"].contains(&name);
    subjects.retain(|subject| {
        wanted.is_empty() || compared(subject.name) || wanted.iter().any(|one| one == subject.name)
    });
    if let Some(folder) = env::var_os("BASELINE") {
        let before = |subject: &Subject| {
            let binary = PathBuf::from(&folder).join(subject.name);
            binary.exists().then(|| Subject { binary, what: ", before", ..subject.clone() })
        };
        subjects =
            subjects.iter().flat_map(|subject| [Some(subject.clone()), before(subject)]).flatten().collect();
    }
    let mut figures: Vec<Figures> = subjects.iter().map(|_| Figures::default()).collect();
    for _ in 0..STARTS {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            let function = Function::start(&subject.binary, &environment(subject), String::new()).await;
            figures.inits.push(function.init.as_secs_f64() * 1_000.0);
        }
    }
    let mut functions = Vec::new();
    for subject in &subjects {
        let payload = subject.payload.to_string();
        let mut function = Function::start(&subject.binary, &environment(subject), payload).await;
        function.invoke(WARM_UP).await;
        let before = function.cpu();
        functions.push((function, before));
    }
    for _ in 0..TURNS {
        for (function, _) in &mut functions {
            function.invoke(TURN).await;
        }
    }
    for ((function, before), figures) in functions.iter().zip(&mut figures) {
        figures.cpu = (function.cpu() - *before).as_secs_f64() * 1_000_000.0 / (TURNS * TURN) as f64;
        figures.memory = function.memory();
    }
    println!(
        "\nmedians of {STARTS} starts and {} invocations, in turn; AWS on loopback over TLS; Segment, a webhook and PostgreSQL without\n",
        TURNS * TURN
    );
    println!(
        "| function | zipped, MB | INIT, ms | × no-op | CPU of one invocation, µs | × publish-only | memory after, MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    let (no_op, publish) = (median(figures[0].inits.clone()), figures[1].cpu);
    for (subject, figures) in subjects.iter().zip(figures) {
        let Subject { name, what, binary, publishes, .. } = subject;
        let Figures { inits, cpu, memory } = figures;
        let init = median(inits);
        let ratio = if *publishes { format!("{:.2}", cpu / publish) } else { String::new() };
        println!(
            "| {name}{what} | {:.2} | {init:.2} | {:.2} | {cpu:.0} | {ratio} | {memory:.1} |",
            zipped(&std::fs::read(binary).unwrap()),
            init / no_op,
        );
    }
}

/// Returns the functions. The no-op comes first, then the one that only publishes, because the others are
/// compared with them.
fn subjects() -> Vec<Subject> {
    let subject = |name, what, payload, publishes| Subject {
        name,
        what,
        binary: crate::built(name),
        payload,
        identity_secret: if what == AUTH0 { "auth0" } else { "identity" },
        publishes,
    };
    vec![
        subject("no-op", "", http_event(), false),
        subject("publish", "", http_event(), true),
        subject("identity-webhook", ", a login of FusionAuth", http_event(), true),
        subject("identity-webhook", AUTH0, login_event(), false),
        subject("cognito-trigger", "", trigger_event(), true),
        subject("tracking-api", "", call_event(), true),
        subject("segment-delivery", "", queue_event(10, "track", &json!({})), false),
        subject("webhook-delivery", "", queue_event(10, "track", &json!({})), false),
        subject("warehouse-delivery", "", queue_event(10, "track", &json!({})), false),
        subject("regulation-delivery", "", queue_event(10, "delete", &json!({})), false),
        subject("track-event", "", json!({"user_id": "user-1", "event": "Signed Up"}), false),
    ]
}

/// Returns a signed login as the HTTP API passes it to the function.
fn http_event() -> Value {
    let sample = include_str!("../../../events/identity-webhook/fusionauth.user.login.success.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    let request = String::from_utf8(load::requests("/", 1)[0].clone()).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let signature = head.split("Signature-JWT: ").nth(1).unwrap().split("\r\n").next().unwrap();
    event["headers"]["x-fusionauth-signature-jwt"] = signature.into();
    event["headers"]["content-length"] = body.len().to_string().into();
    event["body"] = body.into();
    event["isBase64Encoded"] = false.into();
    event
}

/// Returns a login that the ledger does not know: it is claimed, published and confirmed.
fn login_event() -> Value {
    let sample = include_str!("../../../events/identity-webhook/auth0.login.action.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["headers"]["authorization"] = format!("Bearer {}", load::SIGNING_SECRET).into();
    event
}

/// Returns a login as a Cognito user pool passes it to the function.
fn trigger_event() -> Value {
    serde_json::from_str(include_str!("../../../events/cognito-trigger/post-authentication.json")).unwrap()
}

/// Returns a call of a Segment library.
fn call_event() -> Value {
    let sample = include_str!("../../../events/tracking-api/track.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["headers"]["authorization"] =
        format!("Basic {}", STANDARD.encode(format!("{}:", load::WRITE_KEY))).into();
    event
}

/// Returns a batch of messages of a type with these attributes, as the event source passes it to the
/// function.
pub fn queue_event(count: usize, message_type: &str, attributes: &Value) -> Value {
    let record = |number: usize| {
        let message = json!({
            "type": message_type, "userId": format!("u{number}"), "event": "e", "messageId": number.to_string(),
            "timestamp": "2026-11-21T08:01:00.120Z",
        });
        json!({
            "messageId": format!("m{number}"), "receiptHandle": "r", "body": message.to_string(),
            "attributes": {"SentTimestamp": "1795233600000", "ApproximateReceiveCount": "1"},
            "messageAttributes": attributes, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:Queue", "awsRegion": "eu-central-1",
        })
    };
    json!({"Records": (0..count).map(record).collect::<Vec<_>>()})
}

/// Returns the size of the file in a ZIP archive, in MB.
fn zipped(bytes: &[u8]) -> f64 {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len() as f64 / 1_000_000.0
}
