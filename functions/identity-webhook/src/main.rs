//! The Lambda entry point.

use std::{env, future::ready};

use bytes::Bytes;
use identity::Config;
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
    let authentication = CachedSecret::new(secret, Authentication::parse, clock.clone());
    let connect = async { tokio::join!(authentication.get(), topic.warm(), ledger.warm()) };
    // Reads the mapping while AWS answers.
    let read = async { Config::from_variables(|name| env::var(name).ok()) };
    let ((), config) = tokio::join!(aws::during_init(connect), read);
    let handler = &Handler::new(ledger, config?, authentication, http::client()?, clock);
    aws::during_init(handler.prepare()).await;
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
