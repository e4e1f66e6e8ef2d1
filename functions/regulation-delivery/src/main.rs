//! The Lambda entry point.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use delivery::Engine;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use platform::{aws, clock::SystemClock, http, secrets::CachedSecret};
use regulation_delivery::{RegulationDestination, Tokens};
use segment::regulation::Regulations;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let queue = aws.queue(aws::variable("QUEUE_URL")?, aws::variable("DEAD_LETTER_QUEUE_URL")?);
    let store = aws.secret(aws::variable("PUBLIC_API_TOKEN_SECRET_ARN")?);
    let tokens = Arc::new(CachedSecret::new(store, Tokens::parse, clock.clone()));
    let api = aws::parsed_variable("PUBLIC_API_ENDPOINT")?;
    let calls = Regulations::new(http::client()?, api, aws::parsed_variable("REGULATION_TYPE")?);
    let quota = aws.table(aws::variable("LEDGER_TABLE")?);
    // The first regulation connects to the quota's table: deletions are few, and nobody waits for them.
    aws::during_init(async { tokio::join!(tokens.get(), calls.connect()) }).await;
    let destination = RegulationDestination::new(calls, tokens, quota, clock.clone());
    let engine = &Engine::new(queue, destination, clock);
    let handle = async |batch| aws::batch_response(engine.handle(aws::batch(batch, &SystemClock)).await);
    Ok(run(service_fn(async |event: LambdaEvent<SqsEvent>| Ok::<_, Error>(handle(event.payload).await)))
        .await?)
}
