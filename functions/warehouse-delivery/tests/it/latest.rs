//! `users` and `accounts`: the latest value of each trait, in whatever order messages arrive.

use std::collections::BTreeMap;

use crate::support::Warehouse;

/// The seconds of a call and of its receipt, and its traits.
type Call = (u32, u32, Vec<(&'static str, u32)>);

/// Returns an identify or group call at this second, received at that one.
fn call(kind: &str, id: &str, name: &str, (at, received): (u32, u32), traits: &[(&str, u32)]) -> String {
    let traits: Vec<String> = traits.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    let of_kind = if kind == "group" {
        format!(r#""groupId":"{name}","userId":"u""#)
    } else {
        format!(r#""userId":"{name}""#)
    };
    format!(
        r#"{{"type":"{kind}","messageId":"{id}",{of_kind},"traits":{{{}}},"timestamp":"2026-11-21T04:00:{at:02}.000Z","receivedAt":"2026-11-21T04:00:{received:02}.000Z"}}"#,
        traits.join(",")
    )
}

/// Returns the traits that the row must have: those with the greatest version. A time in the future counts as the time of
/// receipt.
fn expected(calls: &[Call]) -> BTreeMap<&'static str, u32> {
    let mut latest: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (at, received, traits) in calls {
        for (name, value) in traits {
            let version = (*at).min(*received);
            let known = latest.entry(name).or_insert((version, *value));
            if version > known.0 {
                *known = (version, *value);
            }
        }
    }
    latest.into_iter().map(|(name, (_, value))| (name, value)).collect()
}

#[tokio::test]
async fn any_order_and_any_repetition_give_the_same_row() {
    let warehouse = Warehouse::start().await;
    for case in 0..40_u64 {
        let mut random = fastrand::Rng::with_seed(case);
        let (kind, table) = if case % 4 == 0 { ("group", "accounts") } else { ("identify", "users") };
        let name = format!("n{case}");
        let mut seconds: Vec<u32> = (0..60).collect();
        random.shuffle(&mut seconds);
        let calls: Vec<Call> = (0..6)
            .map(|number| {
                // Times differ, because a tie is decided by the digest of the message's id.
                let at = seconds[number];
                let received = if random.bool() { 59 } else { at };
                let traits = ["a", "b", "c"]
                    .into_iter()
                    .filter(|_| random.u8(..3) > 0)
                    .map(|name| (name, at))
                    .collect();
                (at, received, traits)
            })
            .collect();
        let mut messages: Vec<String> = calls
            .iter()
            .enumerate()
            .map(|(number, (at, received, traits))| {
                call(kind, &format!("{name}-{number}"), &name, (*at, *received), traits)
            })
            .collect();
        let repeated: Vec<String> = messages.iter().filter(|_| random.u8(..3) == 0).cloned().collect();
        messages.extend(repeated);
        random.shuffle(&mut messages);
        while !messages.is_empty() {
            let batch: Vec<String> = messages.drain(..random.usize(1..=messages.len())).collect();
            warehouse.wrote(&batch).await;
        }
        let received = calls.iter().map(|(_, received, _)| received).max().unwrap();
        let row = format!(
            "SELECT a, b, c, extract(second FROM received_at)::int FROM segue.{table} WHERE id = '{name}'"
        );
        let latest = expected(&calls);
        let of = |name: &str| latest.get(name).map_or("NULL".to_owned(), u32::to_string);
        let expected = [of("a"), of("b"), of("c"), received.to_string()];
        assert_eq!(warehouse.server.rows(&row).await, [expected], "case {case}");
    }
}

#[tokio::test]
async fn two_calls_of_the_same_millisecond_give_the_same_row_in_both_orders() {
    let warehouse = Warehouse::start().await;
    let calls = |user: &str| {
        [1, 2].map(|value| call("identify", &format!("m{value}"), user, (1, 2), &[("a", value)]))
    };
    warehouse.wrote(&calls("together")).await;
    for one in calls("forward") {
        warehouse.wrote(&[one]).await;
    }
    for one in calls("backward").iter().rev() {
        warehouse.wrote(&[one]).await;
    }
    let rows = warehouse.server.rows("SELECT DISTINCT a, segue_versions FROM segue.users").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
}

#[tokio::test]
async fn a_clock_in_the_future_does_not_freeze_a_trait() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[call("identify", "m1", "u", (50, 10), &[("a", 1)])]).await;
    warehouse.wrote(&[call("identify", "m2", "u", (20, 21), &[("a", 2)])]).await;
    assert_eq!(warehouse.server.value("SELECT a FROM segue.users").await, "2");
}

#[tokio::test]
async fn a_null_keeps_the_value_and_a_value_that_does_not_fit_does_too() {
    let warehouse = Warehouse::start().await;
    warehouse.wrote(&[call("identify", "m1", "u", (1, 1), &[("a", 1)])]).await;
    for (second, value) in [(2, "null"), (3, r#""text""#), (4, "1.5")] {
        let json = call("identify", &format!("m{second}"), "u", (second, second), &[("a", 0)]);
        warehouse.wrote(&[json.replace(r#""a":0"#, &format!(r#""a":{value}"#))]).await;
    }
    assert_eq!(warehouse.server.value("SELECT a FROM segue.users").await, "1");
    // The row of a user keeps the latest of the values that do not fit, and the calls keep each one.
    let of_user = warehouse.discards("users").await;
    assert_eq!((of_user.len(), &*of_user[0][2]), (1, "1.5"));
    assert_eq!(warehouse.discards("identifies").await.len(), 2);
}

#[tokio::test]
async fn values_that_segment_wrote_count_as_those_of_their_row() {
    let warehouse = Warehouse::start().await;
    warehouse
        .server
        .run(
            "CREATE SCHEMA segue; CREATE TABLE segue.users (id varchar(1024) NOT NULL, received_at timestamptz, uuid_ts timestamptz, \
             a bigint, b bigint, CONSTRAINT users_pkey PRIMARY KEY (id)); \
             INSERT INTO segue.users VALUES ('u', '2026-11-21T04:00:10Z', now(), 1, 1);",
        )
        .await;
    warehouse.wrote(&[call("identify", "m1", "u", (9, 30), &[("a", 9), ("c", 9)])]).await;
    warehouse.wrote(&[call("identify", "m2", "u", (11, 31), &[("b", 11)])]).await;
    warehouse.wrote(&[call("identify", "m3", "u", (10, 32), &[("a", 10)])]).await;
    let row = warehouse.server.rows("SELECT a, b, c, received_at FROM segue.users").await;
    assert_eq!(row, [["10", "11", "NULL", "2026-11-21 04:00:32+00"]]);
}
