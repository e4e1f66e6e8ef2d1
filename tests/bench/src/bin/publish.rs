//! The least work of a publishing function: it publishes the body of a request unchanged.

use lambda_http::{Error, Request, Response, run, service_fn};
use platform::{
    aws,
    topic::{Attributes, Publication, Topic},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let topic = &aws::Aws::from_env().await?.topic(aws::variable("TOPIC_ARN")?);
    aws::during_init(topic.warm()).await;
    run(service_fn(async |request: Request| {
        let body = String::from_utf8(request.body().to_vec())?;
        topic.publish(vec![Publication { body, attributes: Attributes::new() }]).await?;
        Ok::<_, Error>(Response::new(String::new()))
    }))
    .await
}
