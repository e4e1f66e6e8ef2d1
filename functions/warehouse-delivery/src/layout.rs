//! The tables of Segment's warehouses and their columns (Segment docs, "Warehouse Schemas", and a dump of a warehouse that
//! Segment made).

use crate::value::ColumnType;

/// The kinds of tables that messages become rows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableKind {
    /// One row for each track call, without its properties.
    Tracks,
    /// One row for each track call of one event, with its properties.
    Event,
    /// One row for each identify call.
    Identifies,
    /// One row for each user, with the latest value of each trait.
    Users,
    /// One row for each page call.
    Pages,
    /// One row for each screen call.
    Screens,
    /// One row for each group call.
    Groups,
    /// One row for each group, with the latest value of each trait.
    Accounts,
    /// One row for each alias call.
    Aliases,
}

/// A column's name and type.
pub type NamedColumn = (&'static str, ColumnType);

/// The columns that begin every table, in this order. The first is the primary key, with the type [`ID_TYPE`].
pub const FIRST_COLUMNS: [NamedColumn; 3] = [
    ("id", ColumnType::Text),
    ("received_at", ColumnType::Timestamptz),
    ("uuid_ts", ColumnType::Timestamptz),
];

/// The type of the column `id` in Segment's warehouses.
pub const ID_TYPE: &str = "character varying(1024)";

/// The most characters of an `id`.
pub const MAX_ID_CHARACTERS: usize = 1024;

/// The column with the version of each value of a row of `users` or `accounts`: which message it came with.
pub const VERSIONS: &str = "segue_versions";

/// The columns of the call itself. A property with the name of one is discarded.
const CALL: [NamedColumn; 5] = [
    ("anonymous_id", ColumnType::Text),
    ("user_id", ColumnType::Text),
    ("original_timestamp", ColumnType::Timestamptz),
    ("sent_at", ColumnType::Timestamptz),
    ("timestamp", ColumnType::Timestamptz),
];

/// The columns of `context` that packages for Segment's warehouses read. A column that no message had a value for would
/// be missing, and these packages would fail.
const CONTEXT: [&str; 16] = [
    "context_campaign_content",
    "context_campaign_medium",
    "context_campaign_name",
    "context_campaign_source",
    "context_campaign_term",
    "context_ip",
    "context_library_name",
    "context_library_version",
    "context_locale",
    "context_page_path",
    "context_page_referrer",
    "context_page_search",
    "context_page_title",
    "context_page_url",
    "context_timezone",
    "context_user_agent",
];

impl TableKind {
    /// Returns the table's name. An event's table has a name of its own.
    pub fn table(self) -> &'static str {
        match self {
            Self::Tracks | Self::Event => "tracks",
            Self::Identifies => "identifies",
            Self::Users => "users",
            Self::Pages => "pages",
            Self::Screens => "screens",
            Self::Groups => "groups",
            Self::Accounts => "accounts",
            Self::Aliases => "aliases",
        }
    }

    /// Whether a row holds the latest values of many messages.
    pub fn is_latest(self) -> bool {
        matches!(self, Self::Users | Self::Accounts)
    }

    /// Returns the columns that this kind has beside those of all calls.
    fn own(self) -> &'static [&'static str] {
        match self {
            Self::Tracks | Self::Event => &["event", "event_text"],
            Self::Pages => &["name", "category", "path", "referrer", "search", "title", "url"],
            Self::Screens => &["name", "category"],
            Self::Groups => &["group_id"],
            Self::Aliases => &["previous_id"],
            Self::Accounts => &["user_id"],
            Self::Identifies | Self::Users => &[],
        }
    }

    /// Returns the columns of a new table after [`FIRST_COLUMNS`].
    pub fn columns(self) -> impl Iterator<Item = NamedColumn> {
        let call = if self.is_latest() { &[][..] } else { &CALL };
        let versions = self.is_latest().then_some((VERSIONS, ColumnType::Json));
        let texts = self.own().iter().chain(&CONTEXT).map(|name| (*name, ColumnType::Text));
        versions.into_iter().chain(call.iter().copied()).chain(texts)
    }

    /// Whether a property or trait of this name is discarded, because the name belongs to a column that Segment fills
    /// (Segment docs, "Warehouse Schemas").
    pub fn is_standard(self, column: &str) -> bool {
        let properties = if self == Self::Pages { &self.own()[..1] } else { self.own() };
        column == VERSIONS
            || FIRST_COLUMNS.iter().chain(&CALL).any(|(name, _)| *name == column)
            || properties.contains(&column)
    }
}
