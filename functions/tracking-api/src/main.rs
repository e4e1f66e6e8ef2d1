//! The Lambda entry point.

use std::future::ready;

use bytes::Bytes;
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
    let rejected = aws.rejected(aws::variable("REJECTED_QUEUE_URL")?);
    let secret = aws.secret(aws::variable("WRITE_KEYS_SECRET_ARN")?);
    let write_keys = CachedSecret::new(secret, WriteKeys::parse, clock.clone());
    let handler = &Handler::new(rejected, write_keys.into(), clock);
    aws::during_init(async { tokio::join!(handler.prepare(), topic.warm()) }).await;
    let answer = async |request: Request| {
        let caller = request.request_context_ref().and_then(|context| match context {
            RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref()?.parse().ok(),
            _ => None,
        });
        Ok::<_, Error>(Answer(handler.handle(request.map(|body| body.to_vec().into()), caller, &topic).await))
    };
    Ok(run(service_fn(answer)).await?)
}

/// JSON or an image. lambda_http's own conversion can change the character set of text, and includes the
/// tables of all of them.
struct Answer(Response<Bytes>);

impl IntoResponse for Answer {
    fn into_response(self) -> BoxFuture<'static, Response<Body>> {
        let body = |bytes: Bytes| match String::from_utf8(bytes.into()) {
            Ok(text) => Body::Text(text),
            Err(image) => Body::Binary(image.into_bytes()),
        };
        Box::pin(ready(self.0.map(body)))
    }
}
