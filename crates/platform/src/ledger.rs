//! Who signed up before: each user signs up once, whatever crashes and however many logins come at once.

use std::{error::Error, future::Future};

/// What a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The user's sign-up. The caller publishes it and then [confirms](Ledger::confirm) it.
    SignUp,
    /// One more login of a user who signed up before.
    Login,
}

/// Which users have signed up before.
///
/// `user` is a key that the caller already hashed: no personal data comes into the ledger.
pub trait Ledger: Send + Sync {
    /// Says whether this login is the user's sign-up, and remembers that it was asked. `known` means that the
    /// caller knows from elsewhere that the user signed up before; it counts only at the first sight of a user.
    ///
    /// It is [`Claim::SignUp`] for a user never seen, unless `known`, and again for one whose sign-up was
    /// claimed and not confirmed: the claimer crashed or is still at it. A repeat must carry the message id that
    /// derives from the user alone, so that it is the same message. It is [`Claim::Login`] for every other.
    ///
    /// # Errors
    /// [`LedgerError`] when it is not known. The claim may be remembered by then; asking again is safe.
    fn claim(&self, user: &str, known: bool) -> impl Future<Output = Result<Claim, LedgerError>> + Send;

    /// The sign-up is published: every later claim is a login. Confirming again changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`] when that is not known to be remembered: a later claim may be a sign-up again.
    fn confirm(&self, user: &str) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// The ledger did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the ledger of sign-ups did not answer")]
pub struct LedgerError(#[source] pub Box<dyn Error + Send + Sync>);
