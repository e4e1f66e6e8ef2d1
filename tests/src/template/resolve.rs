//! Resolves parameters, conditions and intrinsic functions, as CloudFormation does.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

/// The names of a resource after it is created.
#[derive(Clone, Debug, Default)]
pub(crate) struct Physical {
    /// The value of `!Ref`.
    pub reference: String,
    /// The values of `!GetAtt`.
    pub attributes: HashMap<&'static str, Value>,
}

/// Replaces references and functions with values.
pub(crate) struct Resolver {
    parameters: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
    physical: HashMap<String, Physical>,
}

type Resolved = Result<Value, String>;

impl Resolver {
    /// Returns a resolver with the parameters (including pseudo parameters such as `AWS::Region`) and the
    /// template's conditions.
    pub(crate) fn new(template: &Value, parameters: BTreeMap<String, Value>) -> Result<Self, String> {
        let mut resolver = Self { parameters, conditions: BTreeMap::new(), physical: HashMap::new() };
        resolver.check(&template["Parameters"])?;
        for (name, condition) in template["Conditions"].as_object().into_iter().flatten() {
            // A condition that refers to another one comes after it in the template.
            let holds = resolver.holds(condition).map_err(|fault| format!("condition {name}: {fault}"))?;
            resolver.conditions.insert(name.clone(), holds);
        }
        Ok(resolver)
    }

    /// Whether a resource or output is created.
    pub(crate) fn is_created(&self, one: &Value) -> Result<bool, String> {
        one["Condition"].as_str().map_or(Ok(true), |name| self.condition(name))
    }

    /// Sets the value of references to a resource.
    pub(crate) fn know(&mut self, name: &str, physical: Physical) {
        self.physical.insert(name.to_owned(), physical);
    }

