//! Values and the types of columns. A column has the type of its first value. A later value of another type is cast only
//! if nothing is lost.

use std::borrow::Cow;

use jiff::{Timestamp, civil};
use serde_json::{Number, Value};

/// The type of a column. New columns have one of the first five, which are those of Segment's warehouses on PostgreSQL.
/// The user may alter a column to any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Texts, and arrays as JSON.
    Text,
    /// `varchar(n)`: the most characters. PostgreSQL would cut spaces off a longer text.
    TextOf(usize),
    /// Whole numbers of 64 bits.
    Bigint,
    /// All other numbers, with all their digits.
    Numeric,
    /// True and false.
    Boolean,
    /// Times.
    Timestamptz,
    /// `numeric(precision, scale)`: PostgreSQL would round a number with more digits.
    NumericOf {
        /// The most digits.
        precision: i64,
        /// The most digits after the point.
        scale: i64,
    },
    /// `integer` or `smallint`: the largest number.
    Whole(i64),
    /// `double precision`, or `real` if it is not double.
    Float {
        /// Whether it has 64 bits.
        is_double: bool,
    },
    /// `timestamptz(p)`: the most digits of a second's fraction.
    TimestamptzOf(usize),
    /// `timestamp`: a time in UTC.
    Timestamp,
    /// `date`.
    Date,
    /// `json` or `jsonb`.
    Json,
    /// Another type. PostgreSQL decides which texts it takes.
    Other,
}

/// Why a value does not fit its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Its type is another one, and a cast would lose something.
    #[error("its type is not the column's, and a cast would lose something")]
    Type,
    /// The column's type does not hold a number or a time of this size.
    #[error("it is outside the range of the column's type")]
    Range,
}

