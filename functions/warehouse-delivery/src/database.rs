//! Where the database is, and how to connect to it: a connection string as PostgreSQL's own programs take it, or a JSON
//! object as Amazon RDS stores it in Secrets Manager.

use std::{fs, net::IpAddr};

use form_urlencoded::byte_serialize;
use platform::{http::public_roots, telemetry::Chain};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::{Map, Value};
use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};

use crate::tls::{Check, Tls};

/// An example for errors.
const EXAMPLE: &str = "postgres://user:password@host:5432/database";

/// The roots of Amazon RDS. It is parsed only for hosts of RDS.
const RDS_ROOTS: &str = include_str!("rds-roots.pem");

/// The number of bytes of a fingerprint.
const FINGERPRINT_BYTES: usize = 32;

/// How to connect to a database.
pub struct Database {
    /// The settings of the connection, without those of TLS.
    pub config: Config,
    /// TLS, unless the connection stays on this machine.
    pub tls: Option<Tls>,
    /// Whether the certificate of the server is not checked.
    pub is_unchecked: bool,
}

/// The settings of TLS, by the names of PostgreSQL's own connection strings.
#[derive(Default)]
struct TlsSettings {
    sslmode: Option<String>,
    /// The certificate of the server's CA as PEM.
    ca: Option<String>,
    /// The SHA-256 of the server's certificate in hexadecimal digits.
    fingerprint: Option<String>,
}

impl Database {
    /// Reads a connection string, or a JSON object with `url` and perhaps `password`, or with `host`, `port`, `username`,
    /// `password` and `dbname`. The object may have `ca`, `fingerprint` and `sslmode`. A connection string may have `sslmode`,
    /// `sslrootcert` with the path of a file, and `sslfingerprint`.
    ///
    /// # Errors
    /// A sentence that says what is wrong. It quotes no secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("it is empty; give {EXAMPLE}"));
        }
        if text.starts_with('{') {
            let object = segment::json::parse_object(text.as_bytes());
            return Self::from_json(&object.map_err(|_| "it is not a JSON object".to_owned())?);
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(format!("it is not a connection string such as {EXAMPLE}"));
        }
        let (url, settings) = split(text)?;
        Self::new(&url, &settings)
    }

    fn from_json(object: &Map<String, Value>) -> Result<Self, String> {
        let text = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(format!("{name:?} is not a text")),
        };
        let (url, mut settings) = match text("url")? {
            Some(url) => split(&url)?,
            None => {
                let required = |name: &str| text(name)?.ok_or_else(|| format!("it has no {name:?}"));
                let encoded =
                    |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
                let user = encoded(&required("username")?);
                required("password")?;
                let (host, port) = (required("host")?, text("port")?.unwrap_or_else(|| "5432".to_owned()));
                let database = encoded(&text("dbname")?.unwrap_or_else(|| "postgres".to_owned()));
                (format!("postgres://{user}@{host}:{port}/{database}"), TlsSettings::default())
            }
        };
        settings.sslmode = text("sslmode")?.or(settings.sslmode);
        settings.ca = text("ca")?.or(settings.ca);
        settings.fingerprint = text("fingerprint")?.or(settings.fingerprint);
        let mut database = Self::new(&url, &settings)?;
        if let Some(password) = text("password")? {
            database.config.password(password);
        }
        Ok(database)
    }

    fn new(url: &str, settings: &TlsSettings) -> Result<Self, String> {
        // The library's error names an option, and never its value.
        let mut config: Config = url
            .parse()
            .map_err(|error: tokio_postgres::Error| format!("it cannot be read: {}", Chain(&error)))?;
        if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
            return Err("its password has an @; write %40 in its place".to_owned());
        }
        if config.get_hosts().is_empty() {
            return Err(format!("it names no host; give {EXAMPLE}"));
        }
        let is_local = config.get_hosts().iter().all(is_local);
        let check = settings.check(is_local, config.get_hosts().iter().any(is_rds))?;
        let is_unchecked = matches!(check, Some(Check::None));
        let tls = check.map(|check| Tls::new(&check)).transpose().map_err(|error| error.to_string())?;
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        // After a fail-over an old connection may lead to a server that takes no changes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(super::session::CONNECT_TIME);
        config.application_name("segue");
        Ok(Self { config, tls, is_unchecked })
    }

    /// Returns the server's address for people.
    pub fn address(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        format!("{host}:{}", self.config.get_ports().first().copied().unwrap_or(5432))
    }

    /// Returns the role that connects.
    pub fn role(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// Returns the name of the database.
    pub fn name(&self) -> &str {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or_default()
    }
}

