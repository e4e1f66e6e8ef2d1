//! The samples of `events/cognito-trigger`.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::support::{Pool, REQUEST_ID};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/cognito-trigger");

pub fn sample(name: &str) -> String {
    fs::read_to_string(format!("{FOLDER}/{name}.json")).unwrap()
}

async fn published(name: &str) -> Vec<Value> {
    let pool = Pool::new();
    pool.invoke(&sample(name)).await;
    assert_eq!(pool.reads(), 0, "the mapping needs no secret");
    let mut published = pool.published();
    for message in &mut published {
        let message = message.as_object_mut().unwrap();
        assert!(message.remove("messageId").unwrap().as_str().unwrap().starts_with("cognito-"));
        assert_eq!(message.remove("userId").unwrap(), "7e5f0c1a-3b2d-4c4e-9f60-1a2b3c4d5e6f");
        assert_eq!(message.remove("timestamp").unwrap(), "2026-11-21T08:00:00.000Z", "the function's clock");
        let context = message.remove("context").unwrap();
        assert_eq!(
            context,
            json!({"channel": "server", "library": {"name": "segue", "version": env!("CARGO_PKG_VERSION")}})
        );
    }
    published
}

fn traits() -> Value {
    json!({
        "email": "ines@example.com", "emailVerified": true, "phone": "+4520123460", "phoneVerified": false,
        "name": "Ines Costa", "firstName": "Ines", "lastName": "Costa", "username": "ines",
        "avatar": "https://cdn.example.com/ines.png", "locale": "pt-PT",
    })
}

#[tokio::test]
async fn each_sample_becomes_the_expected_messages_and_none_is_left_over() {
    let expected = [
        (
            "post-confirmation",
            vec![
                json!({"type": "identify", "traits": traits()}),
                json!({"type": "track", "event": "PostConfirmation_ConfirmSignUp", "properties": {}}),
            ],
        ),
        (
            "forgot-password",
            vec![
                json!({"type": "track", "event": "PostConfirmation_ConfirmForgotPassword", "properties": {}}),
            ],
        ),
        (
            "post-authentication",
            vec![
                json!({"type": "identify", "traits": traits()}),
                json!({"type": "track", "event": "PostAuthentication_Authentication",
                    "properties": {"clientId": "1example23456789sampleclient", "newDeviceUsed": true}}),
            ],
        ),
        ("pre-sign-up", vec![]),
    ];
    let files = fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = expected.iter().map(|(name, _)| format!("{name}.json"));
    assert_eq!(names.collect::<BTreeSet<_>>(), files.collect());
    for (name, expected) in expected {
        assert_eq!(published(name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_repeated_sign_up_is_one_message_and_a_second_login_is_another() {
    let pool = Pool::new();
    for name in ["post-confirmation", "post-authentication"] {
        pool.invoke_as(&sample(name), REQUEST_ID).await;
        pool.invoke_as(&sample(name), "another").await;
    }
    let ids: Vec<Value> = pool.published().iter().map(|message| message["messageId"].clone()).collect();
    assert_eq!((&ids[0], &ids[1]), (&ids[2], &ids[3]));
    assert!(ids[4] != ids[6] && ids[5] != ids[7], "{ids:?}");
}