impl ColumnType {
    /// Returns the name in SQL of the type of a new column.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Bigint => "bigint",
            Self::Numeric => "numeric",
            Self::Boolean => "boolean",
            Self::Timestamptz => "timestamptz",
            Self::Json => "jsonb",
            _ => "text",
        }
    }

    /// Returns the type of a column of the catalogue, by the name of a type in `pg_catalog` and its modifier, which is -1
    /// if there is none.
    pub fn read(name: &str, modifier: i32) -> Self {
        match name {
            "varchar" if modifier >= 4 => Self::TextOf(usize::try_from(modifier - 4).unwrap_or_default()),
            "text" | "varchar" => Self::Text,
            "int8" => Self::Bigint,
            "int4" => Self::Whole(i32::MAX.into()),
            "int2" => Self::Whole(i16::MAX.into()),
            "numeric" if modifier < 0 => Self::Numeric,
            // numerictypmodin() in PostgreSQL's numeric.c.
            "numeric" => {
                let (precision, scale) = (((modifier - 4) >> 16) & 0xffff, (modifier - 4) & 0x7ff);
                Self::NumericOf { precision: precision.into(), scale: ((scale ^ 1024) - 1024).into() }
            }
            "float8" => Self::Float { is_double: true },
            "float4" => Self::Float { is_double: false },
            "bool" => Self::Boolean,
            "timestamptz" if modifier >= 0 => {
                Self::TimestamptzOf(usize::try_from(modifier).unwrap_or_default())
            }
            "timestamptz" => Self::Timestamptz,
            "timestamp" if modifier < 0 => Self::Timestamp,
            "date" => Self::Date,
            "json" | "jsonb" => Self::Json,
            _ => Self::Other,
        }
    }

    /// Returns the type that this value gives a new column. A null gives none, and an object becomes columns of its own.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null | Value::Object(_) => None,
            Value::Bool(_) => Some(Self::Boolean),
            Value::Number(number) => match Decimal::read(number.as_str()) {
                // 10.0 may be a price, so the column must hold 9.99 too.
                Some(decimal) if decimal.is_written_whole && decimal.whole().is_some() => Some(Self::Bigint),
                Some(decimal) if decimal.is_numeric() => Some(Self::Numeric),
                _ => Some(Self::Text),
            },
            Value::String(text) if is_time(text) && fraction_digits(text) <= MAX_FRACTION_DIGITS => {
                Some(Self::Timestamptz)
            }
            Value::String(_) | Value::Array(_) => Some(Self::Text),
        }
    }

    /// Returns a value that is neither null nor an object as PostgreSQL reads it for a column of this type. A NUL, which
    /// PostgreSQL refuses in every text, becomes U+FFFD.
    ///
    /// # Errors
    /// [`Misfit`] if the column cannot hold the value.
    pub fn fit(self, value: &Value) -> Result<Cow<'_, str>, Misfit> {
        match (self, value) {
            (Self::Json, value) => Ok(json_without_nul(value).into()),
            (Self::Text | Self::Other, Value::String(text)) => Ok(without_nul(text)),
            (Self::Text, value) => Ok(value.to_string().into()),
            (Self::TextOf(most), value) => {
                let text = Self::Text.fit(value)?;
                if text.chars().nth(most).is_none() { Ok(text) } else { Err(Misfit::Range) }
            }
            (Self::Boolean, Value::Bool(value)) => Ok(if *value { "true" } else { "false" }.into()),
            (Self::Bigint, Value::Number(number)) => Ok(whole(number)?.to_string().into()),
            (Self::Whole(largest), Value::Number(number)) => {
                let whole = whole(number)?;
                if (-largest - 1..=largest).contains(&whole) {
                    Ok(whole.to_string().into())
                } else {
                    Err(Misfit::Range)
                }
            }
            (Self::Numeric, Value::Number(number)) => {
                let digits = number.as_str();
                match Decimal::read(digits) {
                    // PostgreSQL refuses a large exponent even of zero.
                    Some(decimal) if decimal.is_zero() => Ok("0".into()),
                    Some(decimal) if decimal.is_numeric() => Ok(digits.into()),
                    _ => Err(Misfit::Range),
                }
            }
            (Self::NumericOf { precision, scale }, Value::Number(number)) => {
                let decimal = Decimal::read(number.as_str()).ok_or(Misfit::Range)?;
                match decimal {
                    decimal if decimal.is_zero() => Ok("0".into()),
                    decimal if decimal.needed_after_point() > scale => Err(Misfit::Type),
                    decimal if decimal.before_point() > precision - scale => Err(Misfit::Range),
                    _ => Ok(number.as_str().into()),
                }
            }
            (Self::Float { is_double }, Value::Number(number)) => {
                let digits = number.as_str();
                let decimal = Decimal::read(digits).ok_or(Misfit::Range)?;
                let shortest = match is_double {
                    true => digits
                        .parse::<f64>()
                        .ok()
                        .filter(|float| float.is_finite())
                        .map(|float| format!("{float:e}")),
                    false => digits
                        .parse::<f32>()
                        .ok()
                        .filter(|float| float.is_finite())
                        .map(|float| format!("{float:e}")),
                };
                let shortest = shortest.ok_or(Misfit::Range)?;
                match Decimal::read(&shortest) {
                    Some(float) if float.equals(&decimal) => Ok(shortest.into()),
                    _ => Err(Misfit::Type),
                }
            }
            (Self::Timestamptz, value) => Self::TimestamptzOf(MAX_FRACTION_DIGITS).fit(value),
            (Self::TimestamptzOf(most), Value::String(text))
                if is_time(text) && fraction_digits(text) <= most =>
            {
                Ok(text.into())
            }
            (Self::Timestamp, Value::String(text))
                if is_time(text) && fraction_digits(text) <= MAX_FRACTION_DIGITS =>
            {
                let time: Timestamp = text.parse().map_err(|_| Misfit::Range)?;
                Ok(time.to_string().trim_end_matches('Z').to_owned().into())
            }
            (Self::Date, Value::String(text)) if is_date(text) => Ok(text.into()),
            _ => Err(Misfit::Type),
        }
    }
}

fn whole(number: &Number) -> Result<i64, Misfit> {
    let decimal = Decimal::read(number.as_str()).ok_or(Misfit::Range)?;
    decimal.whole().ok_or(if decimal.is_whole() { Misfit::Range } else { Misfit::Type })
}

/// Returns a text that PostgreSQL takes.
pub fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Returns a value as JSON. `jsonb` refuses an escaped NUL.
fn json_without_nul(value: &Value) -> String {
    let json = value.to_string();
    if !json.contains("\\u0000") {
        return json;
    }
    replaced(value).to_string()
}

/// Replaces each NUL in a value, in names too.
fn replaced(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_nul(text).into_owned()),
        Value::Array(items) => items.iter().map(replaced).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (without_nul(name).into_owned(), replaced(value))).collect()
        }
        value => value.clone(),
    }
}

/// Whether a text is a date of the years 1 to 9999 alone.
fn is_date(text: &str) -> bool {
    has_shape(text, "dddd-dd-dd") && !text.starts_with("0000") && text.parse::<civil::Date>().is_ok()
}

/// The shortest time without its offset. `d` is a digit.
const TIME: &str = "dddd-dd-ddTdd:dd";

