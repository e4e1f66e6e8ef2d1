//! The Lambda entry.

use std::env;

use bytes::Bytes;
use identity_webhook::{Authentication, Config, Handler};
use lambda_http::{Body, Error, Request, run, service_fn};
use platform::{aws, clock::SystemClock, http, secrets::CachedSecret};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let config = Config::from_variables(|name| env::var(name).ok())?;
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let topic = aws.topic(aws::variable("TOPIC_ARN")?);
    let ledger = aws.table(aws::variable("LEDGER_TABLE")?);
    let secret = aws.secret(aws::variable("IDENTITY_SECRET_ARN")?);
    let authentication = CachedSecret::new(secret, Authentication::parse, clock.clone());
    let handler =
        &Handler::new(topic.clone(), ledger.clone(), config, authentication, http::client()?, clock);
    aws::during_init(async { tokio::join!(handler.prepare(), topic.warm(), ledger.warm()) }).await;
    let bytes = |body| if let Body::Text(text) = body { Bytes::from(text) } else { body.to_vec().into() };
    Ok(run(service_fn(async |request: Request| Ok::<_, Error>(handler.handle(request.map(bytes)).await)))
        .await?)
}
