//! To whom the page is open, as options.

use std::{net::SocketAddr, sync::Arc};

use clap::{Args, ValueEnum};
use segment::Secret;

use crate::{CommandError, debugger::Access};

/// The shortest token, in characters.
const SHORTEST: usize = 16;

/// Options about the page.
#[derive(Args)]
pub struct PageOptions {
    /// To whom the page is open, with its buttons and with what `segue tail` and `segue redrive` ask a running server
    #[arg(long, env = "SEGUE_PAGE", value_enum, default_value = "loopback", value_name = "WHO")]
    page: Page,
    /// The token that opens the page to everyone; without it a new one is made at each start
    #[arg(long, env = "SEGUE_PAGE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    page_token: Option<String>,
}

/// To whom the page is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Page {
    /// To nobody
    Off,
    /// To this machine
    Loopback,
    /// To whoever has the token
    Everyone,
}

impl PageOptions {
    /// Who is let in; None is nobody.
    ///
    /// # Errors
    /// A sentence when the token is not one.
    pub fn access(&self) -> Result<Option<Access>, CommandError> {
        match self.page {
            Page::Off => Ok(None),
            Page::Loopback => Ok(Some(Access::Loopback)),
            Page::Everyone => Ok(Some(Access::Token(Arc::new(self.token()?)))),
        }
    }

    fn token(&self) -> Result<Secret, CommandError> {
        let Some(token) = &self.page_token else { return random() };
        // It goes into a link and into a cookie.
        if token.len() < SHORTEST
            || !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(format!(
                "SEGUE_PAGE_TOKEN is not usable: it needs {SHORTEST} characters or more, of letters, digits, - and _; \
                 openssl rand -hex 16 makes one"
            )
            .into());
        }
        Ok(Secret::new(token))
    }
}

fn random() -> Result<Secret, CommandError> {
    let mut bytes = [0; 16];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| "the system gives no random numbers; set SEGUE_PAGE_TOKEN")?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// The page's address for a person; with its token where it needs one.
pub fn link(address: SocketAddr, access: Option<&Access>) -> String {
    let base = format!("http://{}/", super::reachable(address));
    match access {
        None => "off; --page loopback turns it on".to_owned(),
        Some(Access::Loopback) => base,
        Some(Access::Token(token)) => format!("{base}?token={}", token.expose()),
    }
}
