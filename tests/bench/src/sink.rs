//! A Segment that takes everything, and five webhook receivers, in a separate process.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use crate::{
    http::{self, Answer, Request},
    logins, since_epoch,
};

/// The number of receivers.
pub const RECEIVERS: usize = 5;

/// The requests that a receiver got.
#[derive(Default)]
struct Got {
    posts: usize,
    connections: usize,
    /// Indexed by the messages' numbers, because a message may arrive twice.
    seen: Vec<bool>,
    messages: usize,
    /// In microseconds, for messages that contain their time of sending.
    times: Vec<u64>,
    /// When each login first arrived, in microseconds since the epoch. Indexed by the logins' numbers; 0 means
    /// not yet.
    arrivals: Vec<u64>,
    /// The logins that arrived again.
    repeats: usize,
}

/// Serves until it is killed. Prints the addresses first: Segment's, then those of the receivers. `GET`
/// answers with the number of messages. A closed sink answers 503 to every message, before `GET /open` to
/// Segment.
pub async fn serve(closed: bool) {
    let taken = Arc::new(AtomicUsize::new(0));
    let closed = Arc::new(AtomicBool::new(closed));
    let is_closed = closed.clone();
    let address = http::serve(move |request| {
        let answer = if request.head.starts_with("get") {
            if request.head.starts_with("get /open ") {
                closed.store(false, Ordering::SeqCst);
            }
            Answer::ok("application/json", taken.load(Ordering::SeqCst).to_string())
        } else if closed.load(Ordering::SeqCst) {
            unavailable()
        } else {
            taken.fetch_add(request.body.matches("\"userId\":").count(), Ordering::SeqCst);
            Answer::ok("application/json", r#"{"success":true}"#)
        };
        async move { answer }
    });
    println!("http://{}", address.await);
    for _ in 0..RECEIVERS {
        let (got, closed) = (Arc::new(Mutex::new(Got::default())), is_closed.clone());
        let address = http::serve(move |request| {
            let answer = if closed.load(Ordering::SeqCst) && !request.head.starts_with("get") {
                unavailable()
            } else {
                receive(request, &mut got.lock().unwrap())
            };
            async move { answer }
        });
        println!("http://{}", address.await);
    }
    std::future::pending::<()>().await;
}

/// Handles a request. The path names the receiver's behavior.
fn receive(request: &Request<'_>, got: &mut Got) -> Answer {
    if request.head.starts_with("get /arrivals ") {
        return Answer::ok("application/json", json!(got.arrivals).to_string());
    }
    if request.head.starts_with("get") {
        let (posts, connections, messages, times) = (got.posts, got.connections, got.messages, &got.times);
        let counts = json!({
            "posts": posts,
            "connections": connections,
            "messages": messages,
            "times": times,
            "repeats": got.repeats,
        });
        return Answer::ok("application/json", counts.to_string());
    }
    got.posts += 1;
    got.connections += usize::from(request.is_first);
    if request.head.starts_with("post /silent ") {
        return Answer::Silence;
    }
    if request.head.starts_with("post /refusing ") {
        return unavailable();
    }
    if request.head.starts_with("post /logins ") {
        let number = logins::number(request.body).unwrap();
        if got.arrivals.len() <= number {
            got.arrivals.resize(number + 1, 0);
        }
        if got.arrivals[number] == 0 {
            got.arrivals[number] = u64::try_from(since_epoch().as_micros()).unwrap();
            got.messages += 1;
        } else {
            got.repeats += 1;
        }
        return Answer::ok("text/plain", "ok");
    }
    for number in numbers(request.body, "\"number\":") {
        let number = usize::try_from(number).unwrap();
        if got.seen.len() <= number {
            got.seen.resize(number + 1, false);
        }
        got.messages += usize::from(!std::mem::replace(&mut got.seen[number], true));
    }
    let now = since_epoch();
    for sent in numbers(request.body, "\"sent\":") {
        let time = now.saturating_sub(Duration::from_micros(sent));
        got.times.push(u64::try_from(time.as_micros()).unwrap());
    }
    Answer::ok("text/plain", "ok")
}

fn unavailable() -> Answer {
    Answer::Reply(503, String::new(), String::new())
}

/// Returns the numbers after this member's name.
fn numbers(body: &str, name: &str) -> impl Iterator<Item = u64> {
    body.split(name).skip(1).map(|rest| {
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap();
        rest[..end].parse().unwrap()
    })
}
