//! The ledger of sign-ups: each user signs up once, even after crashes and with concurrent logins.

use std::{error::Error, future::Future};

/// The meaning of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The user's sign-up. The caller publishes it and then [confirms](Ledger::confirm) it.
    SignUp,
    /// Another login of a user who signed up before.
    Login,
}

/// Remembers which users have signed up.
///
/// `user` is a key that the caller has hashed: the ledger holds no personal data.
pub trait Ledger: Send + Sync {
    /// Decides whether this login is the user's sign-up, and remembers the claim. `signed_up_before` means
    /// that the user signed up before according to another source. It counts only the first time that the
    /// ledger sees the user.
    ///
    /// Returns [`Claim::SignUp`] for a new user, unless `signed_up_before`. Returns it again for a user whose
    /// sign-up was claimed but not confirmed: the claimer crashed or is still busy. The message id of a
    /// sign-up must depend on the user alone, so that a repeat is the same message. Returns [`Claim::Login`]
    /// for every other user.
    ///
    /// # Errors
    /// [`LedgerError`] when the result is unknown. The claim may be stored; asking again is safe.
    fn claim(
        &self,
        user: &str,
        signed_up_before: bool,
    ) -> impl Future<Output = Result<Claim, LedgerError>> + Send;

    /// Records that the sign-up is published: every later claim is a login. Confirming again changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`] when the confirmation may not be stored: a later claim may then be a sign-up again.
    fn confirm(&self, user: &str) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// The ledger did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the ledger of sign-ups did not answer")]
pub struct LedgerError(#[source] pub Box<dyn Error + Send + Sync>);
