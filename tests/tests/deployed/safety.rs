//! The template's promises beyond the wiring: data is kept and encrypted, only the functions that need a
//! secret can read it, and settings reach the functions.

use std::collections::BTreeSet;

use end_to_end::{Setup, template::template, tools};
use serde_json::{Value, json};

use crate::world;

fn resources(kind: &str) -> impl Iterator<Item = (&String, &Value)> {
    let all = template()["Resources"].as_object().unwrap().iter();
    all.filter(move |(_, resource)| resource["Type"] == kind)
}

#[test]
fn resources_with_data_outlive_the_stack() {
    for kind in ["AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"] {
        for (name, resource) in resources(kind) {
            assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{name}");
            assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
        }
    }
}

#[test]
fn queues_are_encrypted_and_keep_messages_for_14_days_and_every_one_has_a_dead_letter_queue() {
    let queues: Vec<_> = resources("AWS::SQS::Queue").collect();
    for (name, queue) in &queues {
        let properties = &queue["Properties"];
        assert_eq!(properties["SqsManagedSseEnabled"], true, "{name}");
        assert_eq!(properties["MessageRetentionPeriod"], 14 * 24 * 3600, "{name}");
        let target = &properties["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0];
        let expected = match name.strip_suffix("Queue") {
            // Nothing consumes the rejected queue.
            Some("Rejected") => Value::Null,
            Some(prefix) if !prefix.ends_with("DeadLetter") => json!(format!("{prefix}DeadLetterQueue")),
            _ => Value::Null,
        };
        assert_eq!(*target, expected, "{name}");
    }
    assert_eq!(queues.len(), 10);
    assert_eq!(template()["Resources"]["MessageTopic"]["Properties"]["KmsMasterKeyId"], "alias/aws/sns");
}

#[test]
fn the_ledger_is_billed_on_demand_and_can_be_restored() {
    let ledger = &template()["Resources"]["Ledger"]["Properties"];
    assert_eq!(ledger["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(ledger["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
}

#[test]
fn logs_are_json_and_are_kept_as_long_as_the_parameter_says() {
    for (name, group) in resources("AWS::Logs::LogGroup") {
        assert_eq!(group["Properties"]["RetentionInDays"], json!({"Ref": "LogRetentionDays"}), "{name}");
    }
    let logging = &template()["Globals"]["Function"]["LoggingConfig"];
    assert_eq!((&logging["LogFormat"], &logging["ApplicationLogLevel"]), (&json!("JSON"), &json!("TRACE")));
    assert_eq!(resources("AWS::Logs::LogGroup").count(), resources("AWS::Serverless::Function").count() + 1);
}

#[test]
fn callers_are_throttled_and_segment_is_not_overrun() {
    let settings = &template()["Resources"]["HttpApi"]["Properties"]["DefaultRouteSettings"];
    for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
        assert_eq!(settings[limit], json!({"Ref": "RequestsPerSecond"}));
    }
    // The function's own tests show that it keeps this rate.
    let delivery = &template()["Resources"]["SegmentDelivery"]["Properties"];
    let most = &delivery["Events"]["Queue"]["Properties"]["ScalingConfig"]["MaximumConcurrency"];
    let variables = &delivery["Environment"]["Variables"];
    assert_eq!(variables["SEGMENT_CONCURRENCY"], *most);
    assert_eq!(variables["SEGMENT_EVENTS_PER_SECOND"], json!({"Ref": "SegmentEventsPerSecond"}));
    assert_eq!(template()["Parameters"]["SegmentEventsPerSecond"]["Default"], 1000);
}

/// A new account has 10 concurrent executions, none of which can be reserved. Deliveries to slow destinations
/// occupy theirs.
#[test]
fn the_default_deliveries_leave_a_new_account_capacity_for_incoming_events() {
    let everything = world::everything();
    let defaults = ["SegmentConcurrency", "WebhookConcurrency"]
        .map(|name| (name.to_owned(), template()["Parameters"][name]["Default"].clone()));
    let stack = everything.resources("segue", &[defaults.into()]).unwrap().remove(0);
    let sources = stack.values().filter(|one| one["Type"] == "AWS::Lambda::EventSourceMapping");
    let held =
        sources.map(|source| source["Properties"]["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap());
    assert_eq!(held.sum::<u64>(), 8);
}

/// The secrets that each role may read, no matter who created the secret.
#[test]
fn only_the_functions_that_need_a_secret_can_read_it() {
    let mut readers = BTreeSet::new();
    for (name, role) in resources("AWS::IAM::Role") {
        let statements = &role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
        let alternatives = |statement: &Value| match statement["Fn::If"].as_array() {
            Some(choice) => choice[1..].to_vec(),
            None => vec![statement.clone()],
        };
        for statement in statements.as_array().unwrap().iter().flat_map(alternatives) {
            if statement["Action"].to_string().contains("secretsmanager") {
                assert_eq!(statement["Action"], "secretsmanager:GetSecretValue", "{name}");
                let resource = statement["Resource"].to_string();
                let secrets = [
                    "WriteKeysSecret",
                    "IdentitySecret",
                    "MappingsSecret",
                    "WebhooksSecret",
                    "WarehouseSecret",
                    "PublicApiTokenSecret",
                ];
                let named: Vec<&str> =
                    secrets.into_iter().filter(|secret| resource.contains(secret)).collect();
                readers.insert((name.trim_end_matches("Role"), named.concat()));
            }
        }
    }
    let expected = [
        ("CognitoTrigger", "IdentitySecret"),
        ("CognitoTrigger", "MappingsSecret"),
        ("IdentityWebhook", "IdentitySecret"),
        ("IdentityWebhook", "MappingsSecret"),
        ("RegulationDelivery", "PublicApiTokenSecret"),
        ("SegmentDelivery", "WriteKeysSecret"),
        ("TrackEvent", "WriteKeysSecret"),
        ("TrackingApi", "WriteKeysSecret"),
        ("WarehouseDelivery", "WarehouseSecret"),
        ("WebhookDelivery", "WebhooksSecret"),
    ];
    assert_eq!(readers, expected.map(|(role, secret)| (role, secret.to_owned())).into());
}

/// For new code, SAM gives versions a DeletionPolicy. For a changed parameter, it gives no
/// UpdateReplacePolicy.
#[test]
fn a_replaced_version_is_kept_so_that_its_alias_can_go_back_to_it() {
    let transformed = Setup::default().transformed().unwrap();
    let resources = transformed["Resources"].as_object().unwrap();
    let versions = resources.values().filter(|resource| resource["Type"] == "AWS::Lambda::Version");
    for version in versions {
        let policies = (&version["UpdateReplacePolicy"], &version["DeletionPolicy"]);
        assert_eq!(policies, (&json!("Retain"), &json!("Retain")));
        assert_eq!(version["Properties"]["Description"], json!({"Fn::Sub": "Settings ${Settings}"}));
    }
}

/// API Gateway adds other log groups to a policy, which is soon full.
#[test]
fn the_access_log_is_in_a_place_where_api_gateway_needs_no_resource_policy() {
    let group = &template()["Resources"]["HttpApiLogGroup"]["Properties"]["LogGroupName"]["Fn::Sub"];
    assert!(group.as_str().unwrap().starts_with("/aws/vendedlogs/${AWS::StackName}/"));
}

#[test]
fn a_gradual_deployment_is_off_and_goes_back_when_an_alarm_says_so() {
    let groups = |setup: Setup| {
        let transformed = setup.transformed().unwrap();
        let resources = transformed["Resources"].as_object().unwrap().clone();
        resources
            .into_iter()
            .filter(|(_, one)| one["Type"] == "AWS::CodeDeploy::DeploymentGroup")
            .collect::<Vec<_>>()
    };
    assert_eq!(groups(Setup::default()), []);
    let groups = groups(Setup::default().parameter("GradualDeployment", "true"));
    assert_eq!(groups.len(), resources("AWS::Serverless::Function").count());
    for (name, group) in groups {
        let properties = &group["Properties"];
        // No alarm that strangers can raise.
        let alarms = json!([{"Name": {"Ref": "FunctionErrorsAlarm"}}]);
        assert_eq!(properties["AlarmConfiguration"]["Alarms"], alarms, "{name}");
        let back = properties["AutoRollbackConfiguration"]["Events"].as_array().unwrap();
        assert!(back.contains(&json!("DEPLOYMENT_STOP_ON_ALARM")), "{name}");
        let function = name.trim_end_matches("DeploymentGroup");
        assert_eq!(group["Condition"], template()["Resources"][function]["Condition"], "{name}");
    }
}

#[test]
fn every_parameter_is_described_and_in_a_group_and_has_a_valid_default() {
    let interface = &template()["Metadata"]["AWS::CloudFormation::Interface"];
    let groups = interface["ParameterGroups"].as_array().unwrap().iter();
    let grouped: Vec<&str> = groups
        .flat_map(|group| group["Parameters"].as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    let parameters = template()["Parameters"].as_object().unwrap();
    assert_eq!(grouped.len(), parameters.len());
    let mut patterns = Vec::new();
    for (name, parameter) in parameters {
        assert!(grouped.contains(&name.as_str()), "{name} is in no group");
        assert!(parameter["Description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
        assert!(!parameter["Default"].is_null(), "{name}: a first deployment shall ask for nothing");
        if let Some(pattern) = parameter["AllowedPattern"].as_str() {
            patterns.push(json!([name, pattern, parameter["Default"]]));
        }
    }
    for (name, good, bad) in [
        ("SegmentEndpoint", "https://events.eu1.segmentapis.com", "events.eu1.segmentapis.com"),
        ("WriteKeysSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys-AbCdEf", "keys"),
        ("AlarmEmail", "operator@example.com", "operator"),
        ("ScheduleExpression", "rate(5 minutes)", "rate(5 minute)"),
        ("ScheduleProperties", "{\"a\":1}", "[1]"),
    ] {
        let pattern = &parameters[name]["AllowedPattern"];
        patterns.push(json!([name, pattern, good]));
        patterns.push(json!([name, format!("^(?!{}).*$", pattern.as_str().unwrap()), bad]));
    }
    let script = "import json, re, sys\nfor name, pattern, value in json.load(sys.stdin):\n    assert re.search(pattern, value, re.S), (name, value)";
    tools::python(script, &[], &json!(patterns).to_string());
}

/// Serverless Application Repository: the published version is the one that was built.
#[test]
fn the_template_has_the_version_of_the_workspace() {
    let cargo = std::fs::read_to_string(tools::root().join("Cargo.toml")).unwrap();
    let version = cargo.lines().find_map(|line| line.strip_prefix("version = ")).unwrap();
    let repository = &template()["Metadata"]["AWS::ServerlessRepo::Application"];
    assert_eq!(repository["SemanticVersion"].to_string(), version);
    for file in ["LicenseUrl", "ReadmeUrl"] {
        assert!(tools::root().join(repository[file].as_str().unwrap()).exists(), "{file}");
    }
}
