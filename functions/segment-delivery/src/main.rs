//! The Lambda entry point.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use delivery::Engine;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use platform::{aws, clock::SystemClock, http, secrets::CachedSecret, write_keys::WriteKeys};
use segment_delivery::{Pace, SegmentDestination};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let queue = aws.queue(aws::variable("QUEUE_URL")?, aws::variable("DEAD_LETTER_QUEUE_URL")?);
    let store = aws.secret(aws::variable("WRITE_KEYS_SECRET_ARN")?);
    let keys = Arc::new(CachedSecret::new(store, WriteKeys::parse, clock.clone()));
    let pace = Pace::shared(
        aws::parsed_variable("SEGMENT_EVENTS_PER_SECOND")?,
        aws::parsed_variable("SEGMENT_CONCURRENCY")?,
    );
    let client = segment::Client::new(http::client()?, aws::parsed_variable("SEGMENT_ENDPOINT")?);
    aws::during_init(async { tokio::join!(keys.get(), client.connect()) }).await;
    let segment = SegmentDestination::new(client, keys, clock.clone()).with_pace(pace);
    let engine = &Engine::new(queue, segment, clock);
    Ok(run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let batch = aws::batch(event.payload, &SystemClock);
        Ok::<_, Error>(aws::batch_response(engine.handle(batch).await))
    }))
    .await?)
}
