//! Creates the topic, subscriptions, queues, table and secrets of the template.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeDefinition, KeySchemaElement, TimeToLiveSpecification};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::Notes;
use crate::{cloud::lets_in, template::plain};

/// Creates a secret and returns its ARN.
pub(super) async fn secret(config: &SdkConfig, name: &str, text: &str) -> String {
    let call = aws_sdk_secretsmanager::Client::new(config).create_secret().name(name).secret_string(text);
    call.send().await.unwrap().arn.unwrap()
}

/// Creates all other resources that the emulator supports.
pub(super) async fn all(
    config: &SdkConfig,
    resources: &BTreeMap<String, Value>,
    notes: &Notes,
) -> Result<(), String> {
    let of = |kind: &'static str| {
        let matching = resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
        matching.map(|(name, resource)| (name.as_str(), &resource["Properties"]))
    };
    // A dead-letter queue must exist before its source queue.
    let (with, without): (Vec<_>, Vec<_>) =
        of("AWS::SQS::Queue").partition(|(_, queue)| queue["RedrivePolicy"].is_object());
    for (name, properties) in without.into_iter().chain(with) {
        queue(config, name, properties).await.map_err(|fault| format!("{name}: {fault}"))?;
    }
    let topics = aws_sdk_sns::Client::new(config);
    for (name, _) in of("AWS::SNS::Topic") {
        topics
            .create_topic()
            .name(format!("segue-{name}"))
            .send()
            .await
            .map_err(|error| format!("{name}: {error:?}"))?;
    }
    for (name, properties) in of("AWS::SNS::Subscription") {
        if properties["Protocol"] != "sqs" {
            continue;
        }
        let topic = text(&properties["TopicArn"]);
        let is_let_in = |queue: &Value| {
            let mut policies =
                of("AWS::SQS::QueuePolicy").map(|(_, properties)| &properties["PolicyDocument"]);
            let is_let_in = policies.any(|policy| lets_in(policy, text(queue), topic));
            if !is_let_in {
                notes.add(format!("{name}: no queue policy lets the topic {topic} into {}", text(queue)));
            }
            is_let_in
        };
        is_let_in(&properties["RedrivePolicy"]["deadLetterTargetArn"]);
        if is_let_in(&properties["Endpoint"]) {
            subscribe(&topics, properties).await.map_err(|fault| format!("{name}: {fault}"))?;
        }
    }
    for (name, properties) in of("AWS::DynamoDB::Table") {
        table(config, name, properties).await;
    }
    Ok(())
}

async fn queue(config: &SdkConfig, name: &str, properties: &Value) -> Result<(), String> {
    let client = aws_sdk_sqs::Client::new(config);
    let mut create = client.create_queue().queue_name(format!("segue-{name}"));
    for (property, value) in properties.as_object().into_iter().flatten() {
        create = create.attributes(QueueAttributeName::from(property.as_str()), plain(value));
    }
    create.send().await.map_err(|error| format!("SQS refuses it: {error:?}"))?;
    Ok(())
}

async fn subscribe(topics: &aws_sdk_sns::Client, properties: &Value) -> Result<(), String> {
    let mut subscribe = topics
        .subscribe()
        .topic_arn(text(&properties["TopicArn"]))
        .protocol("sqs")
        .endpoint(text(&properties["Endpoint"]));
    for attribute in ["RawMessageDelivery", "FilterPolicyScope", "FilterPolicy"] {
        subscribe = subscribe.attributes(attribute, plain(&properties[attribute]));
    }
    subscribe.send().await.map_err(|error| format!("SNS refuses it: {error:?}"))?;
    Ok(())
}

async fn table(config: &SdkConfig, name: &str, table: &Value) {
    let client = aws_sdk_dynamodb::Client::new(config);
    let name = format!("segue-{name}");
    let mut create = client.create_table().table_name(&name).billing_mode(text(&table["BillingMode"]).into());
    for key in table["KeySchema"].as_array().unwrap() {
        let element = KeySchemaElement::builder().attribute_name(text(&key["AttributeName"]));
        create = create.key_schema(element.key_type(text(&key["KeyType"]).into()).build().unwrap());
    }
    for definition in table["AttributeDefinitions"].as_array().unwrap() {
        let attribute = AttributeDefinition::builder().attribute_name(text(&definition["AttributeName"]));
        let attribute = attribute.attribute_type(text(&definition["AttributeType"]).into()).build().unwrap();
        create = create.attribute_definitions(attribute);
    }
    create.send().await.unwrap();
    let expiry = &table["TimeToLiveSpecification"];
    let expiry = TimeToLiveSpecification::builder()
        .attribute_name(text(&expiry["AttributeName"]))
        .enabled(expiry["Enabled"].as_bool().unwrap());
    let call = client.update_time_to_live().table_name(&name);
    call.time_to_live_specification(expiry.build().unwrap()).send().await.unwrap();
}

/// Returns a property that is text.
fn text(property: &Value) -> &str {
    property.as_str().unwrap_or_default()
}
