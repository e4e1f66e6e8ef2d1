//! AWS as moto emulates it, with the topic, queues, table and secrets of the template.

use std::{
    collections::HashMap,
    net::TcpListener,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, KeySchemaElement, TimeToLiveSpecification,
};
use aws_sdk_sqs::{
    config::Credentials,
    types::{Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName},
};
use serde_json::{Map, Value, json};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{Failure, Lambda, template, tools};

const REGION: &str = "eu-central-1";

/// moto looks at an item and writes it in two steps, in a thread for each request, where DynamoDB does both at
/// once. Threads that take turns only when they wait for the network never come between the two.
const EMULATOR: &str = "import sys; sys.setswitchinterval(3600); import moto.server; moto.server.main()";

/// A running emulator. Dropping it ends it.
pub struct Aws {
    url: String,
    config: SdkConfig,
    _process: Child,
}

/// The topic, and one of the queues that it fans out to, with its dead-letter queue.
pub struct Queues {
    client: aws_sdk_sqs::Client,
    /// The topic's ARN.
    pub topic: String,
    /// The queue's URL.
    pub queue: String,
    /// The dead-letter queue's URL.
    pub dead_letters: String,
}

impl Aws {
    /// Starts an emulator that nobody else uses.
    pub async fn start() -> Self {
        // The port is free once the listener is dropped; nobody else is likely to take it meanwhile.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(tools::program("python"))
            .args(["-c", EMULATOR, "--host", "127.0.0.1", "--port", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let up = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), up).await.expect("moto starts");
        let url = format!("http://{address}");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&url)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await;
        Self { url, config, _process: process }
    }

    /// Where a client finds the emulator, as `AWS_ENDPOINT_URL` says it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts a function with what Lambda sets for the emulator, and what the template sets.
    pub async fn function(&self, name: &str, environment: &[(&str, &str)]) -> Lambda {
        let mut variables = vec![
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &self.url),
            ("LOG_LEVEL", "debug"),
        ];
        variables.extend(environment);
        Lambda::start(name, &variables).await
    }

    /// Creates a secret and returns its ARN.
    pub async fn secret(&self, text: &str) -> String {
        static CREATED: AtomicUsize = AtomicUsize::new(0);
        let name = format!("secret-{}", CREATED.fetch_add(1, Ordering::Relaxed));
        let call =
            aws_sdk_secretsmanager::Client::new(&self.config).create_secret().name(name).secret_string(text);
        call.send().await.unwrap().arn.unwrap()
    }

    /// Stores another text in a secret.
    pub async fn rotate(&self, arn: &str, text: &str) {
        let call = aws_sdk_secretsmanager::Client::new(&self.config).put_secret_value();
        call.secret_id(arn).secret_string(text).send().await.unwrap();
    }

    /// Creates the topic if it is not there, and the queues to Segment with the template's subscription.
    pub async fn queues(&self) -> Queues {
        self.destination("Segment").await
    }

    /// Creates the topic if it is not there, and the queues to webhooks with the template's subscription.
    pub async fn webhook_queues(&self) -> Queues {
        self.destination("Webhook").await
    }

    /// Creates the topic if it is not there, and the queues to Segment's Public API with the template's subscription.
    pub async fn regulation_queues(&self) -> Queues {
        self.destination("Regulation").await
    }

    /// Creates the template's table and returns its name.
    pub async fn table(&self) -> String {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let table = template::properties("Ledger");
        let mut create =
            client.create_table().table_name("Ledger").billing_mode(text(&table["BillingMode"]).into());
        for key in table["KeySchema"].as_array().unwrap() {
            let element = KeySchemaElement::builder().attribute_name(text(&key["AttributeName"]));
            create = create.key_schema(element.key_type(text(&key["KeyType"]).into()).build().unwrap());
        }
        for definition in table["AttributeDefinitions"].as_array().unwrap() {
            let attribute = AttributeDefinition::builder().attribute_name(text(&definition["AttributeName"]));
            let attribute =
                attribute.attribute_type(text(&definition["AttributeType"]).into()).build().unwrap();
            create = create.attribute_definitions(attribute);
        }
        let name = create.send().await.unwrap().table_description.unwrap().table_name.unwrap();
        let expiry = &table["TimeToLiveSpecification"];
        let expiry = TimeToLiveSpecification::builder()
            .attribute_name(text(&expiry["AttributeName"]))
            .enabled(expiry["Enabled"].as_bool().unwrap());
        let call = client.update_time_to_live().table_name(&name);
        call.time_to_live_specification(expiry.build().unwrap()).send().await.unwrap();
        name
    }

    /// What a table holds under an id.
    pub async fn item(&self, table: &str, id: &str) -> HashMap<String, AttributeValue> {
        let call = aws_sdk_dynamodb::Client::new(&self.config).get_item().table_name(table);
        call.key("id", AttributeValue::S(id.to_owned())).send().await.unwrap().item.unwrap_or_default()
    }

    /// Puts an item into a table.
    pub async fn put_item(&self, table: &str, item: &[(&str, AttributeValue)]) {
        let item = item.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let call = aws_sdk_dynamodb::Client::new(&self.config).put_item().table_name(table);
        call.set_item(Some(item)).send().await.unwrap();
    }

    /// Publishes a message to a topic.
    pub async fn publish(&self, topic: &str, body: &str, attributes: &[(&str, &str)]) {
        let mut call = aws_sdk_sns::Client::new(&self.config).publish().topic_arn(topic).message(body);
        for (name, value) in attributes {
            let value = aws_sdk_sns::types::MessageAttributeValue::builder()
                .data_type("String")
                .string_value(*value)
                .build();
            call = call.message_attributes(*name, value.unwrap());
        }
        call.send().await.unwrap();
    }

    async fn destination(&self, name: &str) -> Queues {
        let client = aws_sdk_sqs::Client::new(&self.config);
        let create = |part: &str| client.create_queue().queue_name(format!("{name}{part}"));
        let dead_letters = create("DeadLetterQueue").send().await.unwrap().queue_url.unwrap();
        let most = &template::properties(&format!("{name}Queue"))["RedrivePolicy"]["maxReceiveCount"];
        let redrive =
            json!({"deadLetterTargetArn": arn(&client, &dead_letters).await, "maxReceiveCount": most});
        let queue = create("Queue").attributes(QueueAttributeName::RedrivePolicy, redrive.to_string());
        let queue = queue.send().await.unwrap().queue_url.unwrap();
        let topics = aws_sdk_sns::Client::new(&self.config);
        let topic = topics.create_topic().name("MessageTopic").send().await.unwrap().topic_arn.unwrap();
        let mut subscribe =
            topics.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn(&client, &queue).await);
        let subscription = template::properties(&format!("{name}Subscription"));
        for attribute in ["RawMessageDelivery", "FilterPolicyScope", "FilterPolicy"] {
            let value = &subscription[attribute];
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            subscribe = subscribe.attributes(attribute, value);
        }
        subscribe.send().await.unwrap();
        Queues { client, topic, queue, dead_letters }
    }
}

