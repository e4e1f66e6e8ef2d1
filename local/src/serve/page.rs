//! The options of the page.

use std::{io::IsTerminal, net::SocketAddr, path::Path};

use clap::{Args, ValueEnum};

use crate::{
    debugger::Access,
    error::CommandError,
    options::{page_token, server::reachable},
};

/// The options of the page.
#[derive(Args)]
pub struct PageOptions {
    /// Who can use the page, segue tail and segue redrive
    #[arg(long, env = "SEGUE_PAGE", value_enum, default_value = "loopback", value_name = "WHO")]
    page: Page,
    /// The token that opens the page; by default a generated one, kept in the data directory
    #[arg(long, env = "SEGUE_PAGE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    page_token: Option<String>,
}

/// The audience of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// Nobody
    Off,
    /// This machine; with the token once anything is configured
    Loopback,
    /// Everybody with the token
    Everyone,
}

impl PageOptions {
    /// Returns the configured audience.
    pub fn audience(&self) -> Result<Page, CommandError> {
        self.page_token.as_deref().map(page_token::parse).transpose()?;
        Ok(self.page)
    }

    /// Returns the configured access. None means that the page is off. Only a `trial` on this machine needs
    /// no token.
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

    /// Returns the page's URL for a person. Only a terminal gets a generated token in the URL, and nothing
    /// gets a configured one: logs keep their input.
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
