//! The template.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use end_to_end::{
    Setup,
    template::{properties, template},
    tools,
};
use segment::regulation::{PublicApi, RegulationType};
use serde_json::{Value, json};

use crate::world;

/// Checks the template as the README's commands do.
#[test]
fn sam_and_cfn_lint_accept_the_template() {
    for (program, arguments) in [("cfn-lint", vec!["template.yaml"]), ("sam", vec!["validate", "--lint"])] {
        lint(program, &arguments);
    }
}

/// SAM drops an unknown property of an event, and neither tool notices that in the template itself.
#[test]
fn cloudformation_accepts_the_transformed_template() {
    for (name, setup) in [("defaults", Setup::default()), ("everything", world::everything())] {
        // SAM itself has used the parameter that W2001 reports as unused. W3011 is ignored in the template
        // too, which says why.
        lint_json(name, &setup.transformed().unwrap(), &["W2001", "W3011"]);
    }
}

/// CloudFormation allows stack names of 128 characters. The schemas of the resources limit each name, once
/// every value is resolved.
#[test]
fn a_stack_with_the_longest_name_and_everything_turned_on_fits_the_schemas_of_its_resources() {
    let name = format!("segue-{}", "x".repeat(122));
    let mut resources = world::everything().resources(&name, &[BTreeMap::new()]).unwrap().remove(0);
    for resource in resources.values_mut() {
        resource.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    // I3011 and W3011 are about deletion policies.
    lint_json("longest", &json!({"Resources": resources}), &["I3011", "W3011"]);
}

/// IAM allows 6,144 characters for each policy, without white space (IAM user guide, "IAM and AWS STS
/// quotas").
#[test]
fn iam_accepts_the_deployers_policies() {
    let mut resources = serde_json::Map::new();
    for file in fs::read_dir(tools::root().join("deploy/permissions")).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let size = text.chars().filter(|character| !character.is_whitespace()).count();
        assert!(size <= 6_144, "{}: {size}", path.display());
        // API Gateway requires these where tags are set, and cfn-lint does not know them (its issue 4280).
        let text =
            text.replace(r#""apigateway:TagResource", "apigateway:UntagResource""#, r#""apigateway:GET""#);
        let policy: Value = serde_json::from_str(&text).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().replace('-', "");
        let properties = json!({"PolicyDocument": policy});
        resources.insert(name, json!({"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}));
    }
    assert_eq!(resources.len(), 2);
    lint_json("permissions", &json!({"Resources": resources}), &["I1002"]);
}

/// Runs cfn-lint on a template that is not in a file.
fn lint_json(name: &str, template: &Value, ignored: &[&str]) {
    let path = tools::root().join(format!("tests/output/{name}.json"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, template.to_string()).unwrap();
    let arguments = [&["--ignore-checks"], ignored, &["--", path.to_str().unwrap()]].concat();
    lint("cfn-lint", &arguments);
}

fn lint(program: &str, arguments: &[&str]) {
    let output = Command::new(tools::program(program))
        .args(arguments)
        .current_dir(tools::root())
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .env("SAM_CLI_TELEMETRY", "0")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn every_function_is_deployed_with_the_variables_that_it_reads() {
    let functions = functions();
    let makefile = fs::read_to_string(tools::root().join("Makefile")).unwrap();
    let line = makefile.lines().find_map(|line| line.strip_prefix("FUNCTIONS := ")).unwrap();
    assert_eq!(line.split(' ').collect::<BTreeSet<_>>(), functions.keys().map(String::as_str).collect());
    for folder in fs::read_dir(tools::root().join("functions")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let set = &functions.get(name).unwrap_or_else(|| panic!("{name} is not in the template"))["Environment"]
            ["Variables"];
        let main = fs::read_to_string(folder.join("src/main.rs")).unwrap();
        for after in main.split("aws::variable(\"").skip(1) {
            let (variable, _) = after.split_once('"').unwrap();
            assert!(!set[variable].is_null(), "{name} reads {variable}");
        }
    }
}

/// The functions treat them as optional, so nothing else would notice a missing one.
#[test]
fn every_function_that_maps_gets_the_deployments_name_and_your_mapping() {
    for function in ["IdentityWebhook", "CognitoTrigger"] {
        let set = &properties(function)["Environment"]["Variables"];
        assert_eq!(set["MAPPINGS"], json!({"Ref": "Mappings"}), "{function}");
        assert_eq!(set["SEGUE_DEPLOYMENT"], json!({"Ref": "AWS::StackId"}), "{function}");
    }
    let set = &properties("IdentityWebhook")["Environment"]["Variables"];
    assert_eq!(set["TENANT_WRITE_KEYS"], json!({"Ref": "TenantWriteKeys"}));
}

/// Lambda stops a function that sends to its own queue after about 16 rounds and drops or dead-letters the
/// message, unless the function allows such loops (Lambda developer guide, "recursive loop detection").
#[test]
fn a_message_may_be_put_back_into_its_queue_more_than_16_times() {
    for function in ["SegmentDelivery", "WebhookDelivery", "WarehouseDelivery", "RegulationDelivery"] {
        assert_eq!(properties(function)["RecursiveLoop"], "Allow", "{function}");
    }
}

/// Compares all settings, because neither cfn-lint nor SAM notices a misspelled name.
#[test]
fn a_queue_passes_its_messages_to_its_function() {
    let parameter = |name: &str| json!({"Ref": name});
    // Lambda takes more than ten messages only with a batching window.
    let batch = |most: Value| json!({"Fn::If": ["HasBatchingWindow", most, 10]});
    let window = parameter("BatchingWindow");
    for (name, batch, window, concurrency) in [
        ("Segment", batch(json!(100)), &window, parameter("SegmentConcurrency")),
        ("Webhook", batch(parameter("WebhookBatchSize")), &window, parameter("WebhookConcurrency")),
        ("Warehouse", batch(json!(500)), &window, json!(2)),
        ("Regulation", json!(segment::regulation::MAX_USERS), &json!(60), json!(2)),
    ] {
        let expected = json!({"Queue": {
            "Type": "SQS",
            "Properties": {
                "Queue": {"Fn::GetAtt": [format!("{name}Queue"), "Arn"]},
                "BatchSize": batch,
                "MaximumBatchingWindowInSeconds": window,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": concurrency},
            },
        }});
        assert_eq!(properties(&format!("{name}Delivery"))["Events"], expected, "{name}");
    }
}

/// A statement about another queue is refused (SQS developer guide, "Special information for Amazon SQS
/// policies").
#[test]
fn each_queue_of_a_subscription_has_its_own_policy_before_the_subscription_is_created() {
    let resources = template()["Resources"].as_object().unwrap();
    let mut expected = BTreeMap::new();
    for (name, resource) in resources.iter().filter(|(_, one)| one["Type"] == "AWS::SQS::QueuePolicy") {
        let properties = &resource["Properties"];
        let queue = name.strip_suffix("Policy").unwrap();
        assert_eq!(properties["Queues"], json!([{"Ref": queue}]), "{name}");
        let statements = properties["PolicyDocument"]["Statement"].as_array().unwrap();
        let [statement] = &statements[..] else { panic!("{name} has {} statements", statements.len()) };
        assert_eq!(statement["Resource"], json!({"Fn::GetAtt": [queue, "Arn"]}), "{name}");
        expected.insert(queue, name);
    }
    for prefix in ["Segment", "Webhook", "Warehouse", "Regulation"] {
        let policies = [format!("{prefix}QueuePolicy"), format!("{prefix}DeadLetterQueuePolicy")];
        assert_eq!(resources[&format!("{prefix}Subscription")]["DependsOn"], json!(policies));
        // A policy that drops a queue, or is deleted, empties the queue's policy.
        assert_eq!(resources[&policies[1]]["DependsOn"], policies[0].as_str());
        assert_eq!(resources[&policies[1]]["DeletionPolicy"], "Retain");
    }
    assert_eq!(expected.len(), 8);
}

/// As SAM itself creates them, but only with `Door=FunctionUrl`.
#[test]
fn function_urls_belong_to_the_aliases_and_have_the_two_permissions_that_lambda_requires() {
    for function in ["IdentityWebhook", "TrackingApi"] {
        let alias = json!({"Ref": format!("{function}.Alias")});
        let url = json!({"TargetFunctionArn": alias, "AuthType": "NONE"});
        assert_eq!(properties(&format!("{function}FunctionUrl")), &url);
        let permissions = [
            ("Permission", "lambda:InvokeFunctionUrl", json!({"FunctionUrlAuthType": "NONE"})),
            ("InvokePermission", "lambda:InvokeFunction", json!({"InvokedViaFunctionUrl": true})),
        ];
        for (suffix, action, mut expected) in permissions {
            expected["Action"] = action.into();
            expected["FunctionName"] = alias.clone();
            expected["Principal"] = "*".into();
            assert_eq!(properties(&format!("{function}FunctionUrl{suffix}")), &expected);
        }
    }
    let resources = template()["Resources"].as_object().unwrap().iter();
    for (name, resource) in resources.filter(|(name, _)| name.contains("FunctionUrl")) {
        assert_eq!(resource["Condition"], "HasFunctionUrls", "{name}");
    }
    let default = Setup::default().resources("segue", &[BTreeMap::new()]).unwrap().remove(0);
    assert!(default.keys().all(|name| !name.contains("FunctionUrl")));
}

#[test]
fn the_routes_are_exactly_these() {
    let transformed = Setup::default().transformed().unwrap();
    let api = &transformed["Resources"]["HttpApi"]["Properties"];
    let mut routes = Vec::new();
    for (path, methods) in api["Body"]["paths"].as_object().unwrap() {
        routes.extend(methods.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
    }
    routes.sort();
    // Not only POST to /v1: the function itself answers the preflights of browsers.
    let expected = [
        "get /health",
        "get /identity/{proxy+}",
        "post /identity/{proxy+}",
        "x-amazon-apigateway-any-method /v1/{proxy+}",
    ];
    assert_eq!(routes, expected);
    assert!(api["CorsConfiguration"].is_null(), "API Gateway would answer in the function's place");
}

#[test]
fn without_webhooks_no_resource_for_them_is_created() {
    let set = json!({"Fn::Equals": [{"Ref": "WebhooksEnabled"}, "true"]});
    assert_eq!(template()["Conditions"]["HasWebhooks"], set);
    is_created_only_with("Webhook", &["HasWebhooks", "CreateWebhooksSecret"]);
    for parameter in ["WebhooksEnabled", "AllowPrivateWebhooks"] {
        assert_eq!(template()["Parameters"][parameter]["Default"], "false");
    }
}

#[test]
fn without_a_warehouse_no_resource_for_it_is_created() {
    let set = json!({"Fn::Equals": [{"Ref": "WarehouseEnabled"}, "true"]});
    assert_eq!(template()["Conditions"]["HasWarehouse"], set);
    let conditions =
        ["HasWarehouse", "HasWarehouseSecret", "CreateWarehouseSecret", "CreateWarehouseEndpoint"];
    is_created_only_with("Warehouse", &conditions);
    let parameters = &template()["Parameters"];
    assert_eq!(parameters["WarehouseEnabled"]["Default"], "false");
    assert_eq!(parameters["WarehouseSchema"]["Default"], "segue");
}

#[test]
fn in_private_subnets_the_warehouse_is_reached_with_iam_and_sqs_by_an_endpoint_of_its_own() {
    let resources = world::everything().resources("segue", &[BTreeMap::new()]).unwrap().remove(0);
    let function = &resources["WarehouseDelivery"]["Properties"];
    let groups = json!(["sg-0123456789abcdef1", "sg-0123456789abcdef9"]);
    assert_eq!(function["VpcConfig"]["SecurityGroupIds"], groups);
    let variables = &function["Environment"]["Variables"];
    let endpoint = "https://vpce-0123456789abcdef0-abc.sqs.eu-central-1.vpce.amazonaws.com";
    assert_eq!(variables["AWS_ENDPOINT_URL_SQS"], endpoint);
    assert!(variables["WAREHOUSE_SECRET_ARN"].is_null() && !resources.contains_key("WarehouseSecret"));
    let policy = &resources["WarehouseDeliveryRole"]["Properties"]["Policies"][0]["PolicyDocument"];
    let actions = |statement: &&Value| statement["Action"] == "rds-db:connect";
    let connect = policy["Statement"].as_array().unwrap().iter().find(actions).unwrap();
    assert_eq!(connect["Resource"], "arn:aws:rds-db:eu-central-1:123456789012:dbuser:*/segue");
    assert!(!policy.to_string().contains("secretsmanager"));
    // The endpoint lets through what the function sends, and nothing else.
    let policy = &resources["WarehouseEndpoint"]["Properties"]["PolicyDocument"]["Statement"];
    let queues = ["segue-WarehouseQueue", "segue-WarehouseDeadLetterQueue"];
    let arns = queues.map(|name| format!("arn:aws:sqs:eu-central-1:123456789012:{name}"));
    assert_eq!(policy[0]["Action"], "sqs:SendMessage");
    assert_eq!(policy[0]["Resource"], json!(arns));
}

#[test]
fn without_a_public_api_token_no_resource_for_regulations_is_created() {
    let set = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "PublicApiTokenSecretArn"}, ""]}]});
    assert_eq!(template()["Conditions"]["HasRegulations"], set);
    is_created_only_with("Regulation", &["HasRegulations"]);
    let parameters = &template()["Parameters"];
    let types: Vec<&str> = RegulationType::ALL.into_iter().map(RegulationType::as_str).collect();
    assert_eq!(parameters["RegulationType"]["AllowedValues"], json!(types));
    assert_eq!(parameters["RegulationType"]["Default"], RegulationType::default().as_str());
    assert_eq!(parameters["PublicApiEndpoint"]["Default"], PublicApi::US);
    assert_eq!(parameters["PublicApiTokenSecretArn"]["Default"], "");
}

/// Asserts that exactly the resources whose names begin with `prefix` are created under one of these
/// conditions.
fn is_created_only_with(prefix: &str, conditions: &[&str]) {
    for section in ["Resources", "Outputs"] {
        let all = template()[section].as_object().unwrap();
        let meant: Vec<&String> = all.keys().filter(|name| name.starts_with(prefix)).collect();
        assert!(meant.len() > 1, "{section}");
        for (name, one) in all {
            let has = one["Condition"].as_str().is_some_and(|condition| conditions.contains(&condition));
            assert_eq!(has, meant.contains(&name), "{section}: {name}");
        }
    }
}

#[test]
fn without_a_user_pool_no_resource_for_it_is_created() {
    for section in ["Resources", "Outputs"] {
        for (name, one) in template()[section].as_object().unwrap() {
            assert_eq!(one["Condition"] == "HasCognito", name.starts_with("Cognito"), "{section}: {name}");
        }
    }
    let set = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "CognitoUserPoolArn"}, ""]}]});
    assert_eq!(template()["Conditions"]["HasCognito"], set);
    assert_eq!(template()["Parameters"]["CognitoUserPoolArn"]["Default"], "");
}

#[test]
fn only_the_user_pool_may_invoke_its_trigger() {
    let expected = json!({
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "CognitoTrigger.Alias"},
        "Principal": "cognito-idp.amazonaws.com",
        "SourceArn": {"Ref": "CognitoUserPoolArn"},
    });
    assert_eq!(properties("CognitoTriggerPermission"), &expected);
    // Cognito waits for 5 s (Cognito developer guide, "Working with user pools", Lambda triggers).
    assert_eq!(properties("CognitoTrigger")["Timeout"], 5);
}

/// Returns the functions' properties by the names of their crates.
fn functions() -> BTreeMap<String, Value> {
    let resources = template()["Resources"].as_object().unwrap().values();
    let functions = resources.filter(|resource| resource["Type"] == "AWS::Serverless::Function");
    functions
        .map(|function| {
            let properties = &function["Properties"];
            let folder = properties["CodeUri"].as_str().unwrap();
            (folder.strip_prefix("functions/").unwrap().to_owned(), properties.clone())
        })
        .collect()
}
