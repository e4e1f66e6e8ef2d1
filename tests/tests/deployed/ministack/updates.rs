//! Updates of a stack: with other parameters, with new code, and back.

use end_to_end::{Deployment, HttpRequest, Ministack, template::template};
use serde_json::{Value, json};
use testkit::FakeServer;

use super::begin;
use crate::world::{SHARED_SECRET, WRITE_KEYS, identity, sample, webhook};

/// An update of one group of parameters, as the template groups them.
struct Update<'a> {
    group: &'static str,
    parameters: Vec<(&'static str, &'a str)>,
    /// The expected configuration of the functions' live versions: function, path in the configuration,
    /// value.
    effects: Vec<(&'static str, &'static str, Value)>,
}

const RENAMED: &str = "fusionauth.on.'user.login.success'.track = { event = 'Logged In' }";

/// Returns one update for each group, in the template's order.
fn updates<'a>(token: &'a str) -> Vec<Update<'a>> {
    vec![
        Update {
            group: "Segment",
            parameters: vec![("SegmentConcurrency", "4")],
            effects: vec![("SegmentDelivery", "/Environment/Variables/SEGMENT_CONCURRENCY", "4".into())],
        },
        Update {
            group: "Identity providers",
            parameters: vec![("Mappings", RENAMED)],
            effects: vec![("IdentityWebhook", "/Environment/Variables/MAPPINGS", RENAMED.into())],
        },
        Update {
            group: "Webhooks",
            parameters: vec![("WebhooksEnabled", "true"), ("AllowPrivateWebhooks", "true")],
            effects: vec![(
                "WebhookDelivery",
                "/Environment/Variables/ALLOW_PRIVATE_WEBHOOKS",
                "true".into(),
            )],
        },
        Update {
            group: "PostgreSQL",
            parameters: vec![
                ("WarehouseEnabled", "true"),
                ("WarehouseUrl", "postgres://segue@db.example.com/analytics"),
                ("WarehouseSchema", "analytics"),
                ("WarehouseVpcId", "vpc-0123456789abcdef0"),
                ("WarehouseSubnetIds", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
                ("WarehouseSecurityGroupIds", "sg-0123456789abcdef0"),
            ],
            effects: vec![
                ("WarehouseDelivery", "/Environment/Variables/WAREHOUSE_SCHEMA", "analytics".into()),
                (
                    "WarehouseDelivery",
                    "/Environment/Variables/AWS_ENDPOINT_URL_SQS",
                    "https://vpce-0.sqs.vpce.amazonaws.com".into(),
                ),
            ],
        },
        Update {
            group: "Deletion at Segment",
            parameters: vec![("PublicApiTokenSecretArn", token), ("RegulationType", "SUPPRESS_ONLY")],
            effects: vec![(
                "RegulationDelivery",
                "/Environment/Variables/REGULATION_TYPE",
                "SUPPRESS_ONLY".into(),
            )],
        },
        Update {
            group: "The track-event job",
            parameters: vec![("ScheduleState", "ENABLED"), ("TrackEventInput", r#"{"user_id":"u1"}"#)],
            effects: vec![(
                "TrackEvent",
                "/Environment/Variables/TRACK_EVENT_INPUT",
                r#"{"user_id":"u1"}"#.into(),
            )],
        },
        Update {
            group: "Operations",
            parameters: vec![("MemorySize", "192"), ("Door", "FunctionUrl")],
            effects: vec![
                ("IdentityWebhook", "/MemorySize", json!(192)),
                ("RegulationDelivery", "/MemorySize", json!(192)),
            ],
        },
    ]
}

#[tokio::test]
async fn parameters_and_code_take_effect_with_an_update_and_the_alias_can_go_back() {
    let Some((aws, release)) = begin().await else { return };
    let (segment, receiver) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let (segment_url, token) = (segment.url(), aws.create_secret("token", r#"{"default":"t1"}"#).await);
    let mut parameters = vec![("SegmentEndpoint", segment_url.as_str())];
    let first = aws.deploy("segue", &release, &parameters).await;
    first.store("WriteKeysSecret", WRITE_KEYS).await;
    first.store("IdentitySecret", &identity()).await;

    let mut stack = first.clone();
    let updates = updates(&token);
    let groups: Vec<Value> = updates.iter().map(|update| update.group.into()).collect();
    assert_eq!(groups, groups_of_template(), "there is one update for each group of parameters");
    let mut earlier = Value::Null;
    for update in updates {
        earlier = stack.live("IdentityWebhook").await;
        parameters.extend(&update.parameters);
        stack = aws.deploy("segue", &release, &parameters).await;
        for (function, place, expected) in &update.effects {
            let live = stack.live(function).await;
            assert_eq!(live.pointer(place), Some(expected), "{}: {function}: {live}", update.group);
        }
    }
    let schedule = ["scheduler", "get-schedule", "--name", stack.resource("TrackEventSchedule")];
    assert_eq!(aws.aws(&schedule).await["State"], "ENABLED");

    let webhooks = json!({"sharedSecret": SHARED_SECRET, "webhooks": [webhook(&receiver)]});
    stack.store("WebhooksSecret", &webhooks.to_string()).await;
    login(&stack).await;
    // The address of the HTTP API stays the same.
    login(&first).await;
    assert_ne!(stack.output("FusionAuthWebhookUrl"), first.output("FusionAuthWebhookUrl"));
    let renamed = |fake: &FakeServer| fake.taken().iter().any(|(_, message)| message["event"] == "Logged In");
    aws.eventually("the mapping and the webhook are used", async || renamed(&segment) && renamed(&receiver))
        .await;

    let before = stack.live("IdentityWebhook").await;
    let other = stack.live("SegmentDelivery").await["Version"].clone();
    let changed = release.with_new_code("IdentityWebhook");
    stack = aws.deploy("segue", &changed, &parameters).await;
    let after = stack.live("IdentityWebhook").await;
    assert_ne!(after["CodeSha256"], before["CodeSha256"]);
    assert_ne!(after["Version"], before["Version"]);
    assert_eq!(stack.live("SegmentDelivery").await["Version"], other, "its code is the same");

    for (version, what) in [(before, "the code"), (earlier, "the parameters of before the last update")] {
        lead_back(&aws, &stack, &version).await;
        let live = stack.live("IdentityWebhook").await;
        for setting in ["CodeSha256", "MemorySize", "Environment"] {
            assert_eq!(live[setting], version[setting], "{what}");
        }
        login(&stack).await;
    }
}

/// Each of these parameters alone is right.
#[tokio::test]
async fn parameters_that_do_not_go_together_are_refused_with_the_way_out() {
    let Some((aws, release)) = begin().await else { return };
    let subnets = ("WarehouseSubnetIds", "subnet-0123456789abcdef0");
    let groups = ("WarehouseSecurityGroupIds", "sg-0123456789abcdef0");
    let (vpc, existing) = (("WarehouseVpcId", "vpc-0123456789abcdef0"), ("WarehouseSqsEndpoint", "existing"));
    let url = ("WarehouseUrl", "postgres://segue@db.example.com/analytics");
    let secret =
        ("WarehouseSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:warehouse-AbCdEf");
    for (parameters, expected) in [
        (vec![subnets, groups, url], "Set WarehouseVpcId for an endpoint"),
        (vec![subnets, groups, vpc], "the function can read no secret"),
        (vec![subnets, existing], "WarehouseSubnetIds needs WarehouseSecurityGroupIds"),
        (vec![url, secret], "and not both"),
        (vec![("WarehouseUrl", "postgres://segue:hunter2@db.example.com/analytics")], "without a password"),
        (vec![("WarehouseSubnetIds", "subnet-a, subnet-b")], "without spaces"),
    ] {
        let parameters = [vec![("WarehouseEnabled", "true")], parameters].concat();
        let Err(fault) = aws.try_deploy("segue", &release, &parameters).await else {
            panic!("{parameters:?} are taken");
        };
        assert!(fault.contains(expected), "{parameters:?}: {fault}");
    }
    aws.deploy("segue", &release, &[("WarehouseEnabled", "true"), subnets, groups, existing]).await;
}

/// Points a function's alias to an earlier version, as docs/operations.md says.
async fn lead_back(aws: &Ministack, stack: &Deployment<'_>, version: &Value) {
    let (name, version) = (stack.resource("IdentityWebhook"), version["Version"].as_str().unwrap());
    let alias = ["lambda", "update-alias", "--function-name", name, "--name", "live"];
    let all = ["--function-version", version, "--routing-config", "AdditionalVersionWeights={}"];
    aws.aws(&[&alias[..], &all].concat()).await;
}

/// Asserts that a FusionAuth login is accepted.
async fn login(stack: &Deployment<'_>) {
    let event = sample("identity-webhook", "fusionauth.user.login.success");
    let reply = stack.send(HttpRequest::of_event(&event)).await;
    assert_eq!((reply.status, reply.body), (200, json!({"accepted": 1})));
}

/// Returns the names of the template's parameter groups.
fn groups_of_template() -> Vec<Value> {
    let groups = &template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    groups.as_array().unwrap().iter().map(|group| group["Label"]["default"].clone()).collect()
}
