//! The template.

use std::process::Command;

use end_to_end::tools;

#[test]
fn the_template_is_what_cloudformation_takes() {
    let output = Command::new(tools::program("cfn-lint"))
        .arg("template.yaml")
        .current_dir(tools::root())
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Lambda stops a function that sends to the queue that invokes it after about 16 rounds, and drops the message
/// or dead-letters it, unless it is told that this is meant (Lambda developer guide, "recursive loop detection").
#[test]
fn a_message_may_be_put_back_into_its_queue_more_than_16_times() {
    let template = std::fs::read_to_string(tools::root().join("template.yaml")).unwrap();
    let (_, function) = template.split_once("\n  SegmentDelivery:\n").unwrap();
    let (function, _) = function.split_once("\n  SegmentDeliveryRole:\n").unwrap();
    assert!(function.contains("RecursiveLoop: Allow"));
}
