//! Checks the order that the promise needs: written, then synced, then answered.

use std::collections::{HashMap, HashSet};

use crate::{Event, exchanges, message_ids};

/// Returns the ids that were answered 200 before a completed sync covered a write with them.
pub fn unproven(events: &[Event]) -> Vec<String> {
    let mut written: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut synced: HashSet<&str> = HashSet::new();
    let mut unproven = Vec::new();
    let mut answers = exchanges(events).into_iter().filter(|exchange| exchange.ours).peekable();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Written { file, bytes, .. } => written.entry(file).or_default().extend(message_ids(bytes)),
            Event::Synced { file } => synced.extend(written.remove(file.as_str()).unwrap_or_default()),
            _ => {}
        }
        while let Some(answer) = answers.next_if(|answer| answer.at == at) {
            unproven.extend(answer.ids.into_iter().filter(|id| !synced.contains(id.as_str())));
        }
    }
    unproven
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"messageId":"m-1"}"#;

    fn received() -> Event {
        let bytes = [b"POST /v1/track HTTP/1.1\r\n\r\n", BODY].concat();
        Event::Received { socket: 7, bytes }
    }

    fn answered() -> Event {
        Event::Sent { socket: 7, bytes: b"HTTP/1.1 200 OK\r\n\r\n".to_vec() }
    }

    fn written(file: &str) -> Event {
        Event::Written { file: file.to_owned(), offset: 0, bytes: BODY.to_vec() }
    }

    fn synced(file: &str) -> Event {
        Event::Synced { file: file.to_owned() }
    }

    #[test]
    fn an_answer_after_write_and_sync_is_proven() {
        let events = [received(), written("wal"), synced("wal"), answered()];
        assert_eq!(unproven(&events), [""; 0]);
    }

    #[test]
    fn an_answer_before_the_sync_is_found() {
        for events in [
            [received(), written("wal"), answered(), synced("wal")],
            [received(), synced("wal"), written("wal"), answered()],
            [received(), written("wal"), synced("db"), answered()],
            [received(), answered(), written("wal"), synced("wal")],
        ] {
            assert_eq!(unproven(&events), ["m-1"], "{events:?}");
        }
    }

    #[test]
    fn a_reused_socket_number_of_an_outgoing_connection_is_no_answer_of_ours() {
        let closed = Event::Closed { socket: 7 };
        let asked = Event::Sent { socket: 7, bytes: [b"POST /v1/batch HTTP/1.1\r\n\r\n", BODY].concat() };
        let taken = Event::Received { socket: 7, bytes: b"HTTP/1.1 200 OK\r\n\r\n".to_vec() };
        let events = [received(), written("wal"), synced("wal"), answered(), closed, asked, taken];
        assert_eq!(unproven(&events), [""; 0]);
        let exchanges = exchanges(&events);
        assert_eq!(exchanges.iter().map(|exchange| exchange.ours).collect::<Vec<_>>(), [true, false]);
        assert_eq!(exchanges[1].ids, ["m-1"]);
    }
}
