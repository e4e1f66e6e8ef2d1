//! The template: as it is written, as SAM transforms it, and as CloudFormation resolves it.

mod resolve;
mod transform;

use std::sync::OnceLock;

use serde_json::Value;

use crate::tools;

pub(crate) use self::{
    resolve::{Physical, Resolver},
    transform::{defaults, transform},
};

/// `!GetAtt A.B` and the like become what they are in JSON.
const READER: &str = r#"
import json
from samtranslator.yaml_helper import yaml_parse
print(json.dumps(yaml_parse(open("template.yaml").read())))
"#;

/// The template, before SAM and CloudFormation make something of it.
pub fn template() -> &'static Value {
    static TEMPLATE: OnceLock<Value> = OnceLock::new();
    TEMPLATE.get_or_init(|| serde_json::from_str(&tools::python(READER, &[], "")).unwrap())
}

/// The properties of one of its resources.
pub fn properties(resource: &str) -> &'static Value {
    let properties = &template()["Resources"][resource]["Properties"];
    assert!(properties.is_object(), "no resource {resource} in the template");
    properties
}
