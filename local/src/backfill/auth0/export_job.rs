//! An export that Segue requests from Auth0: it creates a job, waits for it, and downloads the file.
//!
//! The job's id and the file stay in the data directory until all users are sent. So the run after an
//! interrupted one requests no second export.

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
        api::{Api, ApiDescription},
        checkpoint::State,
        context::Context,
    },
    error::CommandError,
};

const AUTH0: ApiDescription = ApiDescription {
    name: "Auth0",
    address: "--domain",
    credentials: "AUTH0_MANAGEMENT_TOKEN must be a token of the Management API, not yet expired, with the scope \
                  read:users (Auth0: Applications, APIs, Auth0 Management API, API Explorer)",
};

/// The fields that the mapping can use: 16 of the 30 that an export may have.
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

/// Fields that only a user's own mapping can read.
const METADATA: [&str; 2] = ["user_metadata", "app_metadata"];

/// How long to wait before polling a job again: at first, and at most.
const POLL_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How long Auth0 may take. After that time it deletes the job.
const LONGEST_JOB: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a download is tried. The file's address is valid for a minute, so each download uses a new one.
const FETCHES: u32 = 8;

/// The export to request.
pub struct ExportJob<'a> {
    /// The tenant's domain.
    pub domain: &'a str,
    /// A token of the Management API.
    pub token: Secret,
    /// Whether the mapping may read metadata.
    pub with_metadata: bool,
    /// The folder for the file.
    pub directory: &'a Path,
    /// The backfill's name.
    pub name: &'a str,
}

/// A downloaded export file.
pub struct FetchedFile {
    path: PathBuf,
    /// Whether to remove it on drop. A dry run leaves no file, however it ends.
    temporary: bool,
}

impl FetchedFile {
    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file on drop. It holds all users, so it must not stay after the last one is sent.
    pub fn remove_on_drop(&mut self) {
        self.temporary = true;
    }
}

impl Drop for FetchedFile {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl ExportJob<'_> {
    /// Returns the file, downloaded now or by an earlier run.
    ///
    /// # Errors
    /// A sentence when Auth0 refuses, the job fails, or the file cannot be written.
    pub async fn fetch_file(
        &self,
        mut state: Option<&mut State>,
        context: &Context,
    ) -> Result<FetchedFile, CommandError> {
        let extension = if state.is_some() { "export" } else { "dry-run-export" };
        let path = self.directory.join(format!("{}.{extension}", self.name));
        let fetched = FetchedFile { path, temporary: state.is_none() };
        let kept = state.as_ref().map_or(Value::Null, |state| state.checkpoint.source.clone());
        if kept["fetched"] == true && fetched.path.exists() {
            return Ok(fetched);
        }
        let authorization = Secret::new(format!("Bearer {}", self.token.expose()));
        let base = base(self.domain)?;
        let mut api = Api::new(&AUTH0, &base, vec![("authorization", authorization)], context)?;
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
                    context.progress.say(&format!("Auth0 is preparing the export {id}."));
                    keep(json!({"job": id}))?;
                    job.insert(id).clone()
                }
            };
            fetches += 1;
            match location(&mut api, &id, context).await? {
                Some(location) => match context.stop.unless(fetch(&location, &fetched.path)).await? {
                    Ok(()) => {
                        keep(json!({"job": id, "fetched": true}))?;
                        return Ok(fetched);
                    }
                    Err(error) => broken = error.to_string(),
                },
                // Auth0 deletes a job after a day.
                None => {
                    job = None;
                    broken = "Auth0 no longer has it".to_owned();
                }
            }
            let wait = platform::backoff::wait(fetches, None, fastrand::f64());
            context.stop.unless(context.clock.sleep(wait)).await?;
        }
        Err(format!("the export cannot be downloaded: {broken}; run the same command again").into())
    }

    async fn create(&self, api: &mut Api) -> Result<String, CommandError> {
        let metadata: &[&str] = if self.with_metadata { &METADATA } else { &[] };
        let fields: Vec<Value> = FIELDS.iter().chain(metadata).map(|name| json!({"name": name})).collect();
        let body = json!({"format": "json", "fields": fields});
        let answer = api.call(Method::POST, "/api/v2/jobs/users-exports", Some(&body)).await?;
        match answer {
            Ok(job) => match job["id"].as_str() {
                Some(id) => Ok(id.to_owned()),
                None => Err("Auth0 created no export job; check that --domain is the tenant's domain".into()),
            },
            Err(status) => {
                Err(format!("Auth0 answered {status} and created no export; check --domain").into())
            }
        }
    }
}

/// Waits for the job. Returns the address of its file, or `None` when Auth0 has deleted the job.
async fn location(api: &mut Api, id: &str, context: &Context) -> Result<Option<String>, CommandError> {
    let mut wait = POLL_AFTER.0;
    let began = context.clock.steady();
    loop {
        if context.clock.steady().duration_since(began).unsigned_abs() > LONGEST_JOB {
            return Err(format!(
                "Auth0 did not finish the export {id} within a day; check --domain, then request another with --restart"
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
                    None => Err(format!(
                        "Auth0 gives no address for the export {id}; request another with --restart"
                    )
                    .into()),
                };
            }
            Some("failed" | "expired") => {
                return Err(format!("the export {id} failed at Auth0; request another with --restart").into());
            }
            _ => {}
        }
        context.stop.unless(context.clock.sleep(wait)).await?;
        wait = wait.mul_f64(1.5).min(POLL_AFTER.1);
    }
}
