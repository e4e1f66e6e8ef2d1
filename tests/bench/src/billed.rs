//! Measures the billed time of webhook-delivery with dead webhooks.

use std::time::{Duration, Instant};

use ring::digest;
use serde_json::{Value, json};

use crate::{
    cloud::Cloud,
    http::{self, Answer},
    lambda::queue_event,
    runtime::Function,
    since_epoch,
};

const WEBHOOKS: usize = 5;

/// The number of batches, and of messages in each.
const BATCHES: usize = 40;
const BATCH: usize = 50;

/// The time from one batch to the next, if the function has finished the first.
const PAUSE: Duration = Duration::from_secs(1);

/// The response time of a healthy webhook.
const ANSWER_TIME: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Silent,
    Refusing,
}

/// The billed work of a run.
struct Bill {
    /// Milliseconds for each message.
    each: f64,
    /// Milliseconds of the longest invocation.
    longest: u128,
    /// The number of SQS calls that put messages back.
    calls: f64,
}

/// Prints the table. The cases run in parallel, because they mostly wait.
pub async fn measure() {
    let cases = [
        ("all are healthy", 0, Fault::Silent),
        ("one never answers", 1, Fault::Silent),
        ("all never answer", 5, Fault::Silent),
        ("one refuses connections", 1, Fault::Refusing),
        ("all refuse connections", 5, Fault::Refusing),
    ];
    let runs = cases.map(|(_, dead, fault)| tokio::spawn(run(dead, fault)));
    println!(
        "\n{BATCHES} batches of {BATCH} messages, {PAUSE:?} apart; healthy webhooks answer after {ANSWER_TIME:?}\n"
    );
    println!(
        "| five webhooks | messages | billed ms a message | longest invocation, ms | SQS calls a message |"
    );
    println!("|---|---|---|---|---|");
    for ((name, ..), run) in cases.into_iter().zip(runs) {
        for (messages, bill) in run.await.unwrap() {
            println!("| {name} | {messages} | {:.2} | {} | {:.2} |", bill.each, bill.longest, bill.calls);
        }
    }
}

/// Measures new messages, and then those that are held for a dead webhook.
async fn run(dead: usize, fault: Fault) -> Vec<(&'static str, Bill)> {
    let mut webhooks = Vec::new();
    for number in 0..WEBHOOKS {
        webhooks.push(webhook((number < dead).then_some(fault)).await);
    }
    let cloud = Cloud::start(&webhooks, "").await;
    let binary = crate::built("webhook-delivery");
    let fresh = queue_event(BATCH, "track", &json!({})).to_string();
    let mut function = Function::start(&binary, &cloud.environment(), fresh).await;
    let mut bills = vec![("fresh", invoke(&mut function, &cloud).await)];
    if dead > 0 {
        function.give(queue_event(BATCH, "track", &held(&webhooks[0])).to_string());
        bills.push(("held back", invoke(&mut function, &cloud).await));
    }
    bills
}

async fn invoke(function: &mut Function, cloud: &Cloud) -> Bill {
    let (mut billed, mut longest, before) = (0, 0, cloud.queued());
    for _ in 0..BATCHES {
        let start = Instant::now();
        function.invoke(1).await;
        let took = start.elapsed();
        let milliseconds = took.as_micros().div_ceil(1_000);
        billed += milliseconds;
        longest = longest.max(milliseconds);
        tokio::time::sleep(PAUSE.saturating_sub(took)).await;
    }
    let messages = (BATCHES * BATCH) as f64;
    let calls = (cloud.queued() - before) as f64 / messages;
    Bill { each: billed as f64 / messages, longest, calls }
}

/// Returns a webhook's URL.
async fn webhook(fault: Option<Fault>) -> String {
    if fault == Some(Fault::Refusing) {
        // A port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        return format!("http://{}/", listener.local_addr().unwrap());
    }
    let address = http::serve(move |_| async move {
        if fault.is_some() {
            return Answer::Silence;
        }
        tokio::time::sleep(ANSWER_TIME).await;
        Answer::ok("text/plain", "ok")
    });
    format!("http://{}/", address.await)
}

/// Returns the attributes of a message for this webhook only, after a failed attempt.
fn held(url: &str) -> Value {
    let hash = digest::digest(&digest::SHA256, url.as_bytes());
    let digits: String = hash.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let since = since_epoch().as_millis();
    let text = |value: String| json!({"stringValue": value, "dataType": "String"});
    json!({"webhook": text(format!("{host}/{digits}")), "attempts": text("1".to_owned()), "since": text(since.to_string())})
}