/// Splits a connection string: the part that the library reads, and the settings that it does not know.
fn split(text: &str) -> Result<(String, TlsSettings), String> {
    let mut settings = TlsSettings::default();
    let Some((url, query)) = text.split_once('?') else { return Ok((text.to_owned(), settings)) };
    let mut others = Vec::new();
    for option in query.split('&') {
        let decoded = form_urlencoded::parse(option.as_bytes()).next();
        let Some((name, value)) = decoded else { continue };
        match &*name {
            "sslmode" => settings.sslmode = Some(value.into_owned()),
            "sslfingerprint" => settings.fingerprint = Some(value.into_owned()),
            "sslrootcert" if value == "system" => {}
            "sslrootcert" => {
                let read = fs::read_to_string(&*value);
                settings.ca =
                    Some(read.map_err(|error| format!("sslrootcert {value} cannot be read: {error}"))?);
            }
            _ => others.push(option),
        }
    }
    let query = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
    Ok((format!("{url}{query}"), settings))
}

impl TlsSettings {
    /// Returns how the certificate is checked. `None` is a connection without TLS.
    fn check(&self, is_local: bool, is_rds: bool) -> Result<Option<Check>, String> {
        let fingerprint = self.fingerprint.as_deref().map(fingerprint).transpose()?;
        let roots = self.ca.as_deref().map(roots).transpose()?;
        if fingerprint.is_some() && roots.is_some() {
            return Err("it has a CA and a fingerprint; give one of them".to_owned());
        }
        let given = fingerprint.map(Check::Fingerprint).or(roots.map(Check::Roots));
        match self.sslmode.as_deref() {
            None if is_local && given.is_none() => Ok(None),
            Some("disable") if is_local => Ok(None),
            Some("disable") => Err(
                "sslmode=disable would send the password and all messages in plain text; use verify-full, \
                     or require, which encrypts but does not check who the server is"
                    .to_owned(),
            ),
            Some("require") => Ok(Some(given.unwrap_or(Check::None))),
            None | Some("verify-full") => match given {
                Some(given) => Ok(Some(given)),
                None => Ok(Some(Check::Roots(known_roots(is_rds)?))),
            },
            Some(_) => Err("its sslmode is unknown; use verify-full, require or disable".to_owned()),
        }
    }
}

/// Returns the public roots, and those of Amazon RDS for its hosts: they are in no public list.
fn known_roots(is_rds: bool) -> Result<RootCertStore, String> {
    let mut known = public_roots();
    if is_rds {
        known.roots.extend(roots(RDS_ROOTS)?.roots);
    }
    Ok(known)
}

fn roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("its CA is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("its CA is not a certificate: {error}"))?;
    }
    if roots.is_empty() { Err("its CA holds no certificate in PEM".to_owned()) } else { Ok(roots) }
}

/// Reads 64 hexadecimal digits. They may have colons between them, as OpenSSL prints them.
fn fingerprint(text: &str) -> Result<[u8; FINGERPRINT_BYTES], String> {
    let refused =
        || "its fingerprint is not the SHA-256 of a certificate in 64 hexadecimal digits".to_owned();
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| *character != ':')
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(refused))
        .collect::<Result<_, _>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len().is_multiple_of(2) { bytes.try_into().map_err(|_| refused()) } else { Err(refused()) }
}

/// Whether a host is one of Amazon RDS.
fn is_rds(host: &Host) -> bool {
    match host {
        Host::Unix(_) => false,
        Host::Tcp(name) => name.ends_with(".rds.amazonaws.com"),
    }
}

