//! Takes messages from the webhook queue and posts them, signed, to up to five webhooks.
