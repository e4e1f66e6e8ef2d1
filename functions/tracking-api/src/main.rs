//! The Lambda entry.

use std::future::ready;

use lambda_http::{
    Body, BoxFuture, Error, IntoResponse, Request, RequestExt, Response, request::RequestContext, run,
    service_fn,
};
use platform::{aws, clock::SystemClock, secrets::CachedSecret, write_keys::WriteKeys};
use tracking_api::Handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::StartError> {
    aws::start_telemetry(env!("CARGO_PKG_NAME"));
    let (aws, clock) = (aws::Aws::from_env().await?, SystemClock::shared());
    let topic = aws.topic(aws::variable("TOPIC_ARN")?);
    let secret = aws.secret(aws::variable("WRITE_KEYS_SECRET_ARN")?);
    let write_keys = CachedSecret::new(secret, WriteKeys::parse, clock.clone());
    let handler = &Handler::new(topic.clone(), write_keys.into(), clock);
    aws::during_init(async { tokio::join!(handler.prepare(), topic.warm()) }).await;
    let answer = async |request: Request| {
        let caller = request.request_context_ref().and_then(|context| match context {
            RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref()?.parse().ok(),
            _ => None,
        });
        Ok::<_, Error>(Text(handler.handle(request.map(|body| body.to_vec().into()), caller).await))
    };
    Ok(run(service_fn(answer)).await?)
}

/// A response in UTF-8. lambda_http's own conversion can recode it, and has the tables of all character sets with it.
struct Text(Response<String>);

impl IntoResponse for Text {
    fn into_response(self) -> BoxFuture<'static, Response<Body>> {
        Box::pin(ready(self.0.map(Body::Text)))
    }
}
