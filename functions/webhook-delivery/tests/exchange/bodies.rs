//! The body compared with Node's own `JSON.stringify(JSON.parse(text))`.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use proptest::{prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};
use segment::{Message, json};
use webhook_delivery::stringify;

/// Keys that JavaScript treats specially, or that look like it.
const KEYS: &str = "a,b,, ,0,1,2,9,10,00,01,007,-0,-1,+1,1.0,1e1, 1,0x1,\
    999999999,4294967293,4294967294,4294967295,4294967296,9007199254740993,18446744073709551616,\
    __proto__,constructor,toString,length,hasOwnProperty,é,１,٣";

/// Numbers at the limits of doubles and of JavaScript's notations.
const NUMBERS: &str = "0 -0 0.0 -0.0 0e0 -0e-7 1 -1 1.0 0.10 39.95 1e0 1E2 1e+2 100e-2 1e20 1e21 \
    1e22 123456789012345678901 999999999999999999999 0.000001 0.0000001 1e-6 1e-7 1.5e-7 \
    9007199254740991 9007199254740992 9007199254740993 -9007199254740993 12345678901234567890 \
    18446744073709551615 18446744073709551616 0.1000000000000000055511151231257827 \
    0.30000000000000004 5e-324 4.9406564584124654e-324 2e-324 1e-400 -1e-400 2.2250738585072011e-308 \
    2.2250738585072014e-308 1.7976931348623157e308 1.7976931348623159e308 1e308 1e309 1e400 -1e400 \
    1e99999";

/// Parts of strings, as they appear in JSON.
const PARTS: [&str; 34] = [
    "a",
    "é",
    "😀",
    "\u{7f}",
    "\u{80}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "/",
    "\\/",
    "\\\"",
    "\\\\",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\u0000",
    "\\u0001",
    "\\u001F",
    "\\u001f",
    "\\u0022",
    "\\u005c",
    "\\u007f",
    "\\u00e9",
    "\\u2028",
    "\\uFFFE",
    "\\ud83d\\ude00",
    "<",
    "&",
];

fn strings() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => select(&PARTS[..]).prop_map(str::to_owned),
        1 => any::<char>()
            .prop_filter("is escaped", |character| !matches!(character, '"' | '\\' | '\0'..='\x1f'))
            .prop_map(String::from),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(KEYS.split(',').collect::<Vec<_>>()).prop_map(|key| format!("\"{key}\"")),
        2 => "[1-9][0-9]{0,11}".prop_map(|key| format!("\"{key}\"")),
        1 => strings(),
    ]
}

fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(NUMBERS.split(' ').collect::<Vec<_>>()).prop_map(str::to_owned),
        2 => "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?",
        // Any double, in its shortest form and with more digits than it has.
        1 => any::<f64>().prop_filter("is no number", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        1 => any::<f64>().prop_filter("is no number", |number| number.is_finite()).prop_map(|number| format!("{number:.25e}")),
    ]
}

fn values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => numbers(),
        3 => strings(),
        1 => select(&["null", "true", "false", "{}", "[]"][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 48, 8, |value| {
        prop_oneof![
            1 => prop::collection::vec(value.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(" , "))),
            3 => members(value).prop_map(|members| format!("{{{members}}}")),
        ]
    })
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec((keys(), value), 0..8).prop_map(|members| {
        members.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(",\t")
    })
}

fn messages() -> impl Strategy<Value = String> {
    let head = select(
        &[
            r#""type":"track","userId":"u1","event":"e""#,
            r#""type":"identify","userId":"u1","version":"2""#,
            r#""type":"delete","userId":"u1""#,
        ][..],
    );
    (head, prop::option::of(members(values()))).prop_map(|(head, members)| match members {
        Some(members) if !members.is_empty() => format!("{{{members},{head}}}"),
        _ => format!("{{{head}}}"),
    })
}

fn generate(strategy: &impl Strategy<Value = String>, count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Returns Node's form of each text.
fn node(texts: &[String]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/libraries/stringify.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs Node as `node`");
    let (mut stdin, lines) = (child.stdin.take().unwrap(), texts.join("\n"));
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let written: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(written.len(), texts.len());
    written
}

#[test]
fn any_json_is_written_as_node_writes_it_and_stays_so() {
    let mut texts = generate(&values(), 6000);
    texts.extend(NUMBERS.split(' ').map(str::to_owned));
    texts.extend(PARTS.map(|part| format!("\"{part}\"")));
    texts.push(format!(
        "{{{}}}",
        KEYS.split(',').map(|key| format!("\"{key}\":0")).collect::<Vec<_>>().join(",")
    ));
    let expected = node(&texts);
    for (text, expected) in texts.iter().zip(&expected) {
        let written = stringify::stringify(&json::parse(text.as_bytes()).unwrap());
        assert_eq!(&written, expected, "{text}");
        assert_eq!(stringify::stringify(&json::parse(written.as_bytes()).unwrap()), written, "{text}");
    }
    assert_eq!(node(&expected), expected);
}

#[test]
fn a_receiver_signs_the_body_of_any_message_again_unchanged() {
    let messages: Vec<Message> = generate(&messages(), 2000)
        .iter()
        .filter_map(|text| Message::from_json(text.as_bytes()).ok())
        .collect();
    assert!(messages.len() > 1500, "{} messages", messages.len());
    let bodies: Vec<String> = messages.iter().map(stringify::of_message).collect();
    assert_eq!(node(&bodies), bodies);

    let versioned: Vec<String> = messages
        .iter()
        .map(|message| match message.get("type").and_then(serde_json::Value::as_str) {
            Some("track") => format!("{{\"version\":1,{}", &message.as_json()[1..]),
            _ => message.as_json().to_owned(),
        })
        .collect();
    assert_eq!(node(&versioned), bodies);
}
