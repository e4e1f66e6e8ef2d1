//! The Lambda entry point.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use delivery::Engine;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use platform::{aws, clock::SystemClock, secrets::CachedSecret};
use warehouse_delivery::{Database, Selection, WarehouseDestination};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let queue = aws.queue(aws::variable("QUEUE_URL")?, aws::variable("DEAD_LETTER_QUEUE_URL")?);
    let database = Arc::new(match aws::variable("WAREHOUSE_URL") {
        Ok(url) => CachedSecret::new(aws.rds_database(url), Database::parse, clock.clone()),
        Err(_) => {
            let secret = aws.secret(aws::variable("WAREHOUSE_SECRET_ARN")?);
            CachedSecret::new(secret, Database::parse, clock.clone())
        }
    });
    let schemas = aws::parsed_variable("WAREHOUSE_SCHEMA")?;
    let [include, exclude] =
        ["WAREHOUSE_INCLUDE", "WAREHOUSE_EXCLUDE"].map(|name| aws::variable(name).unwrap_or_default());
    let selection = Selection::new(include.parse()?, exclude.parse()?);
    let warehouse = WarehouseDestination::new(database, schemas, clock.clone()).with_selection(selection);
    aws::during_init(warehouse.connect()).await;
    let engine = &Engine::new(queue, warehouse, clock);
    Ok(run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let batch = aws::batch(event.payload, &SystemClock);
        Ok::<_, Error>(aws::batch_response(engine.handle(batch).await))
    }))
    .await?)
}
