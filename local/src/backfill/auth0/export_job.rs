//! An export that Auth0 is asked for: a job is made, waited for, and its file fetched.
//!
//! The job's id and the file stay in the data directory until all is sent, so that an interrupted run asks for no
//! second export.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use http::Method;
use segment::Secret;
use serde_json::{Value, json};

use super::fetch::{base, fetch};
use crate::{
    backfill::{
        api::{Api, Side},
        checkpoint::State,
        surroundings::Surroundings,
    },
    error::CommandError,
};

const AUTH0: Side = Side {
    name: "Auth0",
    address: "--domain",
    credentials: "AUTH0_MANAGEMENT_TOKEN must be a token of the Management API, not yet expired, with the scope \
                  read:users (Auth0: Applications, APIs, Auth0 Management API, API Explorer)",
};

/// What the mapping can make use of. Of an export's 30 fields these are 16.
const FIELDS: [&str; 16] = [
    "user_id",
    "email",
    "email_verified",
    "username",
    "phone_number",
    "phone_verified",
    "created_at",
    "updated_at",
    "identities",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "blocked",
    "logins_count",
];

/// Only a mapping of one's own can name members of these.
const METADATA: [&str; 2] = ["user_metadata", "app_metadata"];

/// How long to wait before a job is looked at again: at first, and at most.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How long Auth0 may take: then the job is gone.
const LONGEST_JOB: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a file is fetched that breaks off. Its address is good for a minute, so each time it is a new one.
const FETCHES: u32 = 8;

/// What to ask for.
pub struct ExportJob<'a> {
    /// The tenant's domain.
    pub domain: &'a str,
    /// A token of the Management API.
    pub token: Secret,
    /// Whether metadata may be of use.
    pub with_metadata: bool,
    /// Where the file goes.
    pub directory: &'a Path,
    /// The backfill's name.
    pub name: &'a str,
}

/// A fetched file.
pub struct Fetched {
    path: PathBuf,
    /// Whether it goes. A dry run leaves nothing behind, however it ends.
    temporary: bool,
}

impl Fetched {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it once the run has ended and that is kept: it holds all users.
    pub fn done_with(&mut self) {
        self.temporary = true;
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl ExportJob<'_> {
    /// The file, fetched now or before.
    ///
    /// # Errors
    /// A sentence when Auth0 refuses, the job fails, or the file cannot be kept.
    pub async fn fetched(
        &self,
        mut state: Option<&mut State>,
        surroundings: &Surroundings,
    ) -> Result<Fetched, CommandError> {
        let extension = if state.is_some() { "export" } else { "dry-run-export" };
        let path = self.directory.join(format!("{}.{extension}", self.name));
        let fetched = Fetched { path, temporary: state.is_none() };
        let kept = state.as_ref().map_or(Value::Null, |state| state.checkpoint.source.clone());
        if kept["fetched"] == true && fetched.path.exists() {
            return Ok(fetched);
        }
        let authorization = Secret::new(format!("Bearer {}", self.token.expose()));
        let base = base(self.domain)?;
        let mut api = Api::new(&AUTH0, &base, vec![("authorization", authorization)], surroundings)?;
        let mut keep = |source: Value| match &mut state {
            Some(state) => {
                state.checkpoint.source = source;
                state.save()
            }
            None => Ok(()),
        };
        let mut job = kept["job"].as_str().map(str::to_owned);
        let mut fetches = 0;
        let mut broken = String::new();
        while fetches < FETCHES {
            let id = match &job {
                Some(id) => id.clone(),
                None => {
                    let id = self.create(&mut api).await?;
                    surroundings.progress.say(&format!("Auth0 makes the export {id}."));
                    keep(json!({"job": id}))?;
                    job.insert(id).clone()
                }
            };
            fetches += 1;
            match location(&mut api, &id, surroundings).await? {
                Some(location) => match surroundings.stop.unless(fetch(&location, &fetched.path)).await? {
                    Ok(()) => {
                        keep(json!({"job": id, "fetched": true}))?;
                        return Ok(fetched);
                    }
                    Err(error) => broken = error.to_string(),
                },
                // A day after it was made a job is gone.
                None => {
                    job = None;
                    broken = "Auth0 does not know it any more".to_owned();
                }
            }
            let wait = platform::retry::wait(fetches, None, fastrand::f64());
            surroundings.stop.unless(surroundings.clock.sleep(wait)).await?;
        }
        Err(format!("the export cannot be fetched: {broken}; the same command tries again").into())
    }

    async fn create(&self, api: &mut Api) -> Result<String, CommandError> {
        let metadata: &[&str] = if self.with_metadata { &METADATA } else { &[] };
        let fields: Vec<Value> = FIELDS.iter().chain(metadata).map(|name| json!({"name": name})).collect();
        let body = json!({"format": "json", "fields": fields});
        let answer = api.call(Method::POST, "/api/v2/jobs/users-exports", Some(&body)).await?;
        match answer {
            Ok(job) => match job["id"].as_str() {
                Some(id) => Ok(id.to_owned()),
                None => Err("Auth0 made no export job; is --domain the domain of the tenant?".into()),
            },
            Err(status) => Err(format!("Auth0 answered {status} and makes no export; check --domain").into()),
        }
    }
}

/// Waits for the job. Returns where its file is; `None` when there is no such job any more.
async fn location(
    api: &mut Api,
    id: &str,
    surroundings: &Surroundings,
) -> Result<Option<String>, CommandError> {
    let mut wait = LOOK_AGAIN.0;
    let began = surroundings.clock.steady();
    loop {
        if surroundings.clock.steady().duration_since(began).unsigned_abs() > LONGEST_JOB {
            return Err(format!(
                "Auth0 has not made the export {id} within a day; is --domain the domain of the tenant? --restart asks for another"
            )
            .into());
        }
        let job = match api.call(Method::GET, &format!("/api/v2/jobs/{id}"), None).await? {
            Ok(job) => job,
            Err(404) => return Ok(None),
            Err(status) => return Err(format!("Auth0 answered {status} about the export {id}").into()),
        };
        match job["status"].as_str() {
            Some("completed") => {
                return match job["location"].as_str() {
                    Some(location) => Ok(Some(location.to_owned())),
                    None => {
                        Err(format!("Auth0 does not say where the export {id} is; begin anew with --restart")
                            .into())
                    }
                };
            }
            Some("failed" | "expired") => {
                return Err(
                    format!("Auth0 failed to make the export {id}; ask for another with --restart").into()
                );
            }
            _ => {}
        }
        surroundings.stop.unless(surroundings.clock.sleep(wait)).await?;
        wait = wait.mul_f64(1.5).min(LOOK_AGAIN.1);
    }
}
