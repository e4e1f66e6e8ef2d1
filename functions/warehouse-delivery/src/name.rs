//! The names of tables and columns. They are those of Segment's warehouses, so that SQL written for one works unchanged.
//! Where Segment publishes no rule, the rule here is deterministic: each process makes the same name, and no two
//! properties share a column in silence.

use crate::digest::hex_digest;

/// The longest name in PostgreSQL, in bytes. It cuts longer ones off (PostgreSQL docs, "Identifiers and Key Words"), so
/// two long names could become one.
pub const MAX_BYTES: usize = 63;

/// The bytes of a long name that stay. An underscore and the digits of a hash follow.
const LONG_BYTES: usize = MAX_BYTES - 1 - HASH_DIGITS;

const HASH_DIGITS: usize = 8;

/// The tables of calls (Segment docs, "Warehouse Schemas"). An event's table never has one of these names.
const TABLES_OF_CALLS: [&str; 8] =
    ["accounts", "aliases", "groups", "identifies", "pages", "screens", "tracks", "users"];

/// The start of the names of Segue's own tables.
const OWN: &str = "segue_";

/// Names that get an underscore in front. They are sorted.
///
/// Segment applies the reserved words of Redshift to every warehouse (Segment docs, "Redshift FAQ"), as they were in 2015:
/// a column `language` has no underscore. PostgreSQL's own reserved words are here too (`pg_get_keywords()`, categories R
/// and T), so no query needs quotes.
/// `timestamp` is not here, because it is a standard column.
#[rustfmt::skip]
const RESERVED: [&str; 162] = [
    "aes128", "aes256", "all", "allowoverwrite", "analyse", "analyze", "and", "any", "array", "as", "asc",
    "asymmetric", "authorization", "backup", "between", "binary", "blanksasnull", "both", "bytedict", "case",
    "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "credentials",
    "cross", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
    "current_timestamp", "current_user", "current_user_id", "default", "deferrable", "deflate", "defrag", "delta",
    "delta32k", "desc", "disable", "distinct", "do", "else", "emptyasnull", "enable", "encode", "encrypt",
    "encryption", "end", "except", "explicit", "false", "fetch", "for", "foreign", "freeze", "from", "full",
    "globaldict256", "globaldict64k", "grant", "group", "gzip", "having", "identity", "ignore", "ilike", "in",
    "initially", "inner", "intersect", "into", "is", "isnull", "join", "lateral", "leading", "left", "like",
    "limit", "localtime", "localtimestamp", "lun", "luns", "lzo", "lzop", "minus", "mostly13", "mostly32",
    "mostly8", "natural", "new", "not", "notnull", "null", "nulls", "off", "offline", "offset", "old", "on", "only",
    "open", "or", "order", "outer", "overlaps", "parallel", "partition", "percent", "permissions", "placing",
    "primary", "raw", "readratio", "recover", "references", "rejectlog", "resort", "respect", "restore",
    "returning", "right", "select", "session_user", "similar", "snapshot", "some", "symmetric", "sysdate", "system",
    "system_user", "table", "tablesample", "tag", "tdes", "text255", "text32k", "then", "to", "top", "trailing",
    "true", "truncatecolumns", "union", "unique", "user", "using", "variadic", "verbose", "wallet", "when", "where",
    "window", "with", "without",
];

/// The columns that each PostgreSQL table has by itself. PostgreSQL refuses others of these names with 42701.
const SYSTEM_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// Returns the table of an event.
pub fn event_table(event: &str) -> String {
    let name = snake_case(event);
    let is_taken = TABLES_OF_CALLS.contains(&&*name) || name.starts_with(OWN);
    let finished = finished(name, is_taken, "event", event);
    // The primary key of the table `a` is the index `a_pkey`, and tables and indexes share their names. No name in snake
    // case ends with an underscore.
    if finished.ends_with("_pkey") { format!("{finished}_") } else { finished }
}

/// Returns the column of a property. `property` is its name, or the names on the way to it joined by underscores.
pub fn column(property: &str) -> String {
    let name = snake_case(property);
    let is_taken = SYSTEM_COLUMNS.contains(&&*name);
    finished(name, is_taken, "column", property)
}

