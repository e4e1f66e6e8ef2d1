//! The requests in a record and their answers, matched by socket.

use std::{collections::HashMap, io::Read};

use flate2::read::GzDecoder;

use crate::Event;

/// A request that was answered 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The index in the record at which the answer is sent or received.
    pub at: usize,
    /// Whether the process under test answered, so that it is responsible for the messages. If not, another
    /// process did.
    pub ours: bool,
    /// The ids of the messages in the request.
    pub ids: Vec<String>,
}

#[derive(Default)]
struct Socket {
    /// `None` until the first byte shows which side sends requests.
    incoming: Option<bool>,
    request: Vec<u8>,
    answered: bool,
}

/// Returns all requests that were answered 200, in the order of their answers. Only one request at a time may
/// be under way on each socket.
pub fn exchanges(events: &[Event]) -> Vec<Exchange> {
    let mut sockets: HashMap<i32, Socket> = HashMap::new();
    let mut exchanges = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let (number, bytes, is_received) = match event {
            Event::Received { socket, bytes } => (*socket, bytes, true),
            Event::Sent { socket, bytes } => (*socket, bytes, false),
            Event::Closed { socket } => {
                sockets.remove(socket);
                continue;
            }
            Event::Started => {
                sockets.clear();
                continue;
            }
            _ => continue,
        };
        let socket = sockets.entry(number).or_default();
        let incoming = *socket.incoming.get_or_insert(is_received);
        if is_received == incoming {
            if std::mem::take(&mut socket.answered) {
                socket.request.clear();
            }
            socket.request.extend_from_slice(bytes);
        } else if bytes.starts_with(b"HTTP/1.") {
            socket.answered = true;
            if bytes.starts_with(b"HTTP/1.1 200") {
                exchanges.push(Exchange { at, ours: incoming, ids: ids_of_request(&socket.request) });
            }
        }
    }
    exchanges
}

fn ids_of_request(request: &[u8]) -> Vec<String> {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return Vec::new() };
    let (head, body) = request.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.contains("content-encoding: gzip") {
        return message_ids(body).map(str::to_owned).collect();
    }
    let mut plain = Vec::new();
    GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    message_ids(&plain).map(str::to_owned).collect()
}

/// Returns the message ids in JSON, in a request or between other bytes of a store's file.
pub fn message_ids(bytes: &[u8]) -> impl Iterator<Item = &str> {
    const NAME: &[u8] = br#""messageId":""#;
    let mut rest = bytes;
    std::iter::from_fn(move || {
        loop {
            let quote = rest.iter().position(|byte| *byte == b'"')?;
            let Some(after) = rest[quote..].strip_prefix(NAME) else {
                rest = &rest[quote + 1..];
                continue;
            };
            rest = after;
            let end = after.iter().position(|byte| *byte == b'"')?;
            if let Ok(id) = str::from_utf8(&after[..end]) {
                return Some(id);
            }
        }
    })
}