impl Queues {
    /// The messages that are visible now, received and deleted, with their attributes.
    pub async fn drain(&self, url: &str) -> Vec<(Value, Map<String, Value>)> {
        let mut drained = Vec::new();
        loop {
            let messages = self.receive(url).await;
            if messages.is_empty() {
                return drained;
            }
            for message in messages {
                self.delete(url, &message).await;
                drained.push(content(&message));
            }
        }
    }

    /// The first messages of the queue that are visible now, with their attributes. They stay there.
    pub async fn peek(&self) -> Vec<(Value, Map<String, Value>)> {
        let call = self.client.receive_message().queue_url(&self.queue).max_number_of_messages(10);
        let answer = call.message_attribute_names("All").visibility_timeout(0).send().await;
        answer.unwrap().messages.unwrap_or_default().iter().map(content).collect()
    }

    /// How many messages of the queue wait for the end of their delay.
    pub async fn delayed(&self) -> usize {
        let name = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
        let call = self.client.get_queue_attributes().queue_url(&self.queue).attribute_names(name.clone());
        call.send().await.unwrap().attributes.unwrap()[&name].parse().unwrap()
    }

    /// Moves the dead letters into the queue with their attributes, as SQS does on `StartMessageMoveTask`, which
    /// the emulator lacks.
    pub async fn redrive(&self) -> usize {
        let mut moved = 0;
        loop {
            let messages = self.receive(&self.dead_letters).await;
            if messages.is_empty() {
                return moved;
            }
            for message in messages {
                let attributes = message.message_attributes.clone();
                let call = self.client.send_message().queue_url(&self.queue);
                let call = call.set_message_attributes(attributes).set_message_body(message.body.clone());
                call.send().await.unwrap();
                self.delete(&self.dead_letters, &message).await;
                moved += 1;
            }
        }
    }

