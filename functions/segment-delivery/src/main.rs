//! The Lambda entry.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use platform::{aws, clock::SystemClock, http, secrets::CachedSecret, write_keys::WriteKeys};
use segment_delivery::{Handler, Pace};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let queue = aws.queue(aws::variable("QUEUE_URL")?, aws::variable("DEAD_LETTER_QUEUE_URL")?);
    let store = aws.secret(aws::variable("WRITE_KEYS_SECRET_ARN")?);
    let keys = Arc::new(CachedSecret::new(store, WriteKeys::parse, clock.clone()));
    let environments = aws::variable("SEGMENT_CONCURRENCY")?.parse()?;
    let pace = Pace::shared(aws::variable("SEGMENT_EVENTS_PER_SECOND")?.parse()?, environments);
    let client = segment::Client::new(http::client()?, aws::variable("SEGMENT_ENDPOINT")?.parse()?);
    aws::during_init(async { tokio::join!(keys.get(), client.connect(), queue.warm()) }).await;
    let handler = &Handler::new(queue, client, keys, clock).with_pace(pace);
    Ok(run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let batch = aws::batch(event.payload, &SystemClock);
        Ok::<_, Error>(aws::batch_response(handler.handle(batch).await))
    }))
    .await?)
}
