//! Auth0 in three ways: a login as a rule or an Action sees it, log streams, and Event Streams. They share a member of
//! the identity secret.

pub(super) mod login;