    /// Puts a message into the queue.
    pub async fn send(&self, body: &str, attributes: &[(&str, &str)]) {
        let mut call = self.client.send_message().queue_url(&self.queue).message_body(body);
        for (name, value) in attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(*value).build();
            call = call.message_attributes(*name, value.unwrap());
        }
        call.send().await.unwrap();
    }

    /// Hands the queue's visible messages to the function as Lambda's event source does, until there are none:
    /// what the function does not report as failed is deleted.
    ///
    /// # Errors
    /// [`Failure`] of the function. The batch then stays in the queue.
    pub async fn deliver(&self, function: &Lambda) -> Result<usize, Failure> {
        let mut delivered = 0;
        loop {
            let messages = self.receive(&self.queue).await;
            if messages.is_empty() {
                return Ok(delivered);
            }
            let records: Vec<Value> = messages.iter().map(|message| record(message, &self.queue)).collect();
            let answer = function.invoke(json!({"Records": records}).to_string()).await?;
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let failures = answer["batchItemFailures"].as_array().unwrap();
            let failed = |message: &Message| {
                failures.iter().any(|failure| failure["itemIdentifier"] == message.message_id().unwrap())
            };
            for message in messages.iter().filter(|message| !failed(message)) {
                self.delete(&self.queue, message).await;
                delivered += 1;
            }
        }
    }

    async fn receive(&self, url: &str) -> Vec<Message> {
        let call = self.client.receive_message().queue_url(url).max_number_of_messages(10);
        let call = call.message_attribute_names("All").wait_time_seconds(0);
        let answer = call.message_system_attribute_names(MessageSystemAttributeName::All).send().await;
        answer.unwrap().messages.unwrap_or_default()
    }

    async fn delete(&self, url: &str, message: &Message) {
        let call = self.client.delete_message().queue_url(url);
        call.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    }
}

/// A property that is text.
fn text(property: &Value) -> &str {
    property.as_str().unwrap()
}

async fn arn(client: &aws_sdk_sqs::Client, url: &str) -> String {
    let call = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
    call.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone()
}

/// Body and attributes of a message. A body that is no JSON is a string.
fn content(message: &Message) -> (Value, Map<String, Value>) {
    let body = message.body().unwrap();
    let attributes = message.message_attributes().into_iter().flatten();
    let attributes =
        attributes.map(|(name, value)| (name.clone(), value.string_value().unwrap_or_default().into()));
    (serde_json::from_str(body).unwrap_or_else(|_| body.into()), attributes.collect())
}

/// A message as Lambda hands it to a function.
fn record(message: &Message, queue: &str) -> Value {
    let queue = queue.rsplit('/').next();
    let system = message.attributes().into_iter().flatten();
    let system: Map<String, Value> =
        system.map(|(name, value)| (name.as_str().to_owned(), value.as_str().into())).collect();
    let attributes = message.message_attributes().into_iter().flatten();
    let attributes: Map<String, Value> = attributes
        .map(|(name, value)| {
            let value = json!({"dataType": value.data_type(), "stringValue": value.string_value()});
            (name.clone(), value)
        })
        .collect();
    json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": system,
        "messageAttributes": attributes,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:123456789012:{}", queue.unwrap_or_default()),
        "awsRegion": REGION,
    })
}