/// Whether a text is a whole date and time with its offset (RFC 3339), in the range that both PostgreSQL and this form
/// have. A date alone is no time, and neither is a local time: nobody knows when they were.
fn is_time(text: &str) -> bool {
    let (time, offset) = match text.strip_suffix('Z') {
        Some(time) => (time, "+00:00"),
        None => text.split_at_checked(text.len().saturating_sub("+00:00".len())).unwrap_or_default(),
    };
    // PostgreSQL reads offsets of less than 16 hours, and has no year 0.
    let is_offset = (has_shape(offset, "+dd:dd") || has_shape(offset, "-dd:dd"))
        && &offset[1..3] <= "15"
        && &offset[4..] <= "59";
    let (start, seconds) = time.split_at_checked(TIME.len()).unwrap_or_default();
    let is_plain =
        has_shape(start, TIME) && seconds.bytes().all(|byte| byte.is_ascii_digit() || b":.".contains(&byte));
    is_offset && is_plain && !time.starts_with("0000") && time.parse::<civil::DateTime>().is_ok()
}

/// The most digits of a second's fraction that PostgreSQL keeps.
const MAX_FRACTION_DIGITS: usize = 6;

/// Returns the number of digits of a time's fraction, without zeros at the end.
fn fraction_digits(time: &str) -> usize {
    let Some((_, fraction)) = time.split_once('.') else { return 0 };
    let end = fraction.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
    fraction[..end].trim_end_matches('0').len()
}

/// Whether a text has this shape. In a shape, `d` is a digit, and everything else is itself.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(byte, shape): (u8, u8)| if shape == b'd' { byte.is_ascii_digit() } else { byte == shape };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// The most digits before and after the point of a `numeric` (PostgreSQL docs, "Numeric Types").
const MAX_BEFORE_POINT: i64 = 131_072;
const MAX_AFTER_POINT: i64 = 16_383;

/// A number by its digits.
struct Decimal<'d> {
    is_negative: bool,
    /// The digits before and after the point as written.
    parts: [&'d str; 2],
    /// How far the exponent moves the point to the right.
    exponent: i64,
    /// Whether it is written without point and exponent.
    is_written_whole: bool,
}

impl<'d> Decimal<'d> {
    /// Reads a JSON number. Returns `None` if its exponent is beyond all bounds.
    fn read(text: &'d str) -> Option<Self> {
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_written_whole = !digits.contains(['.', 'e', 'E']);
        let exponent: i64 = exponent.parse::<i32>().ok()?.into();
        Some(Self { is_negative, parts: [before, after], exponent, is_written_whole })
    }

    fn digits(&self) -> impl DoubleEndedIterator<Item = u8> {
        self.parts.into_iter().flat_map(str::bytes)
    }

    fn is_zero(&self) -> bool {
        self.digits().all(|digit| digit == b'0')
    }

    /// The number of digits before the point, with the exponent.
    fn before_point(&self) -> i64 {
        let leading = self.digits().take_while(|digit| *digit == b'0').count();
        self.point() - i64::try_from(leading).unwrap_or(i64::MAX)
    }

    /// The number of digits after the point, with the exponent and as written: trailing zeros count.
    fn after_point(&self) -> i64 {
        i64::try_from(self.parts[1].len()).unwrap_or(i64::MAX) - self.exponent
    }

    /// The position of the point among the digits.
    fn point(&self) -> i64 {
        i64::try_from(self.parts[0].len()).unwrap_or(i64::MAX).saturating_add(self.exponent)
    }

    /// Whether a `numeric` holds it.
    fn is_numeric(&self) -> bool {
        self.is_zero() || self.before_point() <= MAX_BEFORE_POINT && self.after_point() <= MAX_AFTER_POINT
    }

    /// The number of digits after the point without trailing zeros. It is negative if the last digit before the point is
    /// zero.
    fn needed_after_point(&self) -> i64 {
        let trailing = self.digits().rev().take_while(|digit| *digit == b'0').count();
        self.after_point() - i64::try_from(trailing).unwrap_or(i64::MAX)
    }

    /// Whether it has no fraction.
    fn is_whole(&self) -> bool {
        self.is_zero() || self.needed_after_point() <= 0
    }

