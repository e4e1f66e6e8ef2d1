//! What `AWS::Serverless-2016-10-31` makes of the template, by SAM's own code: the real functions, routes, permissions
//! and event sources.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::tools;

/// SAM asks AWS only for managed policies and applications, of which the template has none.
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

/// The templates that CloudFormation gets for these choices of parameters.
///
/// # Errors
/// What SAM has against it.
pub(crate) fn transform(
    source: &Value,
    parameters: &[&BTreeMap<String, Value>],
    region: &str,
) -> Result<Vec<Value>, String> {
    let mut source = source.clone();
    for resource in source["Resources"].as_object_mut().unwrap().values_mut() {
        if resource["Type"] == "AWS::Serverless::Function" {
            // `sam package` uploads the folder and names the object. Here its key goes on naming the folder.
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

/// What a stack is created with where nothing else is said: the template's defaults.
pub(crate) fn defaults(source: &Value) -> BTreeMap<String, Value> {
    let parameters = source["Parameters"].as_object().unwrap().iter();
    parameters.map(|(name, parameter)| (name.clone(), parameter["Default"].clone())).collect()
}
