//! From a queue's message to the user whom it deletes, each for itself: one that cannot be read spoils no other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use platform::queue::Received;
use segment::{Failure, Message, MessageType};

/// Reads the body and returns the id of the deleted user. Only a delete is taken, whatever its attributes said: what
/// a regulation deletes does not come back.
pub(crate) fn decode(received: &Received) -> Result<String, Failure> {
    let invalid = |problem: &str| Failure::Invalid(problem.to_owned());
    let message =
        Message::from_json(received.body.as_bytes()).map_err(|error| Failure::Invalid(error.to_string()))?;
    if message.message_type() != MessageType::Delete {
        return Err(invalid("type: only a delete becomes a regulation"));
    }
    let user_id = message.user_id().ok_or_else(|| invalid("userId: is missing; a regulation needs one"))?;
    Ok(user_id.to_owned())
}

/// Runs `decode`; a panic in it fails this message alone.
pub(crate) fn contained(
    decode: impl Fn(&Received) -> Result<String, Failure>,
    received: &Received,
) -> Result<String, Failure> {
    catch_unwind(AssertUnwindSafe(|| decode(received))).unwrap_or(Err(Failure::Panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(body: &str) -> Received {
        Received {
            id: "1".to_owned(),
            body: body.to_owned(),
            attributes: [].into(),
            sent_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_panic_fails_the_message_that_caused_it() {
        assert_eq!(contained(|_| panic!("a bug"), &received("")), Err(Failure::Panic));
    }

    #[test]
    fn only_a_delete_with_a_user_id_is_taken() {
        for (body, expected) in [
            (r#"{"type":"delete","userId":"u"}"#, Ok("u")),
            (r#"{"type":"delete","userId":" u "}"#, Ok(" u ")),
            (r#"{"type":"delete","anonymousId":"a"}"#, Err("userId: is missing; a regulation needs one")),
            (r#"{"type":"identify","userId":"u"}"#, Err("type: only a delete becomes a regulation")),
            (r#"{"type":"delete","userId":7}"#, Ok("7")),
            (
                r#"{"type":"delete","userId":" ","anonymousId":"a"}"#,
                Err("userId: is missing; a regulation needs one"),
            ),
            (r#"{"type":"delete","userId":[]}"#, Err("userId: must be a string")),
        ] {
            let expected =
                expected.map(str::to_owned).map_err(|problem| Failure::Invalid(problem.to_owned()));
            assert_eq!(decode(&received(body)), expected, "{body}");
        }
    }
}
