use serde_json::json;

use super::*;

#[test]
fn times_are_read_in_every_usual_form_and_written_in_one() {
    let at = |expected: &'static str| move |given: Value| (given, expected);
    let ten = at("2026-11-26T10:00:00.000Z");
    let exact = at("2026-11-26T10:00:00.123Z");
    for (given, expected) in [
        // ISO 8601 and its variants.
        at("2026-11-21T04:05:06.789Z")(json!("2026-11-21T06:05:06.7891+02:00")),
        at("2026-11-21T00:00:00.000Z")(json!("2026-11-21")),
        at("2015-02-02T00:30:08.276Z")(json!("2015-2-02T00:30:08.276Z")),
        at("2026-11-26T09:05:00.000Z")(json!("2026-11-26 9:05")),
        ten(json!("2026-11-26T10:00:00Z")),
        ten(json!("2026-11-26T10:00:00")),
        ten(json!("2026-11-26t10:00:00z")),
        ten(json!("2026-11-26 10:00:00Z")),
        ten(json!("2026-11-26_10:00:00")),
        ten(json!("2026/11/26 10:00:00")),
        ten(json!("2026.11.26 10:00")),
        ten(json!("2026-11-26T11:00:00+0100")),
        ten(json!("2026-11-26T11:00:00+01")),
        ten(json!("2026-11-26T11:00:00 +0100")),
        ten(json!("2026-11-26 02:00:00 -0800")),
        ten(json!("2026-11-26 10:00:00 UTC")),
        ten(json!("2026-11-26 10:00:00 GMT")),
        ten(json!("2026-11-26 10:00:00 +0000 UTC")),
        ten(json!("2026-11-26 11:00:00 +0100 CET")),
        ten(json!("2026-11-26T11:00:00+01:00[Europe/Berlin]")),
        ten(json!(" 2026-11-26T10:00:00Z ")),
        ten(json!("20261126T100000Z")),
        ten(json!("20261126T110000+0100")),
        ten(json!("2026-11-26T100000Z")),
        exact(json!("2026-11-26 10:00:00,123")),
        exact(json!("2026-11-26T10:00:00.1234567Z")),
        exact(json!("2026-11-26 10:00:00.123456789 +0000 UTC m=+0.012345678")),
        at("2021-10-29T00:00:00.000Z")(json!("2021-10-29 00:00:00+00:00")),
        at("2021-10-29T00:00:00.000Z")(json!("2021-10-29T00:00:00.000-00:00")),
        at("2021-10-29T00:00:00.000Z")(json!("2021-10-29 00:00:00.000000")),
        at("2016-12-31T23:59:59.000Z")(json!("2016-12-31T23:59:60Z")),
        at("2023-01-01T12:00:00.000Z")(json!("+002023-01-01T12:00:00.000Z")),
        // Counts since 1970.
        ten(json!(1_795_687_200)),
        ten(json!("1795687200")),
        ten(json!(1_795_687_200_000_i64)),
        ten(json!("1795687200000")),
        ten(json!(1_795_687_200_000_000_i64)),
        ten(json!(1_795_687_200_000_000_000_i64)),
        ten(json!("1795687200000000000")),
        exact(json!(1_795_687_200.123)),
        exact(json!("1795687200.123")),
        exact(json!(1_795_687_200_123.5)),
        ten(json!(1.795_687_2e9)),
        at("2000-01-01T00:00:00.000Z")(json!("946684800000")),
        at("1969-12-31T23:59:59.000Z")(json!(-1)),
        // Digits that form a date.
        at("2026-11-26T00:00:00.000Z")(json!("20261126")),
        ten(json!("202611261000")),
        ten(json!("20261126100000")),
        ten(json!(20_261_126_100_000_i64)),
        exact(json!("20261126100000123")),
        // RFC 2822 and the formats of programming languages.
        ten(json!("Thu, 26 Nov 2026 10:00:00 GMT")),
        ten(json!("26 Nov 2026 11:00:00 +0100")),
        ten(json!("Thu, 26 Nov 2026 05:00:00 EST")),
        ten(json!("Thu, 26 Nov 2026 11:00:00 +0100 (CET)")),
        ten(json!("Fri, 26 Nov 2026 10:00:00 +0000")),
        ten(json!("Thu Nov 26 2026 11:00:00 GMT+0100 (Central European Standard Time)")),
        ten(json!("Thu Nov 26 10:00:00 2026")),
        ten(json!("Thu Nov 26 10:00:00 UTC 2026")),
        ten(json!("/Date(1795687200000)/")),
        ten(json!("/Date(1795687200000+0100)/")),
    ] {
        assert_eq!(parse(&given).map(format).as_deref(), Some(expected), "{given}");
    }
}

#[test]
fn a_text_that_is_no_time_or_is_ambiguous_is_refused() {
    for given in [
        json!(""),
        json!(" "),
        json!("yesterday"),
        json!("Invalid date"),
        json!("2026-13-01"),
        json!("2026-02-30T10:00:00Z"),
        json!("26-11-2026"),
        json!("2026"),
        json!("0"),
        json!("2021-W43-5"),
        json!("2021-302"),
        json!("2023-01"),
        json!("13/32/2023"),
        json!("11/12/2026"),
        json!("2026-11-26 10:00:00 PST"),
        json!("2026-11-26 10:00:00 PM"),
        json!("2026-11-26 10:00:00 +0000 PM"),
        json!("2026-11-26 10:00:00 (PST)"),
        json!("Mon, 23 Nov 2026 23:39:33 CET"),
        json!("Mon, 23 Nov 2026 23:39:33 A"),
        json!("Mon Nov 23 2026 14:39:33 (Pacific Standard Time)"),
        json!("2026-11-26T25:00:00Z"),
        json!("1.2.3"),
        json!("+"),
        json!("1e400"),
        json!("/Date()/"),
        json!("/Date(ü)/"),
        json!("ü026-11-26"),
        json!("2026-11-26Tü"),
        json!("1111é1111"),
        json!(1e300),
        json!(null),
        json!(true),
        json!({}),
        json!([1_795_687_200]),
    ] {
        assert_eq!(parse(&given), None, "{given}");
    }
}

#[test]
fn an_event_happened_between_2000_and_tomorrow() {
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let now = time("2026-11-26T10:00:00Z");
    for (given, expected) in [
        ("1999-12-31T23:59:59Z", false),
        ("2000-01-01T00:00:00Z", true),
        ("2026-11-26T10:00:00Z", true),
        ("2026-11-27T10:00:00Z", true),
        ("2026-11-27T10:00:01Z", false),
    ] {
        assert_eq!(plausible(time(given), now), expected, "{given}");
    }
    assert!(plausible(Timestamp::MAX, Timestamp::MAX));
}

proptest::proptest! {
    #[test]
    fn no_odd_text_causes_a_panic(text in "[0-9TZtz:./, +()DateGMTUC\u{e9}-]{0,40}|\\PC{0,40}") {
        let _ = parse(&Value::String(text));
    }

    #[test]
    fn a_time_is_read_back_as_it_was_written(milliseconds in 946_684_800_000_i64..4_000_000_000_000) {
        let time = from_epoch_milliseconds(milliseconds).unwrap();
        for given in [json!(format(time)), json!(milliseconds), json!(milliseconds.to_string()), json!(milliseconds * 1_000)] {
            proptest::prop_assert_eq!(parse(&given), Some(time), "{}", given);
        }
    }
}
