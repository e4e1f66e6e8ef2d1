//! Reads the input of an invocation and turns it into a Segment message.

use jiff::Timestamp;
use platform::encoding::hex;
use ring::digest;
use segment::{Message, json, timestamp};
use serde_json::{Map, Value};
use settings::LIBRARY;

use crate::TrackError;

/// The input's fields, with Segment's names, in the order in which they are sent.
const FIELDS: [(&str, &str); 8] = [
    ("message_id", "messageId"),
    ("user_id", "userId"),
    ("anonymous_id", "anonymousId"),
    ("event", "event"),
    ("properties", "properties"),
    ("context", "context"),
    ("integrations", "integrations"),
    ("timestamp", "timestamp"),
];

/// The field that a schedule fills in: `{"arn": …, "time": …}`.
const SCHEDULE: &str = "schedule";

/// The checked event of an invocation.
#[derive(Clone, Debug)]
pub struct Event {
    message: Message,
}

/// The run of a schedule to which an invocation belongs.
struct Run {
    arn: String,
    time: String,
}

impl Event {
    /// Reads the input of an invocation: the event itself, or the notice of an EventBridge rule. The event of
    /// a notice is in its `detail`, or else it is `scheduled`.
    ///
    /// Without a message id, the id derives from the schedule and the time of the run, so that a repeated run
    /// is the same message. Without a schedule it derives from `invocation_id`. The time of the event is
    /// `timestamp`, or else the scheduled time of the run, or else `now`.
    ///
    /// # Errors
    /// [`TrackError::MissingField`], [`TrackError::InvalidField`] or [`TrackError::TooLarge`].
    pub fn read(
        text: &[u8],
        scheduled: Option<&Map<String, Value>>,
        invocation_id: &str,
        now: Timestamp,
    ) -> Result<Self, TrackError> {
        let object =
            json::parse_object(text).map_err(|error| TrackError::invalid("input", error.to_string()))?;
        let (mut input, notice) = match notice(&object) {
            Some(run) => (described(object, scheduled)?, Some(run)),
            None => (object, None),
        };
        let run = match input.remove(SCHEDULE) {
            None | Some(Value::Null) => notice,
            Some(schedule) => Some(run(&schedule)?),
        };
        if let Some(unknown) = input.keys().find(|field| !FIELDS.iter().any(|(known, _)| known == field)) {
            return Err(TrackError::invalid(unknown, unknown_field(unknown)));
        }
        let mut message = Map::from_iter([("type".to_owned(), "track".into())]);
        for (field, name) in FIELDS {
            match input.remove(field) {
                None | Some(Value::Null) => {}
                Some(value) => {
                    message.insert(name.to_owned(), value);
                }
            }
        }
        // An empty id or time counts as missing, and gets its value below.
        segment::tidy(&mut message);
        if let Some(run) = &run {
            message.entry("timestamp").or_insert_with(|| run.time.clone().into());
        }
        message.entry("timestamp").or_insert_with(|| timestamp::format(now).into());
        message.entry("messageId").or_insert_with(|| match &run {
            Some(run) => run.message_id().into(),
            None => format!("segue-{invocation_id}").into(),
        });
        // Before the check, because it counts towards the size.
        LIBRARY.stamp(&mut message);
        Ok(Self { message: Message::from_object(message)? })
    }

    /// Returns the message for Segment.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the answer to the caller when Segment took the event.
    pub fn answer(&self, segment_response: Option<Value>) -> Map<String, Value> {
        let mut answer = Map::from_iter([("success".to_owned(), Value::Bool(true))]);
        let mut copy = |field: &str, name, default: Option<Value>| {
            if let Some(value) = self.message.get(name).cloned().or(default) {
                answer.insert(field.to_owned(), value);
            }
        };
        copy("user_id", "userId", None);
        copy("event", "event", None);
        copy("timestamp", "timestamp", None);
        copy("properties", "properties", Some(Value::Object(Map::new())));
        copy("message_id", "messageId", None);
        copy("anonymous_id", "anonymousId", None);
        copy("integrations", "integrations", None);
        answer.insert("segment_response".to_owned(), segment_response.unwrap_or(Value::Null));
        answer
    }
}

impl Run {
    /// Returns an id that is the same for every attempt at one run of one schedule, and different for all
    /// others.
    fn message_id(&self) -> String {
        let digest = digest::digest(&digest::SHA256, format!("{}\n{}", self.arn, self.time).as_bytes());
        format!("segue-schedule-{}", hex(digest.as_ref()))
    }
}

/// Returns the run that an EventBridge rule on a schedule reports.
fn notice(object: &Map<String, Value>) -> Option<Run> {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    if (text("source"), text("detail-type")) != (Some("aws.events"), Some("Scheduled Event")) {
        return None;
    }
    let rule = object.get("resources")?.get(0)?.as_str()?;
    Some(Run { arn: rule.to_owned(), time: timestamp::format(timestamp::parse(object.get("time")?)?) })
}

/// Returns the event that the notice of a rule stands for.
fn described(
    mut notice: Map<String, Value>,
    scheduled: Option<&Map<String, Value>>,
) -> Result<Map<String, Value>, TrackError> {
    match (notice.remove("detail"), scheduled) {
        (Some(Value::Object(detail)), _) if !detail.is_empty() => Ok(detail),
        (_, Some(scheduled)) => Ok(scheduled.clone()),
        _ => Err(TrackError::MissingField {
            field: "event",
            hint: "an EventBridge rule brings none: set TRACK_EVENT_INPUT (the stack's parameter TrackEventInput), or give the rule's target an input",
        }),
    }
}

fn run(schedule: &Value) -> Result<Run, TrackError> {
    let text = |field| schedule.get(field).and_then(Value::as_str);
    let Some(arn) = text("arn").filter(|arn| arn.starts_with("arn:")) else {
        return Err(TrackError::invalid("schedule.arn", "must be <aws.scheduler.schedule-arn>"));
    };
    // In one form, so that the message id does not depend on the spelling of the time.
    let time = schedule.get("time").and_then(timestamp::parse);
    let time =
        time.ok_or_else(|| TrackError::invalid("schedule.time", "must be <aws.scheduler.scheduled-time>"))?;
    Ok(Run { arn: arn.to_owned(), time: timestamp::format(time) })
}

/// Returns the error for an unknown field. Without it, a misspelled `properties` would be lost silently.
fn unknown_field(field: &str) -> String {
    let plain = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
    match FIELDS.iter().find(|(known, _)| plain(known) == plain(field)) {
        Some((known, _)) => format!("is unknown; write {known}"),
        None => {
            let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
            format!("is unknown; the fields are {} and {SCHEDULE}", known.join(", "))
        }
    }
}
