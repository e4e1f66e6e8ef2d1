//! A login that may be a sign-up: claim, publish, confirm.
//!
//! The claim is written before the message is published and confirmed after it, and the sign-up's message id derives
//! from the user. Whatever crashes in between, the next login finds the claim unconfirmed and publishes the same
//! sign-up again: one user has one sign-up, and never none.

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
    /// Publishes a login or a sign-up, and says which it was.
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
            // The message is stored and the confirmation is not: the next login publishes the same sign-up again.
            tracing::warn!(error = %Chain(&error), "A sign-up could not be confirmed in the ledger.");
        }
        Ok(answer(if claim == Claim::SignUp { SIGN_UP } else { LOGIN }, mapping))
    }

    /// Makes the event what the ledger says it is.
    fn apply_claim(&self, event: &mut Event<'_>, claim: Claim, user: String) -> Result<(), Failure> {
        event.time = Time::At(self.clock.now());
        let event_type = if claim == Claim::SignUp { SIGN_UP } else { LOGIN };
        (event.event_type, event.name) = (event_type.into(), event_type.into());
        if claim == Claim::SignUp {
            event.identity = Identity::Event(user.into());
        } else if matches!(event.identity, Identity::Body(_)) {
            // Nothing in a login tells it from the next one, and the next one must count.
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

/// The user in the ledger, which holds no personal data.
fn key(provider: &Provider, user: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("{}\n{user}", provider.name).as_bytes()))
}
