//! The Lambda entry point.

use std::{env, future::ready};

use bytes::Bytes;
use identity::{Config, MAPPINGS_SECRET};
use identity_webhook::{Authentication, Handler};
use lambda_http::{Body, BoxFuture, Error, IntoResponse, Request, Response, run, service_fn};
use platform::{aws, clock::SystemClock, http, secrets::CachedSecret};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let topic = aws.topic(aws::variable("TOPIC_ARN")?);
    let ledger = aws.table(aws::variable("LEDGER_TABLE")?);
    let secret = aws.secret(aws::variable("IDENTITY_SECRET_ARN")?);
    let mappings = aws.secret_text("MAPPINGS_SECRET_ARN").await?;
    let variable = |name: &str| match name {
        MAPPINGS_SECRET => mappings.clone(),
        name => env::var(name).ok(),
    };
    let config = Config::from_variables(variable)?;
    let providers = config.providers().clone();
    let parse = move |text: &str| Authentication::parse(text, &providers);
    let authentication = CachedSecret::new(secret, parse, clock.clone());
    let handler = &Handler::new(ledger.clone(), config, authentication, http::client()?, clock);
    let connect_ledger = async {
        // Only logins need the ledger. If their proof is added to the secret later, the first login connects.
        if handler.takes_logins().await {
            ledger.warm().await;
        }
    };
    aws::during_init(async { tokio::join!(handler.prepare(), topic.warm(), connect_ledger) }).await;
    let bytes = |body| if let Body::Text(text) = body { Bytes::from(text) } else { body.to_vec().into() };
    let answer = async |request: Request| {
        Ok::<_, Error>(Text(handler.handle(request.map(bytes), &topic).await.response))
    };
    Ok(run(service_fn(answer)).await?)
}

/// A response in UTF-8. lambda_http's own conversion can change the character set, and includes the tables of
/// all of them.
struct Text(Response<String>);

impl IntoResponse for Text {
    fn into_response(self) -> BoxFuture<'static, Response<Body>> {
        Box::pin(ready(self.0.map(Body::Text)))
    }
}
