//! The Lambda entry point.

use std::{env, sync::Arc};

use lambda_runtime::{LambdaEvent, run, service_fn};
use platform::{aws, clock::SystemClock, http, secrets::CachedSecret, write_keys};
use serde_json::value::RawValue;
use track_event::{Config, Handler};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let config = Config::from_variables(|name| env::var(name).ok())?;
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let store = aws.secret(config.write_keys_secret);
    let keys = Arc::new(CachedSecret::new(store, write_keys::WriteKeys::parse, clock.clone()));
    let credentials = write_keys::NamedWriteKey { keys, name: settings::DEFAULT_WRITE_KEY.to_owned() };
    let client = segment::Client::new(http::client()?, config.endpoint);
    let handler = &Handler::new(client, credentials, clock).with_scheduled_input(config.scheduled_input);
    aws::during_init(handler.warm()).await;
    Ok(run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        handler.handle(event.payload.get().as_bytes(), &event.context.into()).await
    }))
    .await?)
}
