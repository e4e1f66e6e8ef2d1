//! Changes to ministack's copy of the template, for features that ministack 1.5 lacks or gets wrong.

use serde_json::{Map, Value, json};

use crate::template::plain;

/// Applies all workarounds.
pub(super) fn apply(template: &mut Value, parameters: &Value) {
    alarms_without_mathematics(template);
    routes_as_resources(template);
    literal_numbers(template, parameters);
    no_separate_rules(template);
    let secrets: Vec<String> =
        of_type(template, "AWS::SecretsManager::Secret").map(|(name, _)| name.clone()).collect();
    each_object(template, &mut |object| {
        secret_as_its_arn(object, &secrets);
        actions_for_batches(object);
        names_of_endpoints(object);
    });
}

/// It does not support alarms with metric math. Here they use the first of their metrics.
fn alarms_without_mathematics(template: &mut Value) {
    for (_, alarm) in of_type(template, "AWS::CloudWatch::Alarm") {
        let properties = alarm["Properties"].as_object_mut().unwrap();
        let Some(queries) = properties.remove("Metrics") else { continue };
        let stat = queries.as_array().unwrap().iter().find_map(|query| query.get("MetricStat")).unwrap();
        for name in ["Namespace", "MetricName", "Dimensions"] {
            properties.insert(name.to_owned(), stat["Metric"][name].clone());
        }
        properties.insert("Statistic".to_owned(), stat["Stat"].clone());
        properties.insert("Period".to_owned(), stat["Period"].clone());
    }
}

/// It does not import the OpenAPI body in which SAM names an HTTP API's routes.
fn routes_as_resources(template: &mut Value) {
    let mut made = Map::new();
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        let condition = function.get("Condition").cloned();
        for (event, api) in events(function, "HttpApi") {
            let integration = format!("{name}{event}Integration");
            let target = format!("integrations/${{{integration}}}");
            let key = format!("{} {}", api["Method"].as_str().unwrap(), api["Path"].as_str().unwrap());
            let mut integrated = json!({"Type": "AWS::ApiGatewayV2::Integration", "Properties": {
                "ApiId": api["ApiId"],
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Ref": format!("{name}.Alias")},
                "PayloadFormatVersion": "2.0",
            }});
            let mut route = json!({"Type": "AWS::ApiGatewayV2::Route", "Properties": {
                "ApiId": api["ApiId"],
                "RouteKey": key,
                "Target": {"Fn::Sub": target},
            }});
            if let Some(condition) = &condition {
                integrated["Condition"] = condition.clone();
                route["Condition"] = condition.clone();
            }
            made.insert(format!("{name}{event}Route"), route);
            made.insert(integration, integrated);
        }
    }
    template["Resources"].as_object_mut().unwrap().extend(made);
}

/// It knows no rules of security groups that are resources of their own.
fn no_separate_rules(template: &mut Value) {
    let separate = ["AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"];
    let resources = template["Resources"].as_object_mut().unwrap();
    resources.retain(|_, resource| !separate.contains(&resource["Type"].as_str().unwrap()));
}

/// It keeps a parameter of the type Number as a text, which its queue poller cannot compare with a number.
fn literal_numbers(template: &mut Value, parameters: &Value) {
    let declared = template["Parameters"].clone();
    for (_, function) in of_type(template, "AWS::Serverless::Function") {
        for (_, queue) in events(function, "SQS") {
            replace_numbers(queue, &declared, parameters);
        }
    }
}

fn replace_numbers(value: &mut Value, declared: &Value, parameters: &Value) {
    let name = value.get("Ref").and_then(Value::as_str).filter(|name| declared[name]["Type"] == "Number");
    if let Some(name) = name {
        let given = parameters.get(name).unwrap_or(&declared[name]["Default"]);
        *value = serde_json::from_str(&plain(given)).unwrap();
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace_numbers(item, declared, parameters)),
        Value::Object(object) => {
            object.values_mut().for_each(|one| replace_numbers(one, declared, parameters));
        }
        _ => {}
    }
}

/// Its `Ref` of a secret is the name. In AWS it is the ARN, like the attribute `Id` (CloudFormation template
/// reference, "AWS::SecretsManager::Secret", return values).
fn secret_as_its_arn(object: &mut Map<String, Value>, secrets: &[String]) {
    let Some(Value::String(name)) = object.get("Ref") else { return };
    if object.len() == 1 && secrets.contains(name) {
        let attribute = json!([name, "Id"]);
        object.clear();
        object.insert("Fn::GetAtt".to_owned(), attribute);
    }
}

/// It gives an interface endpoint no DNS names.
fn names_of_endpoints(object: &mut Map<String, Value>) {
    if let Some(Value::Array(path)) = object.get("Fn::GetAtt")
        && path.get(1).is_some_and(|attribute| attribute == "DnsEntries")
    {
        object.clear();
        object.insert("Fn::Split".to_owned(), json!([",", "Z1:vpce-0.sqs.vpce.amazonaws.com"]));
    }
}

/// It requires separate actions for batch calls. AWS has none: `sns:Publish` and `sqs:SendMessage` allow them
/// (service authorization reference, "Actions defined by Amazon SNS" and "… Amazon SQS").
fn actions_for_batches(statement: &mut Map<String, Value>) {
    let Some(actions) = statement.get_mut("Action") else { return };
    if let Value::String(_) = actions {
        *actions = json!([actions]);
    }
    let Some(actions) = actions.as_array_mut() else { return };
    for (action, batch) in [("sns:Publish", "sns:PublishBatch"), ("sqs:SendMessage", "sqs:SendMessageBatch")]
    {
        if actions.contains(&action.into()) {
            actions.push(batch.into());
        }
    }
}

fn of_type<'a>(template: &'a mut Value, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a mut Value)> {
    let resources = template["Resources"].as_object_mut().unwrap().iter_mut();
    resources.filter(move |(_, resource)| resource["Type"] == kind)
}

/// Returns the properties of a function's events of one type.
fn events<'a>(function: &'a mut Value, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a mut Value)> {
    let events = function["Properties"].get_mut("Events").and_then(Value::as_object_mut);
    let events = events.into_iter().flatten().filter(move |(_, event)| event["Type"] == kind);
    events.map(|(name, event)| (name, &mut event["Properties"]))
}

fn each_object(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_object(item, change)),
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|value| each_object(value, change));
        }
        _ => {}
    }
}
