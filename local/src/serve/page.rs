//! To whom the page is open, as options.

use std::{io::IsTerminal, net::SocketAddr, path::Path};

use clap::{Args, ValueEnum};

use crate::{
    debugger::Access,
    error::CommandError,
    options::{page_token, server::reachable},
};

/// Options about the page.
#[derive(Args)]
pub struct PageOptions {
    /// To whom the page is open, with its buttons and with what `segue tail` and `segue redrive` ask a running server
    #[arg(long, env = "SEGUE_PAGE", value_enum, default_value = "loopback", value_name = "WHO")]
    page: Page,
    /// The token that opens the page; without it one is made and kept in the data directory
    #[arg(long, env = "SEGUE_PAGE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    page_token: Option<String>,
}

/// To whom the page is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// To nobody
    Off,
    /// To this machine; with the token once anything is configured
    Loopback,
    /// To whoever has the token
    Everyone,
}

impl PageOptions {
    /// The audience that is configured.
    pub fn audience(&self) -> Result<Page, CommandError> {
        self.page_token.as_deref().map(page_token::parse).transpose()?;
        Ok(self.page)
    }

    /// The access that is configured; None lets in nobody. Only a `trial` needs no token, and only on this machine.
    pub fn access(&self, trial: bool, data_dir: &Path, port: u16) -> Result<Option<Access>, CommandError> {
        let everyone = match self.page {
            Page::Off => return Ok(None),
            Page::Loopback => false,
            Page::Everyone => true,
        };
        let token = match &self.page_token {
            Some(token) => Some(page_token::parse(token)?),
            None if trial && !everyone => None,
            None => Some(page_token::load_or_create(data_dir)?),
        };
        Ok(Some(Access::new(everyone, token, port)))
    }

    /// The page's address for a person. A link with the token goes to a terminal only, and none has a token that somebody set:
    /// whatever else reads the output, such as the log of a container, keeps it.
    pub fn link(&self, address: SocketAddr, access: Option<&Access>, data_dir: &Path) -> String {
        let base = format!("http://{}/", reachable(address));
        let token = match access {
            None => return "off; turn it on with --page loopback".to_owned(),
            Some(access) => &access.token,
        };
        match token {
            None => base,
            Some(_) if self.page_token.is_some() => format!("{base}?token=… with your SEGUE_PAGE_TOKEN"),
            Some(token) if std::io::stdout().is_terminal() => format!("{base}?token={}", token.expose()),
            Some(_) => {
                format!("{base}?token=… with the token in {}", data_dir.join(page_token::FILE).display())
            }
        }
    }
}
