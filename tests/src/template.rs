//! The template: as written, as SAM transforms it, and as CloudFormation resolves it.

mod resolve;
mod transform;

use std::{path::Path, sync::OnceLock};

use serde_json::Value;

use crate::tools;

pub(crate) use self::{
    resolve::{Physical, Resolver, plain},
    transform::{defaults, transform},
};

/// Turns `!GetAtt A.B` and similar tags into their JSON form.
const READER: &str = r#"
import json, sys
from samtranslator.yaml_helper import yaml_parse
print(json.dumps(yaml_parse(open(sys.argv[1]).read())))
"#;

/// Returns the template as written.
pub fn template() -> &'static Value {
    static TEMPLATE: OnceLock<Value> = OnceLock::new();
    TEMPLATE.get_or_init(|| read(&tools::root().join("template.yaml")))
}

/// Returns the template in this file.
pub(crate) fn read(file: &Path) -> Value {
    serde_json::from_str(&tools::python(READER, &[file.to_str().unwrap()], "")).unwrap()
}

/// Returns the properties of a resource in the template.
pub fn properties(resource: &str) -> &'static Value {
    let properties = &template()["Resources"][resource]["Properties"];
    assert!(properties.is_object(), "no resource {resource} in the template");
    properties
}
