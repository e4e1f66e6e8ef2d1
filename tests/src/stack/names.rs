//! The names that CloudFormation would give to resources. Here they are known in advance.

use std::collections::HashMap;

use serde_json::json;

use crate::{
    cloud::{ACCOUNT, REGION},
    template::Physical,
};

/// Returns the physical name of a resource.
pub(super) fn physical(kind: &str, name: &str, emulator: &str, api: &str) -> Physical {
    let full = format!("segue-{name}");
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
    let named =
        |arn: String| Physical { reference: full.clone(), attributes: HashMap::from([("Arn", arn.into())]) };
    let only = |reference: String| Physical { reference, ..Physical::default() };
    match kind {
        "AWS::SNS::Topic" => Physical {
            reference: arn("sns", &full),
            attributes: HashMap::from([("TopicName", full.clone().into())]),
        },
        "AWS::SQS::Queue" => Physical {
            reference: format!("{emulator}/{ACCOUNT}/{full}"),
            attributes: HashMap::from([
                ("Arn", arn("sqs", &full).into()),
                ("QueueName", full.clone().into()),
            ]),
        },
        "AWS::DynamoDB::Table" => named(arn("dynamodb", &format!("table/{full}"))),
        "AWS::Logs::LogGroup" => named(arn("logs", &format!("log-group:{full}:*"))),
        "AWS::Lambda::Function" => named(arn("lambda", &format!("function:{full}"))),
        "AWS::Lambda::Alias" => {
            // SAM names a function's alias after the function, followed by the alias's name.
            let function = name.split("Alias").next().unwrap_or_default();
            only(arn("lambda", &format!("function:segue-{function}:live")))
        }
        "AWS::Lambda::Version" => Physical {
            reference: arn("lambda", &format!("function:{full}:1")),
            attributes: HashMap::from([("Version", "1".into())]),
        },
        "AWS::Lambda::Url" => Physical {
            reference: arn("lambda", &format!("function:{full}:live")),
            attributes: HashMap::from([(
                "FunctionUrl",
                format!("https://{full}.lambda-url.{REGION}.on.aws/").into(),
            )]),
        },
        "AWS::IAM::Role" => named(format!("arn:aws:iam::{ACCOUNT}:role/{full}")),
        "AWS::Scheduler::Schedule" => named(arn("scheduler", &format!("schedule/default/{full}"))),
        "AWS::CloudWatch::Alarm" => named(arn("cloudwatch", &format!("alarm:{full}"))),
        "AWS::ApiGatewayV2::Api" => Physical {
            reference: "abcdefghij".to_owned(),
            attributes: HashMap::from([("ApiEndpoint", api.into())]),
        },
        "AWS::EC2::VPCEndpoint" => Physical {
            reference: "vpce-0123456789abcdef0".to_owned(),
            attributes: HashMap::from([(
                "DnsEntries",
                json!([format!("Z1:vpce-0123456789abcdef0-abc.sqs.{REGION}.vpce.amazonaws.com")]),
            )]),
        },
        "AWS::EC2::SecurityGroup" => Physical {
            reference: "sg-0123456789abcdef9".to_owned(),
            attributes: HashMap::from([("GroupId", "sg-0123456789abcdef9".into())]),
        },
        "AWS::ApiGatewayV2::Stage" => only("$default".to_owned()),
        _ => only(full),
    }
}
