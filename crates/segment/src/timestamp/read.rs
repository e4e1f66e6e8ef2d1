//! The spellings of a time.

use jiff::{
    Timestamp, civil,
    fmt::{rfc2822, strtime::BrokenDownTime},
    tz::TimeZone,
};

/// The units of a number: below the first size it counts seconds, below the second milliseconds, below the
/// third microseconds, and otherwise nanoseconds. Each has its length in microseconds. Milliseconds thus
/// reach from 1973 to 5138, and so do the other units.
const UNITS: [(f64, f64); 4] = [(1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (f64::INFINITY, 1e-3)];

/// Times of digits alone, by their length. As a count, such a number would lie in 1970 or after 2286, or
/// would not be a date.
const COMPACT: [(usize, &str); 4] =
    [(8, "%Y%m%d"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S"), (17, "%Y%m%d%H%M%S%3f")];

/// The formats of JavaScript and of C. `UTC` and `GMT` are removed before.
const WORDS: [&str; 2] = ["%a %b %d %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %Y %z"];

/// Reads a count since 1970, or a date and time of digits alone.
pub(super) fn number(text: &str) -> Option<Timestamp> {
    if let Some((_, format)) = COMPACT.iter().find(|(length, _)| text.len() == *length)
        && let Ok(time) = BrokenDownTime::parse(format, text)
        && let Ok(date) = time.to_date()
        && (1900..2100).contains(&date.year())
    {
        let time = time.to_time().unwrap_or(civil::Time::midnight());
        return TimeZone::UTC.to_timestamp(date.to_datetime(time)).ok();
    }
    let number: f64 = text.parse().ok()?;
    let (_, unit) = UNITS.into_iter().find(|(below, _)| number.abs() < *below)?;
    // A number that is too large becomes the largest number, which is not a time.
    Timestamp::from_microsecond((number * unit).round() as i64).ok()
}

/// Reads a time as text, without spaces around it.
pub(super) fn text(text: &str) -> Option<Timestamp> {
    // Nearly every time has this form.
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let text = without_remarks(text);
    if is_count(text) {
        return number(text);
    }
    year_first(text).or_else(|| rfc_2822(text)).or_else(|| in_words(text))
}

/// The zones that RFC 2822 knows by name, in section 4.3. Other names are ambiguous.
const ZONES: [&str; 11] = ["UT", "UTC", "GMT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"];

fn rfc_2822(text: &str) -> Option<Timestamp> {
    let zone = text.split_whitespace().next_back()?;
    if zone.bytes().any(|byte| byte.is_ascii_alphabetic()) && !ZONES.contains(&zone) {
        return None;
    }
    rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

/// Removes parts that are only for people: .NET's wrapper with an offset, Go's monotonic clock, JavaScript's
/// name of the zone.
fn without_remarks(text: &str) -> &str {
    if let Some(count) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        let end = count.get(1..).and_then(|rest| rest.find(['+', '-'])).map_or(count.len(), |end| end + 1);
        return &count[..end];
    }
    let text = text.split_once(" m=").map_or(text, |(time, _)| time);
    // Without an offset before it, the name is needed.
    let has_offset = |time: &str| time.rsplit(' ').next().is_some_and(|word| word.contains(['+', '-']));
    text.split_once(" (").filter(|(time, _)| has_offset(time)).map_or(text, |(time, _)| time)
}

fn is_count(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    // `2026` is a year.
    whole.len() > 8
        && [whole, fraction]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads ISO 8601 with other separators, with a month, day or hour of one digit, or with spaces and the
/// zone's name at its end.
fn year_first(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at(text.find(['T', 't', ' ', '_']).unwrap_or(text.len()));
    let parts: Vec<&str> = date.split(['-', '/', '.']).collect();
    let (year, month, day) = match parts.as_slice() {
        [date] if date.len() == 8 && date.is_ascii() => (&date[..4], &date[4..6], &date[6..]),
        [year, month, day] if year.len() == 4 => (*year, *month, *day),
        _ => return None,
    };
    let rest = rest.get(1..).unwrap_or_default().trim();
    let (time, zone) =
        rest.split_at(rest.find(|c: char| !matches!(c, '0'..='9' | ':' | '.' | ',')).unwrap_or(rest.len()));
    let time = match time.find(':') {
        None if time.is_empty() => "00".to_owned(),
        Some(1) => format!("0{time}"),
        _ => time.replace(',', "."),
    };
    format!("{year}-{month:0>2}-{day:0>2}T{time}{}", offset(zone.trim())?).parse().ok()
}

/// Returns the offset of `Z`, `UTC`, `+0100`, `GMT+0100` or `+0100 CET`. A name alone is ambiguous.
fn offset(zone: &str) -> Option<&str> {
    let zone = ["UTC", "GMT"].iter().find_map(|name| zone.strip_prefix(name)).unwrap_or(zone);
    let mut words = zone.split_whitespace();
    let offset = words.next();
    // The zone's name may follow, but not AM or PM.
    let is_name = words.all(|word| !matches!(word.to_ascii_uppercase().as_str(), "AM" | "PM"));
    match offset {
        None | Some("Z" | "z") => Some("Z"),
        Some(offset) => Some(offset).filter(|offset| is_name && offset.starts_with(['+', '-'])),
    }
}

fn in_words(text: &str) -> Option<Timestamp> {
    let words = text.split_whitespace().map(|word| word.trim_start_matches("GMT").trim_start_matches("UTC"));
    let mut text = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if !text.contains(['+', '-']) {
        text.push_str(" +0000");
    }
    let read = |format| BrokenDownTime::parse(format, &text).and_then(|time| time.to_timestamp());
    WORDS.iter().find_map(|format| read(format).ok())
}
