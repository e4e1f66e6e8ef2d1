//! Each parameter, changed alone as in an update of the stack.

use std::collections::{BTreeMap, BTreeSet};

use end_to_end::template::template;
use serde_json::{Value, json};

use crate::world;

/// Other values than the default, for parameters whose type does not suggest one.
const OTHERS: [(&str, &str); 29] = [
    ("SegmentEndpoint", "https://events.eu1.segmentapis.com"),
    ("WriteKeysSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys-AbCdEf"),
    ("IdentitySecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:identity-AbCdEf"),
    ("WebhooksSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:webhooks-AbCdEf"),
    ("WarehouseSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:warehouse-AbCdEf"),
    ("WarehouseUrl", "postgres://other@db.example.com:5432/analytics"),
    ("WarehouseVpcId", "vpc-0123456789abcdef0"),
    ("WarehouseSchema", "analytics"),
    ("WarehouseInclude", "order_*"),
    ("WarehouseExclude", "*.context_ip"),
    ("WarehouseSubnetIds", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
    ("WarehouseSecurityGroupIds", "sg-0123456789abcdef0"),
    ("PublicApiTokenSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:other-AbCdEf"),
    ("TenantWriteKeys", r#"{"tenant":"shop"}"#),
    ("Mappings", "[fields]\n'traits.email' = 'drop'"),
    ("MappingsSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mappings-AbCdEf"),
    ("CognitoUserPoolArn", "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_other"),
    ("LedgerTableName", "segue-Ledger-1ABC"),
    ("SubnetIds", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
    ("SecurityGroupIds", "sg-0123456789abcdef0"),
    ("PublicApiEndpoint", "https://eu1.api.segmentapis.com"),
    ("ScheduleExpression", "rate(5 minutes)"),
    ("ScheduleTimezone", "Europe/Berlin"),
    ("ScheduleUserId", "nightly"),
    ("ScheduleEvent", "Night Ended"),
    ("ScheduleProperties", r#"{"a":1}"#),
    ("TrackEventInput", r#"{"user_id":"u1","event":"e"}"#),
    ("AlarmEmail", "operator@example.com"),
    ("LogRetentionDays", "90"),
];

/// Lambda keeps these with the function, not in its versions.
const UNVERSIONED: [&str; 3] = ["ReservedConcurrentExecutions", "RecursiveLoop", "Tags"];

/// Returns another value of a parameter.
fn another(name: &str, rule: &Value, value: &Value) -> Value {
    if let Some((_, other)) = OTHERS.iter().find(|(known, _)| *known == name) {
        return (*other).into();
    }
    let mut allowed = rule["AllowedValues"].as_array().into_iter().flatten();
    match allowed.find(|other| *other != value) {
        Some(other) => other.clone(),
        None => json!(value.as_u64().unwrap_or_else(|| panic!("{name} has no other value here")) + 1),
    }
}

/// Returns the properties that a version keeps.
fn kept(function: &Value) -> Value {
    let mut properties = function["Properties"].clone();
    for name in UNVERSIONED {
        properties.as_object_mut().unwrap().remove(name);
    }
    properties
}

/// Returns the versions of a stack, by their functions.
fn versions(resources: &BTreeMap<String, Value>) -> BTreeMap<&str, (&str, &Value)> {
    let versions = resources.iter().filter(|(_, one)| one["Type"] == "AWS::Lambda::Version");
    versions
        .map(|(name, version)| {
            let function = version["Properties"]["FunctionName"].as_str().unwrap();
            (function.trim_start_matches("segue-"), (name.as_str(), &version["Properties"]))
        })
        .collect()
}

/// Lambda publishes no version of an unchanged function (Lambda API, PublishVersion), and CloudFormation then
/// rolls the update back. A function that changes without a new version keeps its old settings behind its
/// alias.
#[test]
fn a_changed_parameter_publishes_a_version_of_exactly_the_functions_that_change() {
    let everything = world::everything();
    let rules = template()["Parameters"].as_object().unwrap();
    let mut choices = vec![BTreeMap::new()];
    choices.extend(
        rules.iter().map(|(name, rule)| {
            BTreeMap::from([(name.clone(), another(name, rule, everything.value(name)))])
        }),
    );
    let mut stacks = everything.resources("segue", &choices).unwrap().into_iter();
    let before = stacks.next().unwrap();
    assert_eq!(versions(&before).len(), 8);
    let mut changing = BTreeSet::new();
    for (parameter, after) in rules.keys().zip(stacks) {
        assert!(before != after, "{parameter} changes nothing");
        let (old, new) = (versions(&before), versions(&after));
        for (function, version) in &new {
            let (Some(earlier), Some(old_version)) = (before.get(*function), old.get(function)) else {
                continue;
            };
            let changes = kept(earlier) != kept(&after[*function]);
            let is_replaced = version != old_version;
            assert_eq!(is_replaced, changes, "{parameter}, {function}: a new version and a changed function");
            if changes {
                changing.insert(parameter.as_str());
            }
        }
    }
    // Only the settings that the functions read: each of these restarts all of them.
    let expected = [
        "AllowPrivateWebhooks",
        "Architecture",
        "IdentitySecretArn",
        "LedgerTableName",
        "LogLevel",
        "Mappings",
        "MappingsSecretArn",
        "MemorySize",
        "PublicApiEndpoint",
        "PublicApiTokenSecretArn",
        "RegulationType",
        "SecurityGroupIds",
        "SegmentConcurrency",
        "SegmentEndpoint",
        "SegmentEventsPerSecond",
        "SubnetIds",
        "TenantWriteKeys",
        "Tracing",
        "TrackEventInput",
        "WarehouseExclude",
        "WarehouseInclude",
        "WarehouseSchema",
        "WarehouseSecretArn",
        "WarehouseSecurityGroupIds",
        "WarehouseSqsEndpoint",
        "WarehouseSubnetIds",
        "WarehouseUrl",
        "WebhooksSecretArn",
        "WriteKeysSecretArn",
    ];
    assert_eq!(changing, expected.into());
}