/// Whether a host is this machine.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899";

    fn database(text: &str) -> Result<(String, Option<bool>), String> {
        Database::parse(text).map(|database| {
            let address = format!("{}@{}/{}", database.role(), database.address(), database.name());
            (address, database.tls.is_some().then_some(!database.is_unchecked))
        })
    }

    #[test]
    fn a_connection_string_or_the_secret_of_rds_says_where_the_database_is() {
        let pinned = format!("postgres://u@db.example.com/d?sslfingerprint={PIN}");
        for (text, address, checked) in [
            ("postgres://u:p@db.example.com/d", "u@db.example.com:5432/d", Some(true)),
            (
                "postgresql://u:p@db.example.com:6432/d?sslmode=verify-full",
                "u@db.example.com:6432/d",
                Some(true),
            ),
            (
                "postgresql://u:p@ep-x.eu-central-1.aws.neon.tech/d?sslmode=require&channel_binding=require",
                "u@ep-x.eu-central-1.aws.neon.tech:5432/d",
                Some(false),
            ),
            (&pinned, "u@db.example.com:5432/d", Some(true)),
            ("postgres://u:p@localhost/d", "u@localhost:5432/d", None),
            ("postgres://u:p@127.0.0.1:5433/d", "u@127.0.0.1:5433/d", None),
            ("postgres://u:p@localhost/d?sslmode=require", "u@localhost:5432/d", Some(false)),
            ("postgres://u@%2Frun%2Fpostgresql/d", "u@/run/postgresql:5432/d", None),
            ("postgres://u@localhost/", "u@localhost:5432/u", None),
            (
                r#"{"engine":"postgres","host":"x.rds.amazonaws.com","port":5433,"username":"u ser","password":"p@:/?#+ %","dbname":"d"}"#,
                "u ser@x.rds.amazonaws.com:5433/d",
                Some(true),
            ),
            (r#"{"host":"h","username":"u","password":"p"}"#, "u@h:5432/postgres", Some(true)),
            (r#"{"url":"postgres://u:p@h/d","sslmode":"require"}"#, "u@h:5432/d", Some(false)),
        ] {
            assert_eq!(database(text).unwrap(), (address.to_owned(), checked), "{text}");
        }
    }

    #[test]
    fn the_roots_of_rds_are_known_and_are_trusted_for_its_hosts_alone() {
        let count = |is_rds| known_roots(is_rds).unwrap().len();
        assert_eq!(count(true) - count(false), 92);
        for (host, expected) in [
            ("db.abc.eu-central-1.rds.amazonaws.com", true),
            ("db.abc.rds.cn-north-1.amazonaws.com.cn", false),
            ("db.example.com", false),
            ("rds.amazonaws.com.example.com", false),
        ] {
            assert_eq!(is_rds(&Host::Tcp(host.to_owned())), expected, "{host}");
        }
    }

    #[test]
    fn the_password_of_a_secret_is_taken_as_it_is() {
        for secret in [
            r#"{"host":"h","username":"u","password":"p@:/?#+ %41é"}"#,
            r#"{"url":"postgres://u@h/d","password":"p@:/?#+ %41é"}"#,
        ] {
            let database = Database::parse(secret).unwrap();
            assert_eq!(database.config.get_password().unwrap(), "p@:/?#+ %41é".as_bytes(), "{secret}");
        }
    }

    #[test]
    fn a_wrong_setting_is_refused_with_the_reason_and_without_the_password() {
        for (text, expected) in [
            ("", "it is empty"),
            ("mysql://u:hunter2@h/d", "it is not a connection string"),
            ("postgres://u:hunter2@h/d?sslmode=disable", "plain text"),
            ("postgres://u:hunter2@h/d?sslmode=prefer", "its sslmode is unknown"),
            ("postgres://u:hunter2@h:x/d", "it cannot be read"),
            ("postgres://u:hunter2@/d", "it names no host"),
            ("postgres://u:hunter2@h/d?color=red", "unknown option `color`"),
            ("postgres://u:hun@ter2@h/d", "its password has an @"),
            ("postgres://u:hunter2@h/d?sslrootcert=/nowhere", "sslrootcert /nowhere cannot be read"),
            ("postgres://u:hunter2@h/d?sslfingerprint=abc", "its fingerprint is not"),
            (r#"{"host":"h","password":"hunter2"}"#, r#"it has no "username""#),
            (r#"{"url":"postgres://u:hunter2@h/d","ca":"x"}"#, "its CA holds no certificate"),
            (r#"{"url":["hunter2"]}"#, r#""url" is not a text"#),
            ("{hunter2", "it is not a JSON object"),
        ] {
            let error = database(text).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
