//! The Lambda entry point. If it cannot start, it logs the error and returns events unchanged: a mistake in a
//! setting must not keep users from logging in.

use std::env;

use cognito_trigger::{Trigger, not_set_up};
use identity::{Config, HashKey, MAPPINGS_SECRET};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use platform::{aws, clock::SystemClock, secrets::CachedSecret};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let trigger = &started().await;
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| match trigger {
        Ok(trigger) => Ok::<_, Error>(trigger.handle(event.payload, &event.context.request_id).await),
        Err(error) => Ok(not_set_up(event.payload, &**error)),
    }))
    .await
}

async fn started() -> Result<Trigger<aws::SnsTopic>, Error> {
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let mappings = aws.secret_text("MAPPINGS_SECRET_ARN").await?;
    let variable = |name: &str| match name {
        MAPPINGS_SECRET => mappings.clone(),
        name => env::var(name).ok(),
    };
    let config = Config::from_variables(variable)?;
    let topic = aws.topic(aws::variable("TOPIC_ARN")?);
    let store = aws.secret(aws::variable("IDENTITY_SECRET_ARN")?);
    let secret = CachedSecret::new(store, HashKey::from_secret, clock.clone());
    let trigger = Trigger::new(topic.clone(), config, secret, clock);
    trigger.prepare(topic.warm()).await;
    Ok(trigger)
}
