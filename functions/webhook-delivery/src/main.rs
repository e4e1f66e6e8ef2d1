//! The Lambda entry point.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use delivery::Engine;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use platform::{aws, clock::SystemClock, secrets::CachedSecret};
use webhook_delivery::{Exchange, WebhookDestination, Webhooks};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let queue = aws.queue(aws::variable("QUEUE_URL")?, aws::variable("DEAD_LETTER_QUEUE_URL")?);
    let store = aws.secret(aws::variable("WEBHOOKS_SECRET_ARN")?);
    let webhooks = Arc::new(CachedSecret::new(store, Webhooks::parse, clock.clone()));
    let exchange = Exchange::new(aws::parsed_variable("ALLOW_PRIVATE_WEBHOOKS")?, clock.clone())?;
    let destination = WebhookDestination::new(exchange, webhooks, clock.clone());
    aws::during_init(destination.settings()).await;
    let engine = &Engine::new(queue, destination, clock);
    Ok(run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let batch = aws::batch(event.payload, &SystemClock);
        Ok::<_, Error>(aws::batch_response(engine.handle(batch).await))
    }))
    .await?)
}
