//! Functions with their roles, settings and log groups.

use std::time::Duration;

use serde_json::Value;

use super::{Wiring, text};
use crate::{
    binaries,
    cloud::{ACCOUNT, REGION},
    lambda::{Function, Settings},
    template::plain,
};

impl Wiring<'_> {
    /// Returns the function, if Lambda accepts its settings.
    pub(super) async fn function(&self, name: &str, properties: &Value) -> Result<Function, String> {
        for (property, wanted) in
            [("Handler", "bootstrap"), ("Runtime", "provided.al2023"), ("PackageType", "Zip")]
        {
            let value = properties[property].as_str().unwrap_or(wanted);
            if value != wanted {
                return Err(format!("{property} is {value:?}; what is built is {wanted:?}"));
            }
        }
        let role = self.role(&properties["Role"], "lambda.amazonaws.com")?;
        let folder = text(&properties["Code"]["S3Key"]).to_owned();
        let binary = tokio::task::spawn_blocking(move || binaries::binary(&folder)).await.unwrap()?;
        let mut variables = vec![
            ("AWS_REGION".to_owned(), REGION.to_owned()),
            // The gateway identifies the caller by this key.
            ("AWS_ACCESS_KEY_ID".to_owned(), role.to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()),
            ("AWS_ENDPOINT_URL".to_owned(), self.gateway.url()),
            ("AWS_LAMBDA_FUNCTION_NAME".to_owned(), format!("segue-{name}")),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), properties["MemorySize"].to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION".to_owned(), "1".to_owned()),
        ];
        for (variable, value) in properties["Environment"]["Variables"].as_object().into_iter().flatten() {
            variables.push((variable.clone(), plain(value)));
        }
        let group = text(&properties["LoggingConfig"]["LogGroup"]);
        self.of("AWS::Logs::LogGroup")
            .into_iter()
            .find(|(group_name, _)| group == format!("segue-{group_name}"))
            .ok_or_else(|| format!("its log group {group} is not in the template"))?;
        // Lambda writes the logs with the function's role, and silently drops them without permission.
        let stream = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:1");
        self.policies.allows(role, "logs:CreateLogStream", &stream);
        self.policies.allows(role, "logs:PutLogEvents", &stream);
        if properties["TracingConfig"]["Mode"] == "Active" {
            self.policies.allows(role, "xray:PutTraceSegments", "*");
            self.policies.allows(role, "xray:PutTelemetryRecords", "*");
        }
        let timeout = properties["Timeout"].as_u64().ok_or("it has no timeout")?;
        let settings = Settings {
            name: format!("segue-{name}"),
            arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:segue-{name}"),
            binary,
            variables,
            timeout: Duration::from_secs(timeout),
        };
        Ok(Function::new(settings, self.metrics.clone(), self.notes.clone()))
    }
}
