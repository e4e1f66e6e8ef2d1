//! cognito-trigger: the user pool always gets its event back.

use std::time::{Duration, Instant};

use end_to_end::{Function, Setup, samples};

use crate::world;

const HASHED: &str = "[fields]\n'traits.email' = 'hash'";

fn setup(mappings: &str) -> Setup {
    world::with_cognito(world::without_segment()).parameter("Mappings", mappings)
}

/// Invokes the function with each sample, which must come back unchanged. Returns the expected number of
/// messages.
async fn invoke_all(function: &Function) -> usize {
    let mut messages = 0;
    for (name, event) in samples("cognito-trigger") {
        let begin = Instant::now();
        assert_eq!(function.invoke(event.clone()).await.unwrap(), event.trim(), "{name}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{name} took {:?}", begin.elapsed());
        messages += match name.as_str() {
            "post-confirmation" | "post-authentication" => 2,
            "forgot-password" => 1,
            _ => 0,
        };
    }
    messages
}

#[tokio::test]
async fn sign_ups_and_logins_are_in_the_queue_and_the_events_come_back() {
    for mappings in ["", HASHED] {
        let stack = setup(mappings).up().await;
        let function = stack.function("CognitoTrigger");
        function.warm().await;
        let expected = invoke_all(function).await;
        let published = stack.queue("SegmentQueue").await.drain().await;
        assert_eq!(published.len(), expected, "{}", function.logs());
        let identify = published.iter().find(|(message, _)| message["type"] == "identify").unwrap();
        let email = identify.0["traits"]["email"].as_str().unwrap();
        assert_eq!(email == "ines@example.com", mappings.is_empty(), "{email}");
        assert!(!function.logs().contains("ines"), "{}", function.logs());
    }
}

#[tokio::test]
async fn without_the_topic_or_the_secret_the_events_come_back_and_the_log_says_so() {
    let stack = setup(HASHED).up().await;
    let function = stack.function("CognitoTrigger");
    function.warm().await;
    stack.break_everything();
    invoke_all(function).await;
    assert!(function.logs().contains("The messages of a trigger are lost."), "{}", function.logs());
    assert!(function.is_running());
}

#[tokio::test]
async fn a_mapping_with_a_fault_keeps_nobody_from_logging_in() {
    let stack = setup("naming = 7").up().await;
    let function = stack.function("CognitoTrigger");
    function.warm().await;
    invoke_all(function).await;
    let logs = function.logs();
    assert!(logs.contains("MAPPINGS:1:10") && logs.contains("this must be a string"), "{logs}");
    assert!(stack.queue("SegmentQueue").await.is_empty().await);
}
