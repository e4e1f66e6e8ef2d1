//! The template as data.

use std::sync::OnceLock;

use serde_json::Value;

use crate::tools;

/// `!GetAtt A.B` and the like become what they are in JSON.
const READER: &str = r#"
import json, yaml

def tagged(loader, tag, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in ("Ref", "Condition") else "Fn::" + tag: value}

yaml.SafeLoader.add_multi_constructor("!", tagged)
print(json.dumps(yaml.safe_load(open("template.yaml"))))
"#;

/// The template, before SAM and CloudFormation make something of it.
pub fn template() -> &'static Value {
    static TEMPLATE: OnceLock<Value> = OnceLock::new();
    TEMPLATE.get_or_init(|| serde_json::from_str(&tools::python(READER, &[])).unwrap())
}

/// The properties of one of its resources.
pub fn properties(resource: &str) -> &'static Value {
    let properties = &template()["Resources"][resource]["Properties"];
    assert!(properties.is_object(), "no resource {resource} in the template");
    properties
}