    /// Returns the resolved value. `Null` stands for `AWS::NoValue`.
    pub(crate) fn value(&self, value: &Value) -> Resolved {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.value(item)).filter(|item| *item != Ok(Value::Null));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            Value::Object(object) => match object.iter().next() {
                Some((name, argument)) if object.len() == 1 => match name.as_str() {
                    "Ref" => self.reference(text(argument)?),
                    "Condition" if argument.is_string() => self.condition(text(argument)?).map(Value::Bool),
                    function if function.starts_with("Fn::") => self.function(function, argument),
                    _ => self.members(object),
                },
                _ => self.members(object),
            },
            other => Ok(other.clone()),
        }
    }

    fn members(&self, object: &Map<String, Value>) -> Resolved {
        let mut resolved = Map::new();
        for (name, value) in object {
            match self.value(value)? {
                Value::Null => {}
                value => drop(resolved.insert(name.clone(), value)),
            }
        }
        Ok(resolved.into())
    }

    fn function(&self, function: &str, argument: &Value) -> Resolved {
        let arguments =
            || argument.as_array().ok_or_else(|| format!("{function} wants a list, not {argument}"));
        match function {
            "Fn::GetAtt" => match argument {
                Value::String(path) => self.attribute(path),
                _ => self.attribute(&arguments()?.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(".")),
            },
            "Fn::Sub" => self.substitute(argument),
            "Fn::If" => match &arguments()?[..] {
                [condition, then, otherwise] => {
                    self.value(if self.condition(text(condition)?)? { then } else { otherwise })
                }
                _ => Err(format!("Fn::If wants a condition and two values, not {argument}")),
            },
            "Fn::Join" => {
                let separator = text(&argument[0])?;
                let parts = self.value(&argument[1])?;
                let parts: Vec<&str> =
                    parts.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                Ok(parts.join(separator).into())
            }
            "Fn::Split" => {
                let (separator, whole) = (text(&argument[0])?, self.value(&argument[1])?);
                Ok(text(&whole)?.split(separator).map(Value::from).collect::<Vec<_>>().into())
            }
            "Fn::Select" => {
                let (index, list) = (plain(&argument[0]), self.value(&argument[1])?);
                let index: usize = index.parse().map_err(|_| format!("{index} is no index"))?;
                list.get(index).cloned().ok_or_else(|| format!("{list} has no item {index}"))
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                let mut values = arguments()?.iter().map(|one| self.value(one));
                Ok(match function {
                    // CloudFormation compares both as text.
                    "Fn::Equals" => {
                        (plain(&values.next().unwrap()?) == plain(&values.next().unwrap()?)).into()
                    }
                    "Fn::Not" => (values.next().unwrap()? == false).into(),
                    "Fn::And" => values.all(|value| value == Ok(true.into())).into(),
                    _ => values.any(|value| value == Ok(true.into())).into(),
                })
            }
            other => Err(format!("{other} is not known here")),
        }
    }

    fn holds(&self, condition: &Value) -> Result<bool, String> {
        self.value(condition)?.as_bool().ok_or_else(|| format!("{condition} is neither true nor false"))
    }

    fn condition(&self, name: &str) -> Result<bool, String> {
        self.conditions.get(name).copied().ok_or_else(|| format!("there is no condition {name}"))
    }

    fn reference(&self, name: &str) -> Resolved {
        if name == "AWS::NoValue" {
            return Ok(Value::Null);
        }
        let parameter = self.parameters.get(name).cloned();
        let resource = || self.physical.get(name).map(|one| Value::from(one.reference.as_str()));
        parameter.or_else(resource).ok_or_else(|| format!("there is no parameter and no resource {name}"))
    }

    fn attribute(&self, path: &str) -> Resolved {
        let (name, attribute) = path.split_once('.').ok_or_else(|| format!("{path} names no attribute"))?;
        let resource = self.physical.get(name).ok_or_else(|| format!("there is no resource {name}"))?;
        let value = resource.attributes.get(attribute);
        value.cloned().ok_or_else(|| format!("{name} has no attribute {attribute}"))
    }

    fn substitute(&self, argument: &Value) -> Resolved {
        let (mut rest, further) = match argument {
            Value::String(text) => (text.as_str(), &Value::Null),
            _ => (text(&argument[0])?, &argument[1]),
        };
        let mut resolved = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("Fn::Sub: ${ without }")?;
            let value = match further.get(name) {
                Some(value) => self.value(value)?,
                // For somebody else to replace: ${!Name} becomes ${Name}.
                None if name.starts_with('!') => format!("${{{}}}", &name[1..]).into(),
                None if self.parameters.contains_key(name) || !name.contains('.') => self.reference(name)?,
                None => self.attribute(name)?,
            };
            resolved += before;
            resolved += &plain(&value);
            rest = after;
        }
        Ok((resolved + rest).into())
    }

    /// Checks everything that CloudFormation refuses before it creates a resource.
    fn check(&mut self, declared: &Value) -> Result<(), String> {
        let declared = declared.as_object().ok_or("the template has no parameters")?;
        for (name, value) in &mut self.parameters {
            if name.starts_with("AWS::") {
                continue;
            }
            let rule = declared.get(name).ok_or_else(|| format!("there is no parameter {name}"))?;
            let text = plain(value);
            let allowed = rule["AllowedValues"].as_array();
            if allowed.is_some_and(|allowed| !allowed.iter().any(|one| plain(one) == text)) {
                return Err(format!("{name} may not be {text}"));
            }
            if rule["Type"] == "Number" {
                let number: f64 = text.parse().map_err(|_| format!("{name} is no number: {text}"))?;
                let least = rule["MinValue"].as_f64().unwrap_or(f64::MIN);
                let most = rule["MaxValue"].as_f64().unwrap_or(f64::MAX);
                if !(least..=most).contains(&number) {
                    return Err(format!("{name} may not be {text}"));
                }
                *value = serde_json::from_str(&text).unwrap();
            }
            if rule["Type"] == "CommaDelimitedList" {
                *value = text.split(',').map(|one| one.trim().into()).collect::<Vec<Value>>().into();
            }
        }
        Ok(())
    }
}

/// Returns a text without its quotes, or any other value as JSON.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no text"))
}
