//! Alarms and dashboard: their metrics exist, and each alarm is raised by its fault.

use std::{collections::BTreeSet, time::Duration};

use end_to_end::{Service, Setup, Stack, Trouble, template::template};
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer, postgres::PostgresServer};

use crate::world::{self, away, sample, send, webhook};

/// This alarm comes with the alarm of each dead-letter queue, and again with each further dead letter.
const NEW_DEAD_LETTERS: &str = "NewDeadLettersAlarm";

/// A stack with everything turned on, and the services that may fail.
struct World {
    segment: FakeServer,
    hook: FakeServer,
    public_api: FakeServer,
    database: PostgresServer,
    stack: Stack,
}

impl World {
    async fn start(requests_per_second: u32) -> Self {
        let fakes = [FakeServer::healthy().await, FakeServer::healthy().await, FakeServer::healthy().await];
        let [segment, hook, public_api] = fakes;
        let setup = world::with_webhooks(world::setup(&segment), &[webhook(&hook)]);
        let setup = world::with_cognito(world::with_regulations(setup, &public_api));
        let database = PostgresServer::start().await;
        let setup = world::with_warehouse(setup, &database);
        let setup = setup.parameter("AuthenticationFailures", 3).parameter("AlarmEmail", "o@example.com");
        let stack = setup.parameter("RequestsPerSecond", requests_per_second).up().await;
        Self { segment, hook, public_api, database, stack }
    }

    async fn track(&self) {
        assert_eq!(send(&self.stack, &sample("tracking-api", "track")).await.status, 200);
    }

    async fn deliver(&self, function: &str) {
        self.stack.deliver(function).await.unwrap();
    }

    /// Adds a message that has been waiting in a queue since this long ago.
    async fn waiting(&self, queue: &str, since: SignedDuration, message_type: &str, function: &str) {
        let since = platform::clock::SystemClock::shared().now() - since;
        let since = format!("{since:.3}");
        let attributes = [
            ("type", message_type),
            ("writeKey", "default"),
            ("since", since.as_str()),
            ("enteredAt", since.as_str()),
            ("attempts", "3"),
        ];
        let message = json!({"type": message_type, "userId": "u1", "event": "e", "messageId": "m1"});
        self.stack.queue(queue).await.send(&message.to_string(), &attributes).await;
        self.deliver(function).await;
    }

