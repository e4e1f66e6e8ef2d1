//! The tests catch a broken template, and name the broken part.

use std::time::Duration;

use end_to_end::{Setup, Stack};
use serde_json::{Value, json};
use testkit::FakeServer;
use tokio::task::JoinSet;

use crate::world::{self, ids, sample, send, webhook};

/// Longer than any visibility timeout.
const HALF_A_DAY: Duration = Duration::from_secs(12 * 3600);

/// Checks everything that a deployment must do.
///
/// # Errors
/// A sentence that says what failed, and the likely causes.
async fn drive(edit: impl FnOnce(&mut Value)) -> Result<(), String> {
    let (segment, hook) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let setup = world::with_webhooks(world::setup(&segment), &[webhook(&hook)]).edited(edit);
    let stack = setup.try_up().await?;
    wanted(&stack, stack.notes().is_empty(), "the parts of the stack let each other in").await?;

    let login = send(&stack, &sample("identity-webhook", "fusionauth.user.login.success")).await;
    wanted(
        &stack,
        login.status == 200,
        &format!("POST /identity/fusionauth: {} {}", login.status, login.body),
    )
    .await?;
    let track = send(&stack, &sample("tracking-api", "track")).await;
    wanted(&stack, track.status == 200, &format!("POST /v1/track: {} {}", track.status, track.body)).await?;
    for (function, fake, place) in
        [("SegmentDelivery", &segment, "Segment"), ("WebhookDelivery", &hook, "the webhook")]
    {
        let delivered = stack.deliver(function).await;
        delivered.map_err(|failure| format!("{function}: {}", failure.message))?;
        wanted(&stack, ids(fake).len() == 2, &format!("a login and a track reach {place}")).await?;
    }
    stack.fire_schedule("2026-11-21T06:00:00Z").await;
    wanted(&stack, ids(&segment).len() == 3, "the schedule's event reaches Segment").await?;

    for prefix in ["Segment", "Webhook"] {
        let (queue, dead) = (format!("{prefix}Queue"), format!("{prefix}DeadLetterQueue"));
        let queue = stack.queue(&queue).await;
        queue.send("what no function gets done", &[]).await;
        // More often than the template lets a message be received.
        for _ in 0..12 {
            queue.receive_and_crash().await;
            stack.advance(HALF_A_DAY).await;
        }
        let (visible, ..) = stack.queue(&dead).await.counts().await;
        let what = format!(
            "what no function gets done goes from {prefix}Queue to {dead}, to which RedrivePolicy leads"
        );
        wanted(&stack, visible == 1, &what).await?;
    }
    wanted(&stack, stack.denied().is_empty(), "every call is allowed").await
}

async fn wanted(stack: &Stack, is_so: bool, what: &str) -> Result<(), String> {
    match is_so {
        true => Ok(()),
        false => Err(format!("not so: {what}\n{}", stack.diagnosis().await)),
    }
}

#[tokio::test]
async fn the_unchanged_template_does_everything_that_a_deployment_must_do() {
    drive(|_| {}).await.unwrap();
}

type Edit = fn(&mut Value);

