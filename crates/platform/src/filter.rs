//! The filters of the subscriptions, applied once more by who consumes the queue.
//!
//! SNS may take up to 15 minutes to apply a new or a changed filter policy (SNS Developer Guide, "Amazon SNS subscription
//! filter policies"). A queue gets messages until then that its destination must not have.

use crate::{
    queue::Received,
    telemetry,
    topic::{Attributes, MESSAGE_TYPE},
};

/// Takes the messages out of a batch that the subscription, whose filter is `wants`, should have kept from the queue. The
/// queue then deletes them, as if they had never come.
///
/// Each message of the topic says its type. One without it was put into the queue by hand, or is a batch that a
/// function put back: no filter is for these.
pub fn drop_unwanted(batch: &mut Vec<Received>, wants: fn(&Attributes) -> bool) {
    let came = batch.len();
    batch.retain(|received| {
        let attributes = &received.attributes;
        !attributes.contains_key(MESSAGE_TYPE) || wants(attributes)
    });
    if batch.len() < came {
        telemetry::ignored("filtered", came - batch.len());
    }
}