/// Returns the schema of a write key, by the write key's name.
pub fn schema(write_key: &str) -> String {
    // PostgreSQL keeps the names of schemas that begin with pg_ for itself.
    let name = snake_case(write_key);
    let is_taken = name.starts_with("pg_") || name == "information_schema";
    finished(name, is_taken, "schema", write_key)
}

/// Turns a snake-case name into one that PostgreSQL takes. `kind` begins the name of what has none.
fn finished(name: String, is_taken: bool, kind: &str, original: &str) -> String {
    if name.is_empty() {
        return format!("{kind}_{}", hash(original));
    }
    let is_reserved = RESERVED.binary_search(&&*name).is_ok();
    let begins_with_digit = name.starts_with(|first: char| first.is_ascii_digit());
    let name = if is_taken || is_reserved || begins_with_digit { format!("_{name}") } else { name };
    match name.len() > MAX_BYTES {
        true => format!("{}_{}", &name[..LONG_BYTES], hash(&name)),
        false => name,
    }
}

/// Returns the first digits of the digest of a text.
fn hash(text: &str) -> String {
    hex_digest(text)[..HASH_DIGITS].to_owned()
}

/// Returns a text in snake case, as the library go-snakecase makes it, by which Segment names tables and columns. Only
/// ASCII letters, digits and underscores stay. Every other byte ends a word.
fn snake_case(text: &str) -> String {
    let bytes = text.as_bytes();
    let (plain, mut rest) = bytes.split_at(plain_length(bytes));
    let mut name: Vec<u8> = plain.to_vec();
    // Digits and the capitals after them are one word: 5TEst, edf_6N.
    let last_word = plain.rsplit(|byte| *byte == b'_').next().unwrap_or_default();
    let mut continues =
        !last_word.iter().any(u8::is_ascii_lowercase) && rest.first().is_some_and(u8::is_ascii_uppercase);
    while let Some(start) = rest.iter().position(u8::is_ascii_alphanumeric) {
        if !continues && !name.is_empty() {
            name.push(b'_');
        }
        continues = false;
        rest = &rest[start..];
        // A word is capitals, and then small letters. Digits are both.
        let capitals = run(rest, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let small = run(&rest[capitals..], |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let (word, after) = rest.split_at(capitals + small);
        name.extend(word.iter().map(u8::to_ascii_lowercase));
        rest = after;
    }
    String::from_utf8(name).unwrap_or_default()
}

/// Returns the length of the part that is in snake case already: small letters and digits, with single underscores
/// between them.
fn plain_length(bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let end = (0..bytes.len()).find(|at| match bytes[*at] {
        b'_' => *at == 0 || !bytes.get(at + 1).is_some_and(is_plain),
        byte => !is_plain(&byte),
    });
    end.unwrap_or(bytes.len())
}

fn run(bytes: &[u8], is_in: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is_in(byte)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// From the tests of go-snakecase 6f94919 and from a dump of a warehouse that Segment made.
    const NAMES: [(&str, &str); 62] = [
        ("@49L0S145_¬fwHƒ0TSLNVp", "49l0s145_fw_h_0tslnvp"),
        ("lk0B@bFmjrLQ_Z6YL", "lk0_b_b_fmjr_lq_z6yl"),
        ("samPLE text", "sam_ple_text"),
        ("sample text", "sample_text"),
        ("sample-text", "sample_text"),
        ("sample_text", "sample_text"),
        ("sample___text", "sample_text"),
        ("sampleText", "sample_text"),
        ("inviteYourCustomersAddInvites", "invite_your_customers_add_invites"),
        ("sample 2 Text", "sample_2_text"),
        ("   sample   2    Text   ", "sample_2_text"),
        ("   $#$sample   2    Text   ", "sample_2_text"),
        ("SAMPLE 2 TEXT", "sample_2_text"),
        ("___$$Base64Encode", "base64_encode"),
        ("FOO:BAR$BAZ", "foo_bar_baz"),
        ("FOO#BAR#BAZ", "foo_bar_baz"),
        ("something.com", "something_com"),
        ("$something%", "something"),
        ("•¶§ƒ˚foo˙∆˚¬", "foo"),
        ("CStringRef", "cstring_ref"),
        ("5test", "5test"),
        ("test5", "test5"),
        ("THE5r", "the5r"),
        ("5TEst", "5test"),
        ("_5TEst", "5test"),
        ("@%#&5TEst", "5test"),
        ("edf_6N", "edf_6n"),
        ("f_pX9", "f_p_x9"),
        ("p_z9Rg", "p_z9_rg"),
        ("2FA Enabled", "2fa_enabled"),
        ("Enabled 2FA", "enabled_2fa"),
        ("HowIUseIt", "how_iuse_it"),
        ("DotNetVersion", "dot_net_version"),
        ("language1Iso639Code", "language1_iso639_code"),
        ("user.login.success", "user_login_success"),
        ("UILanguage", "uilanguage"),
        ("OSVersion", "osversion"),
        ("Save ePUB", "save_e_pub"),
        ("X-Parse-REST-API-Key", "x_parse_rest_api_key"),
        ("iPhone", "i_phone"),
        ("ISO8601Date", "iso8601date"),
        ("v2.0", "v2_0"),
        ("Café", "caf"),
        ("naïve", "na_ve"),
        ("日本語", ""),
        ("___", ""),
        ("ÀÉ", ""),
        ("", ""),
        ("a b", "a_b"),
        ("a.b", "a_b"),
        ("a-b", "a_b"),
        ("aB", "a_b"),
        ("A_B", "a_b"),
        ("a__b", "a_b"),
        ("AB", "ab"),
        ("Ab", "ab"),
        ("_a", "a"),
        ("a_", "a"),
        ("a_b_", "a_b"),
        ("__proto__", "proto"),
        ("$ip", "ip"),
        ("\u{0}a\u{0}", "a"),
    ];

    #[test]
    fn names_are_those_of_segment() {
        for (original, expected) in NAMES {
            assert_eq!(snake_case(original), expected, "{original:?}");
        }
    }

    #[test]
    fn what_postgresql_would_refuse_cut_or_mix_up_gets_a_name_of_its_own() {
        for (property, expected) in [
            ("user", "_user"),
            ("Tag", "_tag"),
            ("language", "language"),
            ("timestamp", "timestamp"),
            ("ctid", "_ctid"),
            ("tableoid", "_tableoid"),
            ("oid", "oid"),
            ("101AccountUpdate", "_101account_update"),
            ("", "column_e3b0c442"),
            ("日本語", "column_77710aed"),
        ] {
            assert_eq!(column(property), expected, "{property:?}");
        }
        for (event, expected) in [
            ("Users", "_users"),
            ("tracks", "_tracks"),
            ("Segue Discards", "_segue_discards"),
            ("Order Completed", "order_completed"),
            ("Select", "_select"),
            ("Tracks pkey", "tracks_pkey_"),
            ("___", "event_bda25155"),
        ] {
            assert_eq!(event_table(event), expected, "{event:?}");
        }
        assert_eq!((&*schema("Shop EU"), &*schema("pg_shop")), ("shop_eu", "_pg_shop"));
    }

    #[test]
    fn long_names_that_begin_alike_stay_apart() {
        let names: BTreeSet<String> =
            (0..100).map(|number| column(&format!("{}{number}", "long ".repeat(40)))).collect();
        assert_eq!(names.len(), 100);
        assert!(names.iter().all(|name| name.len() == MAX_BYTES && name.starts_with("long_long_")));
        assert_eq!(column(&"x".repeat(MAX_BYTES)), "x".repeat(MAX_BYTES));
    }

    #[test]
    fn the_reserved_words_are_sorted() {
        assert!(RESERVED.is_sorted());
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_postgresql_takes_without_quotes(original in "\\PC{0,90}|[A-Za-z0-9_ .]{0,90}") {
            for name in [column(&original), event_table(&original), schema(&original)] {
                prop_assert!((1..=MAX_BYTES).contains(&name.len()), "{}", name);
                prop_assert!(!name.starts_with(|first: char| first.is_ascii_digit()), "{}", name);
                let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
                prop_assert!(name.bytes().all(is_plain), "{}", name);
                prop_assert!(RESERVED.binary_search(&&*name).is_err(), "{}", name);
            }
        }

        #[test]
        fn a_name_in_snake_case_stays(original in "[A-Za-z0-9_ .]{0,60}") {
            let once = snake_case(&original);
            prop_assert_eq!(snake_case(&once), once);
        }
    }
}