/// Ways to break the template, each with the tests' error.
const BREAKAGES: [(&str, Edit, &[&str]); 12] = [
    (
        "wrong handler",
        |resources| resources["TrackingApi"]["Properties"]["Handler"] = "main".into(),
        &["TrackingApi: Handler is \"main\"; what is built is \"bootstrap\""],
    ),
    (
        "another function's code",
        |resources| resources["IdentityWebhook"]["Properties"]["CodeUri"] = "functions/track-event".into(),
        &["IdentityWebhook does not start", "WRITE_KEYS_SECRET_ARN is missing"],
    ),
    (
        "missing queue policy",
        |resources| {
            remove(resources, "SegmentQueuePolicy");
            remove(&mut resources["SegmentSubscription"], "DependsOn");
        },
        &[
            "SegmentSubscription: no queue policy lets the topic",
            "segue-MessageTopic into",
            "segue-SegmentQueue",
        ],
    ),
    (
        "dropped environment variable",
        |resources| {
            remove(&mut resources["TrackingApi"]["Properties"]["Environment"]["Variables"], "TOPIC_ARN");
        },
        &["TrackingApi does not start", "TOPIC_ARN is missing; the template sets it"],
    ),
    (
        "wrong route",
        |resources| {
            let event = &mut resources["IdentityWebhook"]["Properties"]["Events"]["Identity"];
            event["Properties"]["Path"] = "/identities/{proxy+}".into();
        },
        &["POST /identity/fusionauth: 404", "no route of the HTTP API takes POST /identity/fusionauth"],
    ),
    (
        "too short visibility",
        |resources| resources["SegmentQueue"]["Properties"]["VisibilityTimeout"] = 120.into(),
        &["SegmentQueue hides messages for 120 s, which is less than six times the 120 s of SegmentDelivery"],
    ),
    (
        "missing permission",
        |resources| {
            statement(resources, "IdentityWebhookRole", 0)["Action"] = "sns:GetTopicAttributes".into();
        },
        &[
            "POST /identity/fusionauth: 503",
            "IdentityWebhookRole does not allow sns:Publish on",
            "segue-MessageTopic",
        ],
    ),
    (
        "wrong secret",
        |resources| {
            let variables = &mut resources["SegmentDelivery"]["Properties"]["Environment"]["Variables"];
            variables["WRITE_KEYS_SECRET_ARN"] = json!({"Ref": "IdentitySecret"});
        },
        &[
            "reach Segment",
            "SegmentDeliveryRole does not allow secretsmanager:GetSecretValue on",
            "secret:IdentitySecret",
        ],
    ),
    (
        "unwired dead-letter queue",
        |resources| remove(&mut resources["SegmentQueue"]["Properties"], "RedrivePolicy"),
        &["goes from SegmentQueue to SegmentDeadLetterQueue, to which RedrivePolicy leads"],
    ),
    (
        "disabled partial failures",
        |resources| {
            let event = &mut resources["WebhookDelivery"]["Properties"]["Events"]["Queue"];
            remove(&mut event["Properties"], "FunctionResponseTypes");
        },
        &["WebhookDeliveryQueue: FunctionResponseTypes lacks ReportBatchItemFailures"],
    ),
    (
        "wrong topic subscription",
        |resources| {
            let properties = &mut resources["SegmentSubscription"]["Properties"];
            properties["Endpoint"] = json!({"Fn::GetAtt": ["SegmentDeadLetterQueue", "Arn"]});
        },
        &["reach Segment", "SegmentSubscription brings messages of MessageTopic to SegmentDeadLetterQueue"],
    ),
    (
        "a permission for the schedule that is not there",
        |resources| statement(resources, "TrackEventScheduleRole", 0)["Action"] = "lambda:GetFunction".into(),
        &[
            "the schedule's event reaches Segment",
            "TrackEventScheduleRole does not allow lambda:InvokeFunction",
        ],
    ),
];

#[tokio::test]
async fn every_breakage_is_named() {
    let mut runs = JoinSet::new();
    for (name, edit, said) in BREAKAGES {
        runs.spawn(async move {
            let result = drive(|template| edit(&mut template["Resources"])).await;
            let Err(fault) = result else { panic!("nobody noticed: {name}") };
            for part in said {
                assert!(fault.contains(part), "{name}: {part:?} is not in\n{fault}");
            }
        });
        // Each has a separate emulator and processes.
        if runs.len() == 4 {
            runs.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

fn remove(object: &mut Value, name: &str) {
    assert!(object.as_object_mut().unwrap().shift_remove(name).is_some(), "{name} is not there");
}

fn statement<'a>(resources: &'a mut Value, role: &str, index: usize) -> &'a mut Value {
    &mut resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][index]
}

#[tokio::test]
async fn an_invalid_parameter_is_refused() {
    for (parameter, value) in
        [("MemorySize", json!(64)), ("RegulationType", json!("DELETE")), ("Nonsense", json!(1))]
    {
        let Err(fault) = Setup::default().parameter(parameter, value).try_up().await else {
            panic!("{parameter} was taken")
        };
        assert!(fault.contains(parameter), "{fault}");
    }
}
