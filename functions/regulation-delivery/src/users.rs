//! The distinct users of a batch.

use std::collections::HashMap;

/// Distinct users, and the messages that request each of them.
pub(crate) struct Users<'a> {
    /// Each id once, in the order of its first message.
    pub(crate) ids: Vec<&'a str>,
    /// For each message, the index of its user in `ids`.
    places: Vec<usize>,
}

impl<'a> Users<'a> {
    /// Returns the users of messages, by their ids.
    pub(crate) fn new(of_messages: impl Iterator<Item = &'a str>) -> Self {
        let (mut ids, mut known) = (Vec::new(), HashMap::new());
        let place = |id| {
            *known.entry(id).or_insert_with(|| {
                ids.push(id);
                ids.len() - 1
            })
        };
        let places = of_messages.map(place).collect();
        Self { ids, places }
    }

    /// Returns the result of each message, from the result of each user.
    pub(crate) fn by_message<T: Clone>(&self, by_user: &[T]) -> Vec<T> {
        self.places.iter().map(|place| by_user[*place].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_requested_once_and_the_outcome_applies_to_every_message() {
        let users = Users::new(["a", "b", "a", "c", "b"].into_iter());
        assert_eq!(users.ids, ["a", "b", "c"]);
        assert_eq!(users.by_message(&[1, 2, 3]), [1, 2, 1, 3, 2]);
        assert!(Users::new([].into_iter()).by_message::<u8>(&[]).is_empty());
    }
}
