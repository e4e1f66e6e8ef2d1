//! The HTTP API's routes, and its permissions to invoke their functions.

use std::collections::BTreeMap;

use super::{Wiring, text};
use crate::{
    cloud::{ACCOUNT, REGION, matches},
    lambda::{Access, MetricFilter, Route},
};

impl Wiring<'_> {
    /// Returns every route with a function.
    pub(super) fn routes(&self) -> Result<Vec<Route>, String> {
        let (api, properties) = self.only("AWS::ApiGatewayV2::Api")?;
        let mut routes = Vec::new();
        for (path, methods) in properties["Body"]["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let method = match method.as_str() {
                    "x-amazon-apigateway-any-method" => "ANY".to_owned(),
                    method => method.to_uppercase(),
                };
                let integration = &operation["x-amazon-apigateway-integration"];
                if integration["payloadFormatVersion"] != "2.0" {
                    return Err(format!("{api}: {method} {path} is not of payload format 2.0"));
                }
                let uri = text(&integration["uri"]);
                let arn = uri.rsplit("functions/").next().unwrap_or_default();
                let arn = arn.strip_suffix("/invocations").unwrap_or_default();
                let function = self.name_of(&arn.into(), "AWS::Lambda::Function")?;
                if !self.may_invoke(api, arn, &method, path) {
                    self.notes
                        .add(format!("{api}: no permission lets it invoke {function} for {method} {path}"));
                    continue;
                }
                let function = self.functions[function].clone();
                routes.push(Route { method, path: path.clone(), function });
            }
        }
        Ok(routes)
    }

    /// Whether a permission lets the API invoke the function on that route.
    fn may_invoke(&self, api: &str, function: &str, method: &str, path: &str) -> bool {
        let method = if method == "ANY" { "*" } else { method };
        let path = path.replace("{proxy+}", "*");
        let id = &self.references[api];
        let source = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{id}/$default/{method}{path}");
        let permissions = self.of("AWS::Lambda::Permission");
        permissions.iter().any(|(_, permission)| {
            permission["Principal"] == "apigateway.amazonaws.com"
                && permission["Action"] == "lambda:InvokeFunction"
                && [function, function.rsplit(':').next().unwrap_or_default()]
                    .contains(&text(&permission["FunctionName"]))
                && matches(text(&permission["SourceArn"]), &source)
        })
    }

    /// Returns the settings of the API's stage, and the metric filters of its log.
    pub(super) fn access(&self) -> Result<Access, String> {
        let (name, stage) = self.only("AWS::ApiGatewayV2::Stage")?;
        let number = |setting: &str| {
            stage["DefaultRouteSettings"][setting].as_f64().ok_or_else(|| format!("{name} sets no {setting}"))
        };
        let mut filters = Vec::new();
        for (name, filter) in self.of("AWS::Logs::MetricFilter") {
            let (member, value) = text(&filter["FilterPattern"])
                .trim_start_matches("{ $.")
                .trim_end_matches("\" }")
                .split_once(" = \"")
                .ok_or_else(|| format!("{name} has a pattern that is not known here"))?;
            let transformation = &filter["MetricTransformations"][0];
            let of = |property: &str| text(&transformation[property]).to_owned();
            let metric = (of("MetricNamespace"), of("MetricName"), BTreeMap::new());
            filters.push(MetricFilter { member: member.to_owned(), value: value.to_owned(), metric });
        }
        let log_format = text(&stage["AccessLogSettings"]["Format"]).to_owned();
        let (rate, burst) = (number("ThrottlingRateLimit")?, number("ThrottlingBurstLimit")?);
        Ok(Access { rate, burst, log_format, filters })
    }
}
