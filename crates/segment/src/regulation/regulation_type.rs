//! The effect of a regulation.

use std::{fmt, str::FromStr};

/// The effect of a regulation (Segment docs, "User Deletion and Suppression"). `UNSUPPRESS`, which ends a
/// suppression, is not here, because a deleted user never needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegulationType {
    /// Deletes the user's data at Segment and at destinations that support it. This is the default: a user
    /// who returns with the same id is not silently suppressed.
    #[default]
    DeleteOnly,
    /// Deletes like [`DeleteOnly`](Self::DeleteOnly). Segment then takes nothing more with this id, until
    /// somebody orders `UNSUPPRESS`.
    SuppressWithDelete,
    /// Segment takes nothing more with this id, until somebody orders `UNSUPPRESS`. Existing data stays.
    SuppressOnly,
    /// Deletes the user's data at Segment only.
    DeleteInternal,
    /// Deletes like [`DeleteInternal`](Self::DeleteInternal). Segment then takes nothing more with this id,
    /// until somebody orders `UNSUPPRESS`.
    SuppressWithDeleteInternal,
}

/// The text is not a type of regulation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the regulation type must be DELETE_ONLY, SUPPRESS_WITH_DELETE, SUPPRESS_ONLY, DELETE_INTERNAL or \
     SUPPRESS_WITH_DELETE_INTERNAL"
)]
pub struct RegulationTypeError;

impl RegulationType {
    /// Every type.
    pub const ALL: [Self; 5] = [
        Self::DeleteOnly,
        Self::SuppressWithDelete,
        Self::SuppressOnly,
        Self::DeleteInternal,
        Self::SuppressWithDeleteInternal,
    ];

    /// Returns the type's name in the Public API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeleteOnly => "DELETE_ONLY",
            Self::SuppressWithDelete => "SUPPRESS_WITH_DELETE",
            Self::SuppressOnly => "SUPPRESS_ONLY",
            Self::DeleteInternal => "DELETE_INTERNAL",
            Self::SuppressWithDeleteInternal => "SUPPRESS_WITH_DELETE_INTERNAL",
        }
    }
}

impl FromStr for RegulationType {
    type Err = RegulationTypeError;

    fn from_str(text: &str) -> Result<Self, RegulationTypeError> {
        Self::ALL.into_iter().find(|one| one.as_str() == text.trim()).ok_or(RegulationTypeError)
    }
}

impl fmt::Display for RegulationType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_as_it_is_written_and_the_default_suppresses_nobody() {
        for one in RegulationType::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        assert_eq!(RegulationType::default().as_str(), "DELETE_ONLY");
    }

    #[test]
    fn a_type_that_does_not_follow_from_a_deletion_is_refused() {
        for text in ["UNSUPPRESS", "DELETE_ARCHIVE_ONLY", "delete_only", "DELETE", ""] {
            assert_eq!(text.parse::<RegulationType>(), Err(RegulationTypeError), "{text}");
        }
    }
}
