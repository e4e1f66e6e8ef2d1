//! Transforms the template with SAM's own code (`AWS::Serverless-2016-10-31`), which gives the real
//! functions, routes, permissions and event sources.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::tools;

/// SAM asks AWS only about managed policies and applications, and the template has none.
const TRANSFORM: &str = r#"
import copy, json, sys
import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

given = json.load(sys.stdin)
session = boto3.session.Session(region_name=given["region"])
try:
    templates = []
    for parameters in given["parameters"]:
        translator = Translator({}, Parser(), None, session)
        templates.append(translator.translate(copy.deepcopy(given["template"]), parameters))
    print(json.dumps({"templates": templates}))
except InvalidDocumentException as error:
    print(json.dumps({"fault": "; ".join(cause.message for cause in error.causes)}))
"#;

/// Returns the templates that CloudFormation gets for these choices of parameters.
///
/// # Errors
/// SAM's objection.
pub(crate) fn transform(
    source: &Value,
    parameters: &[&BTreeMap<String, Value>],
    region: &str,
) -> Result<Vec<Value>, String> {
    let mut source = source.clone();
    for resource in source["Resources"].as_object_mut().unwrap().values_mut() {
        if resource["Type"] == "AWS::Serverless::Function" {
            // `sam package` uploads the folder and names the object. Here the object's key still names the
            // folder.
            let folder = resource["Properties"]["CodeUri"].as_str().unwrap_or_default();
            resource["Properties"]["CodeUri"] = format!("s3://artifacts/{folder}").into();
        }
    }
    let given = json!({"template": source, "parameters": parameters, "region": region});
    let mut answer: Value = serde_json::from_str(&tools::python(TRANSFORM, &[], &given.to_string())).unwrap();
    match answer["fault"].as_str() {
        Some(fault) => Err(format!("SAM refuses the template: {fault}")),
        None => Ok(serde_json::from_value(answer["templates"].take()).unwrap()),
    }
}

/// Returns the template's defaults, which apply to a stack without parameters.
pub(crate) fn defaults(source: &Value) -> BTreeMap<String, Value> {
    let parameters = source["Parameters"].as_object().unwrap().iter();
    parameters.map(|(name, parameter)| (name.clone(), parameter["Default"].clone())).collect()
}