    /// Causes the fault that raises an alarm.
    async fn fault(&self, alarm: &str) {
        match alarm {
            "SegmentDeadLetterAlarm" => {
                self.segment.set(|_| Answer::status(400));
                self.track().await;
                self.deliver("SegmentDelivery").await;
            }
            "WebhookDeadLetterAlarm" => {
                self.hook.set(|_| Answer::status(404));
                self.track().await;
                self.deliver("WebhookDelivery").await;
            }
            "RegulationDeadLetterAlarm" => {
                self.public_api.set(|_| Answer::status(404));
                let event = sample("identity-webhook", "fusionauth.user.delete.complete");
                assert_eq!(send(&self.stack, &event).await.status, 200);
                self.deliver("RegulationDelivery").await;
            }
            "WarehouseDeadLetterAlarm" => {
                self.database.run("ALTER TABLE segue.tracks ADD CONSTRAINT mine CHECK (event <> 'e')").await;
                self.waiting("WarehouseQueue", SignedDuration::ZERO, "track", "WarehouseDelivery").await;
            }
            "WarehouseOldestMessageAlarm" => {
                self.database.stop();
                self.waiting("WarehouseQueue", SignedDuration::from_mins(20), "track", "WarehouseDelivery")
                    .await;
            }
            "WarehouseAccessAlarm" => {
                self.database.run("CREATE ROLE owner; ALTER TABLE segue.tracks OWNER TO owner").await;
                self.database.run("ALTER ROLE postgres NOSUPERUSER").await;
                self.track().await;
                self.deliver("WarehouseDelivery").await;
            }
            "WarehouseDiscardsAlarm" => {
                let track = r#"{"type":"track","userId":"u1","event":"Feature Used","messageId":"d1","properties":{"id":1}}"#;
                self.stack.queue("WarehouseQueue").await.send(track, &[("type", "track")]).await;
                self.deliver("WarehouseDelivery").await;
            }
            "TrackEventFailuresAlarm" => self.stack.fire_schedule_in_vain().await,
            "SegmentOldestMessageAlarm" => {
                self.segment.set(|_| away());
                self.waiting("SegmentQueue", SignedDuration::from_mins(20), "track", "SegmentDelivery").await;
            }
            "WebhookOldestMessageAlarm" => {
                self.hook.set(|_| away());
                self.waiting("WebhookQueue", SignedDuration::from_mins(20), "track", "WebhookDelivery").await;
            }
            "AuthenticationFailuresAlarm" => {
                for event in [
                    sample("identity-webhook", "fusionauth.unsigned"),
                    sample("identity-webhook", "auth0.login.action").replace("Bearer segue", "Bearer other"),
                    sample("tracking-api", "beacon").replace("sample-write-key-not-secret", "another"),
                ] {
                    assert_eq!(send(&self.stack, &event).await.status, 401);
                }
            }
            "RegulationOldestMessageAlarm" => {
                self.public_api.set(|_| away());
                let day = SignedDuration::from_hours(25);
                self.waiting("RegulationQueue", day, "delete", "RegulationDelivery").await;
            }
            "RegulationTokenAlarm" => {
                let event = sample("identity-webhook", "fusionauth.user.delete.complete");
                assert_eq!(send(&self.stack, &event).await.status, 200);
                self.stack.trouble(Service::SecretsManager, Trouble::Failing);
                self.deliver("RegulationDelivery").await;
            }
            "IngestThrottlesAlarm" => self.stack.throttle("TrackingApi"),
            "DamagedBodiesAlarm" => {
                // Without a content type it would not be damaged.
                let event = sample("tracking-api", "batch-gzip");
                let event = event.replace(
                    r#""content-encoding""#,
                    r#""content-type": "application/json", "content-encoding""#,
                );
                assert_eq!(send(&self.stack, &event).await.status, 400);
            }
            "FunctionErrorsAlarm" => {
                let killed = async {
                    let busy = self.stack.eventually("a busy function", async || {
                        self.stack.function("SegmentDelivery").signal_busy("KILL") > 0
                    });
                    busy.await.unwrap();
                };
                self.segment.set(|_| Answer::Late(Duration::from_secs(30)));
                self.track().await;
                let (failed, ()) = tokio::join!(self.stack.deliver("SegmentDelivery"), killed);
                assert_eq!(failed.unwrap_err().kind, "Runtime.ExitError");
            }
            "ApiServerErrorsAlarm" => {
                self.stack.trouble(Service::Sns, Trouble::Failing);
                assert_eq!(send(&self.stack, &sample("tracking-api", "track")).await.status, 503);
            }
            "HttpApiThrottlesAlarm" => {
                let track = sample("tracking-api", "track");
                let throttled = self.stack.eventually("a request too many", async || {
                    let status = send(&self.stack, &track).await.status;
                    assert!([200, 429].contains(&status), "{status}");
                    status == 429
                });
                throttled.await.unwrap();
            }
            "CognitoLostMessagesAlarm" => {
                self.stack.function("CognitoTrigger").warm().await;
                self.stack.trouble(Service::Sns, Trouble::Failing);
                let event = sample("cognito-trigger", "post-authentication");
                self.stack.function("CognitoTrigger").invoke(event).await.unwrap();
            }
            other => panic!("nobody knows what {other} is for"),
        }
    }
}

fn alarms() -> impl Iterator<Item = (&'static str, &'static Value)> {
    let resources = template()["Resources"].as_object().unwrap().iter();
    let alarms = resources.filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, alarm)| (name.as_str(), &alarm["Properties"]))
}

#[tokio::test]
async fn each_alarm_is_raised_by_its_fault_and_no_other_is() {
    assert_eq!(alarms().count(), 20);
    let each: Vec<_> = alarms().map(|(alarm, _)| alarm).filter(|alarm| *alarm != NEW_DEAD_LETTERS).collect();
    let [some, others] = [&each[..each.len() / 2], &each[each.len() / 2..]];
    // Two stacks at a time, because a small machine has two processors.
    tokio::join!(come_with_their_faults(some), come_with_their_faults(others));
}

async fn come_with_their_faults(alarms: &[&str]) {
    for alarm in alarms {
        comes_with_its_fault(alarm).await;
    }
}