    /// Whether both are the same number.
    fn equals(&self, other: &Decimal<'_>) -> bool {
        fn significant(decimal: &Decimal<'_>) -> Vec<u8> {
            let mut digits: Vec<u8> = decimal.digits().skip_while(|digit| *digit == b'0').collect();
            digits.truncate(digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1));
            digits
        }
        match (self.is_zero(), other.is_zero()) {
            (true, true) => true,
            (false, false) => {
                self.is_negative == other.is_negative
                    && self.before_point() == other.before_point()
                    && significant(self) == significant(other)
            }
            _ => false,
        }
    }

    /// Returns the value if it is whole and has at most 64 bits.
    fn whole(&self) -> Option<i64> {
        if self.is_zero() {
            return Some(0);
        }
        // i64 has 19 digits.
        if !self.is_whole() || self.before_point() > 19 {
            return None;
        }
        let length = usize::try_from(self.point()).ok()?;
        let digits: String =
            self.digits().chain(std::iter::repeat(b'0')).take(length).map(char::from).collect();
        let sign = if self.is_negative { "-" } else { "" };
        format!("{sign}{digits}").parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_first_value_gives_a_column_its_type() {
        use ColumnType::{Bigint, Boolean, Numeric, Text, Timestamptz};
        for (json, expected) in [
            ("null", None),
            ("{}", None),
            ("true", Some(Boolean)),
            ("0", Some(Bigint)),
            ("-0", Some(Bigint)),
            ("9223372036854775807", Some(Bigint)),
            ("-9223372036854775808", Some(Bigint)),
            ("9223372036854775808", Some(Numeric)),
            ("10.0", Some(Numeric)),
            ("1e3", Some(Numeric)),
            ("1e400", Some(Numeric)),
            ("0e2000000000", Some(Numeric)),
            ("1e131071", Some(Numeric)),
            ("1e131072", Some(Text)),
            ("1e-16383", Some(Numeric)),
            ("1e-16384", Some(Text)),
            ("1e99999999999", Some(Text)),
            ("[1]", Some(Text)),
            (r#""""#, Some(Text)),
            (r#""12""#, Some(Text)),
            (r#""2026-11-21""#, Some(Text)),
            (r#""2026-11-21T04:05:06""#, Some(Text)),
            (r#""2026-11-21 04:05:06Z""#, Some(Text)),
            (r#""2026-02-30T04:05:06Z""#, Some(Text)),
            (r#""0000-01-01T00:00:00Z""#, Some(Text)),
            (r#""-0001-01-01T00:00:00Z""#, Some(Text)),
            (r#""+010000-01-01T00:00:00Z""#, Some(Text)),
            (r#""10000-01-01T00:00:00Z""#, Some(Text)),
            (r#""2026-11-21T04:05:06+16:00""#, Some(Text)),
            (r#""2026-11-21T04:05:06Z""#, Some(Timestamptz)),
            (r#""2026-11-21T04:05:06.789Z""#, Some(Timestamptz)),
            (r#""2026-11-21T04:05:06.123456-15:59""#, Some(Timestamptz)),
            (r#""2026-11-21T04:05:06.123456000Z""#, Some(Timestamptz)),
            (r#""2026-11-21T04:05:06.123456789Z""#, Some(Text)),
            (r#""0001-01-01T00:00:00+15:59""#, Some(Timestamptz)),
            (r#""9999-12-31T23:59:59.999Z""#, Some(Timestamptz)),
            (r#""2026-11-21T04:05Z""#, Some(Timestamptz)),
            (r#""2026-11-21T04:05:60Z""#, Some(Timestamptz)),
            (r#""2026-11-21T04Z""#, Some(Text)),
            (r#""2026-11-21T24:05:06Z""#, Some(Text)),
            (r#""2026-11-21T04:05:06+0530""#, Some(Text)),
            (r#""2026-11-21T04:05:06+é:30""#, Some(Text)),
            (r#""Z""#, Some(Text)),
        ] {
            assert_eq!(ColumnType::of(&number(json)), expected, "{json}");
        }
    }

    #[test]
    fn a_column_that_the_user_altered_takes_what_its_type_holds() {
        let read = ColumnType::read;
        // numeric(10,2) has the modifier (10 << 16 | 2) + 4; numeric(3,-2) has a negative scale.
        let (price, hundreds) =
            (read("numeric", (10 << 16 | 2) + 4), read("numeric", (3 << 16 | (-2 & 0x7ff)) + 4));
        for (column, json, expected) in [
            (read("int4", -1), "2147483647", Ok("2147483647")),
            (read("int4", -1), "-2147483648.0", Ok("-2147483648")),
            (read("int4", -1), "2147483648", Err(Misfit::Range)),
            (read("int4", -1), "0.5", Err(Misfit::Type)),
            (read("int2", -1), "-32769", Err(Misfit::Range)),
            (price, "9.99", Ok("9.99")),
            (price, "9.9900", Ok("9.9900")),
            (price, "9.999", Err(Misfit::Type)),
            (price, "99999999.99", Ok("99999999.99")),
            (price, "100000000", Err(Misfit::Range)),
            (hundreds, "12300", Ok("12300")),
            (hundreds, "12350", Err(Misfit::Type)),
            (read("float8", -1), "0.1", Ok("1e-1")),
            (read("float8", -1), "1e300", Ok("1e300")),
            (read("float8", -1), "1e400", Err(Misfit::Range)),
            (read("float8", -1), "12345678901234567890", Err(Misfit::Type)),
            (read("float8", -1), "-0.0", Ok("-0e0")),
            (read("float4", -1), "0.25", Ok("2.5e-1")),
            (read("float4", -1), "16777217", Err(Misfit::Type)),
            (read("date", -1), r#""2026-11-21""#, Ok("2026-11-21")),
            (read("date", -1), r#""2026-11-21T04:05:06Z""#, Err(Misfit::Type)),
            (read("date", -1), r#""2026-02-30""#, Err(Misfit::Type)),
            (read("jsonb", -1), r#""a\u0000\\u0000""#, Ok("\"a\u{fffd}\\\\u0000\"")),
            (read("jsonb", -1), r#"[1.50]"#, Ok("[1.50]")),
            (read("uuid", -1), r#""x""#, Ok("x")),
            (read("uuid", -1), "7", Err(Misfit::Type)),
            (read("varchar", 14), "7", Ok("7")),
            (read("varchar", 7), r#""abc""#, Ok("abc")),
            (read("varchar", 7), r#""abc ""#, Err(Misfit::Range)),
            (read("timestamptz", 0), r#""2026-11-21T04:05:06.000Z""#, Ok("2026-11-21T04:05:06.000Z")),
            (read("timestamptz", 0), r#""2026-11-21T04:05:06.5Z""#, Err(Misfit::Type)),
            (read("timestamptz", -1), r#""2026-11-21T04:05:06.123456789Z""#, Err(Misfit::Type)),
            (read("timestamp", -1), r#""2026-11-21T00:00:00+05:00""#, Ok("2026-11-20T19:00:00")),
            (read("timestamp", -1), "20200101", Err(Misfit::Type)),
        ] {
            assert_eq!(column.fit(&number(json)).as_deref(), expected.as_deref(), "{json} as {column:?}");
        }
    }

    #[test]
    fn a_value_is_cast_only_if_nothing_is_lost() {
        use ColumnType::{Bigint, Boolean, Numeric, Text, Timestamptz};
        for (column, json, expected) in [
            (Text, r#""a\u0000b""#, Ok("a\u{fffd}b")),
            (Text, "1.50", Ok("1.50")),
            (Text, "false", Ok("false")),
            (Text, r#"[1,{"a":"\u0000"}]"#, Ok(r#"[1,{"a":"\u0000"}]"#)),
            (Bigint, "1.0", Ok("1")),
            (Bigint, "1.50e1", Ok("15")),
            (Bigint, "-12e2", Ok("-1200")),
            (Bigint, "-0.0", Ok("0")),
            (Bigint, "0e99", Ok("0")),
            (Bigint, "100e-2", Ok("1")),
            (Bigint, "-9223372036854775808.0", Ok("-9223372036854775808")),
            (Bigint, "1.5", Err(Misfit::Type)),
            (Bigint, "1e-1", Err(Misfit::Type)),
            (Bigint, "9223372036854775808", Err(Misfit::Range)),
            (Bigint, "1e19", Err(Misfit::Range)),
            (Bigint, "1e2000000000", Err(Misfit::Range)),
            (Bigint, "1e99999999999", Err(Misfit::Range)),
            (Bigint, r#""1""#, Err(Misfit::Type)),
            (Bigint, "true", Err(Misfit::Type)),
            (
                Numeric,
                "12345678901234567890.12345678901234567890",
                Ok("12345678901234567890.12345678901234567890"),
            ),
            (Numeric, "7", Ok("7")),
            (Numeric, "0e2000000000", Ok("0")),
            (Numeric, "1e131072", Err(Misfit::Range)),
            (Numeric, "1e-16384", Err(Misfit::Range)),
            (Numeric, r#""7""#, Err(Misfit::Type)),
            (Boolean, "true", Ok("true")),
            (Boolean, "1", Err(Misfit::Type)),
            (Boolean, r#""true""#, Err(Misfit::Type)),
            (Timestamptz, r#""2026-11-21T04:05:06Z""#, Ok("2026-11-21T04:05:06Z")),
            (Timestamptz, r#""2026-11-21""#, Err(Misfit::Type)),
            (Timestamptz, "1700000000", Err(Misfit::Type)),
            (Timestamptz, "[]", Err(Misfit::Type)),
        ] {
            assert_eq!(
                column.fit(&number(json)).as_deref(),
                expected.as_deref(),
                "{json} as {}",
                column.sql()
            );
        }
    }
}
