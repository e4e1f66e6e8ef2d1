//! cognito-trigger: whatever happens, the user pool gets its event back.

use std::time::{Duration, Instant};

use end_to_end::{Aws, Lambda, Queues, samples};

const HASHED: &str = "[fields]\n'traits.email' = 'hash'";

async fn started(aws: &Aws, queues: &Queues, mappings: &str) -> Lambda {
    let secret = aws.secret(r#"{"hashKey":"hush"}"#).await;
    let environment = [
        ("TOPIC_ARN", queues.topic.as_str()),
        ("IDENTITY_SECRET_ARN", &secret),
        ("SEGUE_DEPLOYMENT", "arn:aws:cloudformation:eu-central-1:123456789012:stack/segue/1"),
        ("MAPPINGS", mappings),
    ];
    aws.function("cognito-trigger", &environment).await
}

/// Invokes it with each sample, which must come back as it was. Returns how many messages there are to be.
async fn invoke_all(function: &Lambda) -> usize {
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
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    for mappings in ["", HASHED] {
        let function = started(&aws, &queues, mappings).await;
        let expected = invoke_all(&function).await;
        let published = queues.drain(&queues.queue).await;
        assert_eq!(published.len(), expected, "{}", function.logs());
        let identify = published.iter().find(|(message, _)| message["type"] == "identify").unwrap();
        let email = identify.0["traits"]["email"].as_str().unwrap();
        assert_eq!(email == "ines@example.com", mappings.is_empty(), "{email}");
        assert!(!function.logs().contains("ines"), "{}", function.logs());
    }
}

#[tokio::test]
async fn without_the_topic_or_the_secret_the_events_come_back_and_the_log_says_so() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues, HASHED).await;
    drop(aws);
    invoke_all(&function).await;
    assert!(function.logs().contains("The messages of a trigger are lost."), "{}", function.logs());
    assert!(function.is_running());
}

#[tokio::test]
async fn a_mapping_with_a_fault_keeps_nobody_from_logging_in() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues, "naming = 7").await;
    invoke_all(&function).await;
    let logs = function.logs();
    assert!(logs.contains("MAPPINGS:1:10") && logs.contains("this must be a text"), "{logs}");
    assert!(queues.drain(&queues.queue).await.is_empty());
}