async fn comes_with_its_fault(alarm: &str) {
    let world = World::start(if alarm == "HttpApiThrottlesAlarm" { 1 } else { 500 }).await;
    world.track().await;
    world.deliver("SegmentDelivery").await;
    world.deliver("WebhookDelivery").await;
    world.deliver("WarehouseDelivery").await;
    assert_eq!(world.stack.alarms().await, [""; 0], "before the fault of {alarm}");
    world.fault(alarm).await;
    // A dead-letter queue has two: a message arrived, and the queue is not empty.
    let mut expected = vec![alarm];
    expected.extend(alarm.ends_with("DeadLetterAlarm").then_some(NEW_DEAD_LETTERS));
    expected.sort_unstable();
    let mut raised = Vec::new();
    // The functions' output is read a moment later.
    let came = world.stack.eventually(alarm, async || {
        raised = world.stack.alarms().await.into_iter().map(str::to_owned).collect();
        raised.len() >= expected.len()
    });
    came.await.unwrap();
    raised.sort_unstable();
    assert_eq!(raised, expected);
}

#[test]
fn each_alarm_says_what_to_do_and_who_is_notified() {
    let told =
        serde_json::json!({"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]});
    for (name, alarm) in alarms() {
        let text = alarm["AlarmDescription"].as_str().unwrap();
        assert!(text.contains(". ") && text.ends_with("(docs/operations.md)."), "{name}: {text}");
        assert_eq!(alarm["AlarmActions"], told, "{name}");
        // For a queue, people also need to know that it is empty again.
        let of_queue = alarm["MetricName"] == "ApproximateNumberOfMessagesVisible";
        assert_eq!(alarm["OKActions"], if of_queue { told.clone() } else { Value::Null }, "{name}");
    }
}

/// A waiting message passes its function every 5 to 15 minutes, and only then is its age recorded. An alarm
/// that looks at one period would come and go.
#[test]
fn an_alarm_on_an_age_looks_back_for_longer_than_a_message_waits() {
    let ages: Vec<_> = alarms().filter(|(name, _)| name.ends_with("OldestMessageAlarm")).collect();
    assert_eq!(ages.len(), 4);
    for (name, alarm) in ages {
        assert_eq!(
            (&alarm["EvaluationPeriods"], &alarm["DatapointsToAlarm"]),
            (&json!(4), &json!(1)),
            "{name}"
        );
        let queries = alarm["Metrics"].as_array().unwrap().iter();
        let periods: Vec<_> = queries.filter_map(|query| query["MetricStat"]["Period"].as_u64()).collect();
        assert_eq!(periods, [300, 300], "{name}");
    }
}

/// A misspelled metric shows nothing, and nobody notices that an alarm is never raised.
#[tokio::test]
async fn alarms_and_dashboard_use_existing_metrics() {
    let world = World::start(500).await;
    let body = world.stack.properties("Dashboard")["DashboardBody"].as_str().unwrap();
    let dashboard: Value = serde_json::from_str(body).unwrap();
    let shown = dashboard.to_string();
    for (name, _) in platform::telemetry::METRICS {
        assert!(shown.contains(&format!(r#"MetricName=\"{name}\""#)), "the dashboard does not show {name}");
    }
    for name in
        ["Throttled", "Throttles", "Errors", "ApproximateAgeOfOldestMessage", "p50", "p99", "0.0000133334"]
    {
        assert!(shown.contains(name), "the dashboard does not show {name}");
    }
    let alarmed = dashboard["widgets"][0]["properties"]["alarms"].as_array().unwrap();
    assert_eq!(alarmed.len(), alarms().count(), "{alarmed:?}");
    let own: BTreeSet<&str> = platform::telemetry::METRICS.iter().map(|(name, _)| *name).collect();
    for (alarm, _) in alarms() {
        for (namespace, name, dimensions) in world.stack.metrics_of_alarm(alarm) {
            if namespace == "Segue/segue" && name != "Throttled" {
                assert!(own.contains(name.as_str()), "{alarm} looks at {name}");
                let function = &dimensions["Function"];
                assert!(end_to_end::tools::root().join("functions").join(function).exists(), "{function}");
            }
        }
    }
    // The functions write in that namespace.
    world.track().await;
    let written = world.stack.eventually("metrics under Segue/segue", async || {
        world.stack.metrics().any(|(namespace, name, _)| namespace == "Segue/segue" && name == "Accepted")
    });
    written.await.unwrap();
}

/// The dashboard must also be valid without webhooks, regulations and Cognito.
#[tokio::test]
async fn the_dashboard_of_the_defaults_is_json() {
    let stack = Setup::default().up().await;
    let body = stack.properties("Dashboard")["DashboardBody"].as_str().unwrap();
    let dashboard: Value = serde_json::from_str(body).unwrap();
    assert_eq!(dashboard["widgets"].as_array().unwrap().len(), 13);
}
