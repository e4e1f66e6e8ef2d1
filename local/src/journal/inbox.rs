//! The events that nobody has looked at yet. To record one costs little: it becomes part of an item only when somebody
//! looks. Under load most events are forgotten before that.

use std::{collections::VecDeque, sync::Arc};

use delivery::MessageReport;
use jiff::Timestamp;
use segment::MessageType;

use super::{
    Arrival, QueueKind, State, numbers::Numbers, outbound::Moved, retained::MAX_REJECTED, text::Text,
};

/// The most events beside two for each published message. Beyond them the inbox is emptied, even if nobody looks: while
/// a backlog drains, there are attempts without end for messages that the page no longer shows.
const MAX_OTHER_EVENTS: usize = 4_000;

/// An event.
pub enum Event {
    /// Messages are about to be stored.
    Published { at: Timestamp, arrival: Option<Arc<Arrival>>, messages: Vec<Published> },
    /// Messages could not be stored.
    NotStored(Vec<Text>),
    /// A request, or an event in it, ended without a message.
    Ended(Ended),
    /// A request got its answer.
    Answered(Arc<Arrival>),
    /// An attempt ended.
    Attempted(Attempted),
    /// Messages went back into a queue, or became dead letters.
    Moved { at: Timestamp, kind: QueueKind, entries: Vec<Moved> },
}

/// A message that is about to be stored.
pub struct Published {
    pub text: Text,
    pub message_type: Option<MessageType>,
    pub write_key: Option<String>,
    /// Whether the subscriptions of Segment, the webhooks and the regulations take it.
    pub wanted: [bool; 4],
}

/// The end of a request, or of an event in it, without a message.
pub struct Ended {
    pub arrival: Arc<Arrival>,
    /// The provider's event type.
    pub kind: Option<String>,
    pub state: State,
    pub reason: String,
    pub times: usize,
}

/// An attempt to deliver messages.
pub struct Attempted {
    pub destination: String,
    pub began: Timestamp,
    pub ended: Timestamp,
    pub milliseconds: u64,
    pub request: Option<Text>,
    pub messages: Vec<MessageReport>,
}

/// The events, oldest first, and the numbers, which count each event at once.
#[derive(Default)]
pub struct Inbox {
    pub numbers: Numbers,
    events: VecDeque<Event>,
    /// The number of published messages in the events.
    messages: usize,
    /// The number of rejected requests in the events.
    rejected: usize,
}

impl Inbox {
    /// Adds an event, and counts it in the numbers.
    pub fn push(&mut self, event: Event) {
        match &event {
            Event::Published { at, messages, .. } => {
                self.numbers.received(*at, u32::try_from(messages.len()).unwrap_or(u32::MAX));
            }
            Event::Attempted(Attempted { ended, messages, .. }) => {
                for message in messages {
                    match &message.failure {
                        None => self.numbers.delivered(*ended, Some(message.age)),
                        Some(failure) => self.numbers.failed(*ended, failure.code),
                    }
                }
            }
            _ => {}
        }
        self.count(&event, |count, of_event| *count += of_event);
        self.events.push_back(event);
    }

    /// Returns the number of published messages.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Whether the inbox must be emptied, even if nobody looks: rejected requests must not evict accepted messages, and
    /// attempts must not collect without end.
    pub fn is_full(&self) -> bool {
        self.rejected > MAX_REJECTED || self.events.len() > 2 * self.messages + MAX_OTHER_EVENTS
    }

    /// Takes all events.
    pub fn take(&mut self) -> VecDeque<Event> {
        (self.messages, self.rejected) = (0, 0);
        std::mem::take(&mut self.events)
    }

    /// Takes the oldest event.
    pub fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.count(&event, |count, of_event| *count -= of_event);
        Some(event)
    }

    /// Takes the oldest event if this many published messages stay without it.
    pub fn pop_above(&mut self, most: usize) -> Option<Event> {
        let of_first = match self.events.front()? {
            Event::Published { messages, .. } => messages.len(),
            _ => 0,
        };
        if self.messages - of_first >= most { self.pop() } else { None }
    }

    fn count(&mut self, event: &Event, change: impl Fn(&mut usize, usize)) {
        match event {
            Event::Published { messages, .. } => change(&mut self.messages, messages.len()),
            Event::Ended(Ended { state: State::Rejected, .. }) => change(&mut self.rejected, 1),
            _ => {}
        }
    }
}
