//! The record of a process: its writes, syncs and answers, in order.

use std::{fs, path::Path};

/// One event. Files are named relative to the directory, whose own name is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum Event {
    /// A file that was not there was opened.
    Created { file: String },
    /// Bytes were written.
    Written { file: String, offset: u64, bytes: Vec<u8> },
    /// A file's length was set.
    Truncated { file: String, length: u64 },
    /// A file was removed.
    Removed { file: String },
    /// A file was renamed.
    Renamed { file: String, to: String },
    /// All earlier changes of the file are durable.
    Synced { file: String },
    /// Bytes were received on a socket.
    Received { socket: i32, bytes: Vec<u8> },
    /// Bytes are sent on a socket. An answer is recorded before it is sent, everything else after that.
    Sent { socket: i32, bytes: Vec<u8> },
    /// A socket's number may be reused.
    Closed { socket: i32 },
    /// A process starts, with no open socket.
    Started,
}

/// All events of a process.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The events, in order.
    pub events: Vec<Event>,
}

impl Record {
    /// Reads the record that the process left. Leaves out an event at the end that a kill interrupted.
    pub fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let events = std::iter::from_fn(|| event(&mut rest)).collect();
        Self { events }
    }
}

fn event(rest: &mut &[u8]) -> Option<Event> {
    let kind = i32::from_ne_bytes(take(rest, 4)?.try_into().unwrap());
    let socket = i32::from_ne_bytes(take(rest, 4)?.try_into().unwrap());
    let mut number = || Some(u64::from_ne_bytes(take(rest, 8)?.try_into().unwrap()));
    let (offset, name_length, length) = (number()?, number()?, number()?);
    let file = String::from_utf8(take(rest, name_length)?.to_vec()).unwrap();
    let bytes = take(rest, length)?.to_vec();
    // in the order of `preload/plan.h`.
    Some(match kind {
        0 => Event::Created { file },
        1 => Event::Written { file, offset, bytes },
        2 => Event::Truncated { file, length: offset },
        3 => Event::Removed { file },
        4 => Event::Renamed { file, to: String::from_utf8(bytes).unwrap() },
        5 => Event::Synced { file },
        6 => Event::Received { socket, bytes },
        7 => Event::Sent { socket, bytes },
        8 => Event::Closed { socket },
        9 => Event::Started,
        _ => panic!("an event of kind {kind} is unknown"),
    })
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length.try_into().ok()?)?;
    *rest = after;
    Some(taken)
}
