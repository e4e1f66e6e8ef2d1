use proptest::prelude::*;

use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(|text| serde_json::from_str(&text).unwrap()),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,6}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn round_trip(text: &str) -> String {
    encode(&parse_object(text.as_bytes()).unwrap())
}

#[test]
fn number_digits_and_key_order_survive() {
    let text = r#"{"z":12345678901234567890,"a":1.0,"m":1e+400,"b":-0,"c":2.50e-7,"d":0.10,"1":[1.50]}"#;
    assert_eq!(round_trip(text), text);
    assert_eq!(round_trip(r#"{"a":1e400,"b":1E2}"#), r#"{"a":1e+400,"b":1e+2}"#);
}

#[test]
fn lone_surrogates_become_replacement_characters() {
    for (text, expected) in [
        (r#"{"a":"x\ud83d"}"#, "{\"a\":\"x\u{fffd}\"}"),
        (r#"{"a":"\uDE00x"}"#, "{\"a\":\"\u{fffd}x\"}"),
        (r#"{"a":"\ud83d\ud83d\ude00"}"#, "{\"a\":\"\u{fffd}😀\"}"),
        (r#"{"a":"\uD83D\uDE00"}"#, "{\"a\":\"😀\"}"),
        (r#"{"a":"\\ud83d"}"#, r#"{"a":"\\ud83d"}"#),
        (r#"{"\ud83d":1}"#, "{\"\u{fffd}\":1}"),
        (r#"{"a":"\ud83d\n\"é"}"#, "{\"a\":\"\u{fffd}\\n\\\"é\"}"),
    ] {
        assert_eq!(round_trip(text), expected, "{text}");
    }
}

#[test]
fn a_text_that_is_no_json_object_is_refused_with_the_reason() {
    for (text, expected) in [
        (&b""[..], "the body is empty; send a JSON object"),
        (b" \n", "the body is empty; send a JSON object"),
        (b"{\"a\":\xff}", "the body is not UTF-8 at byte 5"),
        (b"{\"a\":", "the body is not JSON: it ends too early at line 1 column 5"),
        (b"{a}", "the body is not JSON: there is a syntax error at line 1 column 2"),
        (b"[]", "the body is JSON but not an object"),
        (b"{\"a\":\"\\u12\"}", "the body is not JSON: there is a syntax error at line 1 column 12"),
        (b"{\"a\":\"\\ud8", "the body is not JSON: it ends too early at line 1 column 10"),
    ] {
        assert_eq!(parse_object(text).unwrap_err().to_string(), expected);
    }
}

/// Returns `inner` inside `levels` nested objects and lists, alternating.
fn nested(levels: usize, inner: &str) -> String {
    let (mut open, mut close) = (String::new(), String::new());
    for level in 0..levels {
        let (begin, end) = if level % 2 == 0 { (r#"{"a":"#, '}') } else { ("[", ']') };
        open.push_str(begin);
        close.insert(0, end);
    }
    format!("{open}{inner}{close}")
}

#[test]
fn a_hundred_levels_are_read_and_the_next_one_is_refused_with_its_path() {
    for inner in ["1", "1.5", "\"a\"", "null"] {
        let text = nested(MAX_LEVELS, inner);
        assert_eq!(round_trip(&text), text);
    }
    for inner in ["1", "{}", "[]", "[[[]]]", r#"{"a":{"b":1}}"#] {
        let deeper = parse(nested(MAX_LEVELS + 1, inner).as_bytes()).unwrap_err().to_string();
        assert!(
            deeper.starts_with("a[0].a[0].a[0]") && deeper.ends_with("is nested deeper than 100 levels"),
            "{deeper}"
        );
        assert!(deeper.len() < 200, "{deeper}");
    }
    // At any depth, because nothing recurses into it.
    for levels in [127, 128, 1_000, 1_000_000] {
        let error = parse(nested(levels, "1").as_bytes()).unwrap_err();
        assert!(matches!(error, JsonError::Refused(Fault { problem: FaultProblem::TooDeep, .. })), "{error}");
    }
}

#[test]
fn one_name_is_refused_with_its_path_and_no_other_is_special() {
    for (text, path) in [
        (r#"{"$serde_json::private::Number":"1"}"#, ""),
        (r#"{"a":{"$serde_json::private::Number":"1"}}"#, "a"),
        (r#"{"a":[1,{"$serde_json::private::Number":1.5}]}"#, "a[1]"),
        (r#"{"a":{"b":2,"$serde_json::private::Number":"1"}}"#, "a"),
        (r#"{"a":{"\u0024serde_json::private::Number":{}}}"#, "a"),
        (r#"{"ada@example.com":{"$serde_json::private::Number":"1"}}"#, "*"),
    ] {
        let error = parse(text.as_bytes()).unwrap_err().to_string();
        let path = if path.is_empty() { "it" } else { path };
        let expected = format!("{path} has a member named $serde_json::private::Number, which is not taken");
        assert_eq!(error, expected, "{text}");
    }
    // Also the names that serde_json's other features (which other crates turn on) and toml use.
    for name in ["RawValue", "Numbers", "number", "Value", "Map"] {
        let text = format!(r#"{{"a":{{"$serde_json::private::{name}":"{{\"b\":[1]}}"}}}}"#);
        assert_eq!(round_trip(&text), text);
    }
    for name in ["$__toml_private_datetime", "$__serde_private", "__proto__", "Number", "", "$"] {
        let text = format!(r#"{{"{name}":"1"}}"#);
        assert_eq!(round_trip(&text), text);
    }
}

#[test]
fn a_fault_in_an_item_of_a_list_affects_that_item_alone() {
    let deep = nested(MAX_LEVELS + 1, "1");
    let whole = nested(MAX_LEVELS, "1");
    let text = format!(
        r#"{{"x":[2],"batch":[{{"good":1}},{deep},{{"a":{{"$serde_json::private::Number":"1"}}}},{whole},7]}}"#
    );
    let (value, faults) = parse_items(text.as_bytes(), &["batch"], 10).unwrap();
    let expected = format!(r#"{{"x":[2],"batch":[{{"good":1}},null,null,{whole},7]}}"#);
    assert_eq!(value.to_string(), expected);
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 2);
    assert!(faults[0].starts_with("batch[1].a[0].a[0]"), "{faults:?}");
    assert_eq!(faults[1], "batch[2].a has a member named $serde_json::private::Number, which is not taken");
    // Outside the list no part can be left out.
    let outside = r#"{"context":{"$serde_json::private::Number":"1"},"batch":[{}]}"#;
    assert!(
        parse_items(outside.as_bytes(), &["batch"], 10).unwrap_err().to_string().starts_with("context has")
    );
    assert_eq!(parse_items(b"[1,{}]", &[], 2).unwrap().0.to_string(), "[1,{}]");
}

#[test]
fn too_many_items_are_refused_before_they_are_built() {
    for (text, at, most, fits) in [
        ("[0,0]", &[][..], 2, true),
        ("[0,0,0]", &[], 2, false),
        (r#"{"a":{"b":[0,0],"c":[0,0,0]}}"#, &["a", "b"], 2, true),
        (r#"{"a":{"b":[0,0,0]}}"#, &["a", "b"], 2, false),
        (r#"{"b":[0,0,0]}"#, &["a", "b"], 2, true),
    ] {
        match parse_items(text.as_bytes(), at, most) {
            Ok(_) => assert!(fits, "{text}"),
            Err(error) => {
                assert!(!fits && error.is_too_much(), "{text}: {error}");
                assert_eq!(error.to_string(), "the body has more than 2 items; send it in parts");
            }
        }
    }
}

#[test]
fn values_of_any_kind_take_bounded_memory() {
    for unit in
        ["0,", "1.5,", "{},", "[],", "\"\",", "null,", r#"{"":0},"#, r#"{"a":{"b":[]}},"#, "[[[[0]]]],"]
    {
        let text = format!("[{}0]", unit.repeat(6_000_000 / unit.len()));
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, JsonError::TooManyValues), "{unit}: {error}");
    }
    let members: String = (0..600_000).map(|number| format!("\"{number}\":0,")).collect();
    assert!(parse(format!("{{{members}\"z\":0}}").as_bytes()).unwrap_err().is_too_much());
    // A text of any size is one value.
    let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(6_000_000));
    assert!(parse(text.as_bytes()).is_ok());
}

#[test]
fn characters_that_queues_replace_are_escaped() {
    let text = encode(&parse_object("{\"a\":\"\u{fffe}\u{ffff}\\u0001\"}".as_bytes()).unwrap());
    assert_eq!(text, r#"{"a":"\ufffe\uffff\u0001"}"#);
}

proptest! {
    /// A text without faults is read as serde_json reads it.
    #[test]
    fn every_value_is_read_as_serde_json_reads_it(value in any_json()) {
        let text = value.to_string();
        prop_assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn encoding_is_a_fixed_point(text in "\\PC*") {
        let once = encode(&Map::from_iter([("a".to_owned(), Value::String(text))]));
        prop_assert_eq!(round_trip(&once), once);
    }

    #[test]
    fn repair_never_panics_and_changes_nothing_twice(text in "(\\\\|u|d8|DC|[0-9a-f]|\"|é){0,40}") {
        let once = repair_surrogates(&text).into_owned();
        prop_assert_eq!(repair_surrogates(&once), once.as_str());
    }
}
