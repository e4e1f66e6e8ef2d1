//! Handles a login that may be a sign-up: claim, publish, confirm.
//!
//! The claim is stored before the message is published, and confirmed after it. The sign-up's message id
//! depends only on the user. After a crash in between, the next login finds an unconfirmed claim and
//! publishes the same sign-up again. So each user has exactly one sign-up.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{Event, Identity, LOGIN, MapError, Mapper, Mapping, Provider, SIGN_UP, Time};
use platform::{
    ledger::{Claim, Ledger},
    telemetry::Chain,
    topic::Topic,
};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use serde_json::json;

use crate::{
    handler::{Answer, Handler, count},
    response::{self, Failure},
};

impl<L: Ledger> Handler<L> {
    /// Publishes a login or a sign-up. The answer says which one it was.
    pub(crate) async fn log_in(
        &self,
        provider: &'static Provider,
        mapper: &Mapper<'_>,
        body: &[u8],
        topic: &impl Topic,
    ) -> Result<Answer, Failure> {
        let body = provider.read(body)?;
        let mut events = body.events()?;
        let Some(Ok(event)) = events.list.first_mut() else {
            let mapping = mapper.map(events)?;
            count(&mapping);
            return Ok(answer("skipped", mapping));
        };
        let user = event.subject.user_id().map_err(MapError::from)?.to_owned();
        let key = key(provider, &user);
        let known = event.event_type == LOGIN;
        let claim = self.ledger.claim(&key, known).await.map_err(|error| {
            tracing::error!(error = %Chain(&error), "The ledger of sign-ups did not answer.");
            Failure::NotStored
        })?;
        self.apply_claim(event, claim, user)?;
        let mapping = mapper.map(events)?;
        count(&mapping);
        self.publish(provider, &mapping.messages, topic).await?;
        if claim == Claim::SignUp
            && let Err(error) = self.ledger.confirm(&key).await
        {
            // The message is stored but the confirmation is not. The next login publishes the same sign-up
            // again.
            tracing::warn!(error = %Chain(&error), "A sign-up could not be confirmed in the ledger.");
        }
        Ok(answer(if claim == Claim::SignUp { SIGN_UP } else { LOGIN }, mapping))
    }

    /// Turns the event into a sign-up or a login, as the ledger claims.
    fn apply_claim(&self, event: &mut Event<'_>, claim: Claim, user: String) -> Result<(), Failure> {
        event.time = Time::At(self.clock.now());
        let event_type = if claim == Claim::SignUp { SIGN_UP } else { LOGIN };
        (event.event_type, event.name) = (event_type.into(), event_type.into());
        if claim == Claim::SignUp {
            event.identity = Identity::Event(user.into());
        } else if matches!(event.identity, Identity::Body(_)) {
            // A login has no id of its own, and the next login must count too.
            let mut unique = [0; 16];
            SystemRandom::new().fill(&mut unique).map_err(|_| Failure::NotStored)?;
            event.identity = Identity::Event(URL_SAFE_NO_PAD.encode(unique).into());
        }
        Ok(())
    }
}

fn answer(event: &str, mapping: Mapping) -> Answer {
    Answer { response: response::ok(&json!({"event": event})), mapping: Some(mapping) }
}

/// Returns the user's key in the ledger, which holds no personal data.
fn key(provider: &Provider, user: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("{}\n{user}", provider.name).as_bytes()))
}
