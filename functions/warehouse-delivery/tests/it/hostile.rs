//! Values and names that databases refuse, cut off or mix up.

use std::fmt::Write as _;

use crate::support::{Warehouse, identify, message, track};

/// Properties that make a row with these values, and these discards: column, property, value, start of the reason.
struct Case {
    properties: String,
    values: Vec<(&'static str, String)>,
    discards: Vec<[String; 4]>,
}

fn case<const V: usize>(properties: &str, values: [(&'static str, &str); V]) -> Case {
    let values = values.into_iter().map(|(column, value)| (column, value.to_owned())).collect();
    Case { properties: properties.to_owned(), values, discards: Vec::new() }
}

impl Case {
    fn discarding<const D: usize>(mut self, discards: [[&str; 4]; D]) -> Self {
        self.discards = discards.into_iter().map(|discard| discard.map(str::to_owned)).collect();
        self
    }
}

#[tokio::test]
async fn hostile_properties_never_fail_their_batch() {
    let (long, longer) = ("long ".repeat(40), "long ".repeat(41));
    let text = "x".repeat(30_000);
    let cases = [
        case(
            r#"{"id":"x","event":"x","user_id":"u1","Timestamp":"x","ok":"a"}"#,
            [("ok", "a"), ("id", "m0")],
        )
        .discarding([
            ["timestamp", "properties.Timestamp", r#""x""#, "the column is a standard one"],
            ["event", "properties.event", r#""x""#, "the column is a standard one"],
            ["id", "properties.id", r#""x""#, "the column is a standard one"],
        ]),
        case(
            r#"{"ctid":"a","xmin":1,"tableoid":true,"oid":7}"#,
            [("_ctid", "a"), ("_xmin", "1"), ("_tableoid", "t"), ("oid", "7")],
        ),
        case(
            &format!(r#"{{"{long}":"a","{longer}":"b"}}"#),
            [
                ("long_long_long_long_long_long_long_long_long_long_long_d9c67468", "a"),
                ("long_long_long_long_long_long_long_long_long_long_long_51f3ee9a", "b"),
            ],
        ),
        case(r#"{"":"a","日本語":"b"}"#, [("column_e3b0c442", "a"), ("column_77710aed", "b")]),
        case(r#"{"a b":"first","a_b":"second","aB":"first"}"#, [("a_b", "first")]).discarding([[
            "a_b",
            "properties.a_b",
            r#""second""#,
            "another property of the message has the same column",
        ]]),
        case(
            r#"{"nul":"a\u0000b","n\u0000ul2":"c","list":["\u0000"]}"#,
            [("nul", "a\u{fffd}b"), ("n_ul2", "c"), ("list", r#"["\u0000"]"#)],
        )
        .discarding([["nul", "properties.nul", r#""a\u0000b""#, "PostgreSQL takes no NUL"]]),
        case(r#"{"lone":"\ud83d"}"#, [("lone", "\u{fffd}")]),
        case(
            r#"{"huge":1e400,"exact":12345678901234567890.123456789,"beyond":1e131072}"#,
            [("exact", "12345678901234567890.123456789"), ("beyond", "1e+131072")],
        ),
        case(
            r#"{"y10k":"10000-01-01T00:00:00Z","bc":"-0001-01-01T00:00:00Z","zero":"0000-01-01T00:00:00Z","leap":"2026-02-30T00:00:00Z"}"#,
            [
                ("y10k", "10000-01-01T00:00:00Z"),
                ("bc", "-0001-01-01T00:00:00Z"),
                ("zero", "0000-01-01T00:00:00Z"),
                ("leap", "2026-02-30T00:00:00Z"),
            ],
        ),
        case(&format!(r#"{{"thirty":"{text}"}}"#), [("thirty", &text)]),
        case(
            r#"{"__proto__":{"polluted":1},"constructor":"a"}"#,
            [("proto_polluted", "1"), ("constructor", "a")],
        ),
        case(
            r#"{"user":"a","select":"b","2fa":true,"'; DROP TABLE tracks; --":"c","q\"uote":"d"}"#,
            [("_user", "a"), ("_select", "b"), ("_2fa", "t"), ("drop_table_tracks", "c"), ("q_uote", "d")],
        ),
        case(
            r#"{"deep":{"a":{"b":{"c":[{"d":1}]}}},"empty":{},"none":[]}"#,
            [("deep_a_b_c", r#"[{"d":1}]"#), ("none", "[]")],
        ),
        case(r#"{"segue_versions":"x"}"#, []).discarding([[
            "segue_versions",
            "properties.segue_versions",
            r#""x""#,
            "the column is a standard one",
        ]]),
    ];
    let warehouse = Warehouse::start().await;
    let mut messages: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| {
            message(
                &format!("m{number}"),
                &format!(r#""type":"track","event":"Case {number}","properties":{}"#, case.properties),
            )
        })
        .collect();
    messages.push(track("good", r#"{"n":1}"#));
    warehouse.wrote(&messages).await;
    for (number, case) in cases.iter().enumerate() {
        for (column, value) in &case.values {
            let select = format!("SELECT \"{column}\" FROM segue.case_{number}");
            assert_eq!(warehouse.server.value(&select).await, *value, "{select}");
        }
        let discards = warehouse.discards(&format!("case_{number}")).await;
        assert_eq!(discards.len(), case.discards.len(), "{discards:?}");
        for (discard, expected) in discards.iter().zip(&case.discards) {
            assert_eq!(discard[..3], expected[..3]);
            assert!(discard[3].starts_with(&expected[3]), "{discard:?}");
        }
    }
    assert_eq!(warehouse.server.value("SELECT n FROM segue.order_completed").await, "1");
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.tracks").await, messages.len().to_string());
}

#[tokio::test]
async fn an_event_never_takes_the_table_of_a_call_or_one_of_segues_own() {
    let warehouse = Warehouse::start().await;
    let event = |id: &str, name: &str| message(id, &format!(r#""type":"track","event":"{name}""#));
    let names = ["Users", "tracks", "Segue Discards", "日本語", "___", "Select", "2 Steps"];
    let messages: Vec<String> =
        names.iter().enumerate().map(|(number, name)| event(&format!("m{number}"), name)).collect();
    warehouse.wrote(&messages).await;
    for table in
        ["_users", "_tracks", "_segue_discards", "event_77710aed", "event_bda25155", "_select", "_2_steps"]
    {
        let row = format!("SELECT event = '{table}' FROM segue.{table}");
        assert_eq!(warehouse.server.value(&row).await, "t", "{table}");
    }
    assert_eq!(warehouse.discards("users").await.len(), 0);
}

#[tokio::test]
async fn properties_over_the_limit_of_columns_are_discarded_and_the_row_is_written() {
    let warehouse = Warehouse::start().await;
    let mut many = "{".to_owned();
    for number in 0..2_000 {
        let _ = write!(many, r#"{}"p{number}":"v{number}""#, if number == 0 { "" } else { "," });
    }
    many.push('}');
    warehouse.wrote(&[track("m1", &many), track("m2", r#"{"p0":"a"}"#)]).await;
    warehouse.wrote(&[track("m3", r#"{"other":"a","p1":"b"}"#)]).await;
    assert_eq!(warehouse.columns("order_completed").await.len(), 500);
    let discards = warehouse.discards("order_completed").await;
    let columns = warehouse.columns("order_completed").await;
    let written = columns.iter().filter(|(name, _)| name.starts_with('p')).count();
    assert_eq!(written + discards.len(), 2_001);
    assert!(discards.iter().all(|discard| discard[3] == "the table has too many columns for another one"));
    let rows = warehouse.server.rows("SELECT id, p0, p1 FROM segue.order_completed ORDER BY id").await;
    assert_eq!(rows, [["m1", "v0", "v1"], ["m2", "a", "NULL"], ["m3", "NULL", "b"]]);
}

#[tokio::test]
async fn a_row_that_is_too_wide_keeps_what_fits() {
    let warehouse = Warehouse::start().await;
    let mut properties = "{".to_owned();
    for number in 0..400 {
        // Texts of this length are neither compressed nor moved out of the row.
        let _ = write!(properties, r#"{}"p{number}":"{number:020}""#, if number == 0 { "" } else { "," });
    }
    properties.push('}');
    warehouse.wrote(&[track("good", "{}"), track("m1", &properties), identify("i1", &properties)]).await;
    for table in ["order_completed", "identifies", "users"] {
        let discards = warehouse.discards(table).await;
        let columns: Vec<String> = warehouse.columns(table).await.into_iter().map(|(name, _)| name).collect();
        let texts = columns.iter().filter(|name| name.starts_with('p') && *name != "path");
        let texts: Vec<String> = texts.map(|name| format!("({name} IS NOT NULL)::int")).collect();
        let count = format!("SELECT max({}) FROM segue.{table}", texts.join(" + "));
        let written: usize = warehouse.server.value(&count).await.parse().unwrap();
        assert_eq!(written + discards.len(), 400, "{table}");
        assert!(written > 300, "{table}: {written}");
        assert!(discards.iter().all(|discard| discard[3].contains("54000")), "{discards:?}");
    }
}

#[tokio::test]
async fn a_user_id_that_is_too_long_has_its_calls_and_no_row_among_the_users() {
    let warehouse = Warehouse::start().await;
    let (long, longest) = ("é".repeat(1_025), "é".repeat(1_024));
    let call = |id: &str, user: &str| {
        format!(r#"{{"type":"identify","messageId":"{id}","userId":"{user}","traits":{{"a":1}}}}"#)
    };
    warehouse.wrote(&[call("m1", &long), call("m2", &longest), call("m3", "a\\u0000b")]).await;
    let users =
        warehouse.server.rows("SELECT char_length(id), id = E'a\\uFFFDb' FROM segue.users ORDER BY 1").await;
    assert_eq!(users, [["3", "t"], ["1024", "f"]]);
    assert_eq!(warehouse.server.value("SELECT count(*) FROM segue.identifies").await, "3");
    let discards = warehouse.discards("users").await;
    assert_eq!(discards.len(), 1);
    assert_eq!((&*discards[0][0], &*discards[0][3]), ("id", "an id has at most 1,024 characters"));
}
