//! Runs `make deploy` as a user does in a clone.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use serde_json::{Value, json};

use super::{Deployment, Ministack, Release};
use crate::tools;

/// Replaces `sam`: `sam build` has already built the artifacts; other commands are passed on.
const SAM: &str = r#"#!/bin/sh
[ "$1" = build ] && exit
HOME="$TMPDIR" exec PROGRAM "$@"
"#;

impl Ministack {
    /// Creates a stack or updates it.
    ///
    /// # Panics
    /// When SAM or CloudFormation refuses, or the stack is rolled back.
    pub async fn deploy(
        &self,
        stack: &str,
        release: &Release,
        parameters: &[(&str, &str)],
    ) -> Deployment<'_> {
        self.try_deploy(stack, release, parameters).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Creates a stack or updates it.
    ///
    /// # Errors
    /// The words of SAM or CloudFormation, or the cause of the rollback.
    pub async fn try_deploy(
        &self,
        stack: &str,
        release: &Release,
        parameters: &[(&str, &str)],
    ) -> Result<Deployment<'_>, String> {
        let lines = given(release, parameters);
        let lines = lines.as_object().unwrap().iter().map(|(name, value)| format!("{name}: {value}\n"));
        let file = self.parameters_file(stack);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, lines.collect::<String>()).unwrap();
        self.make_deploy(stack, release, parameters).await
    }

    /// Creates or updates a stack with the existing file of parameters, or without one. The file must contain
    /// these parameters.
    ///
    /// # Errors
    /// The words of make, SAM or CloudFormation, or the cause of the rollback.
    pub async fn make_deploy(
        &self,
        stack: &str,
        release: &Release,
        parameters: &[(&str, &str)],
    ) -> Result<Deployment<'_>, String> {
        let clone = self.clone_folder();
        let build = clone.join(".aws-sam/build");
        fs::create_dir_all(&build).unwrap();
        for name in ["Makefile", "samconfig.toml", "deploy"] {
            if !clone.join(name).exists() {
                symlink(tools::root().join(name), clone.join(name)).unwrap();
            }
        }
        fs::copy(release.source(), clone.join("template.yaml")).unwrap();
        let template = release.write(self.folder(), &given(release, parameters));
        // JSON is YAML too.
        fs::write(build.join("template.yaml"), template.to_string()).unwrap();

        let programs = self.folder().join("programs");
        fs::create_dir_all(&programs).unwrap();
        let sam = programs.join("sam");
        fs::write(&sam, SAM.replace("PROGRAM", tools::program("sam").to_str().unwrap())).unwrap();
        fs::set_permissions(&sam, fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let installed = tools::program("aws").parent().unwrap().display().to_string();

        let mut make = self.command("make");
        make.args(["deploy", &format!("STACK={stack}")]).current_dir(&clone);
        make.env("PATH", format!("{}:{installed}:{path}", programs.display()));
        // For other goals, make asks cargo and rustup.
        make.env("HOME", std::env::var_os("HOME").unwrap_or_default()).env("RUSTUP_AUTO_INSTALL", "0");
        self.output_of(make).await?;
        Ok(self.deployment(stack).await)
    }

    /// Returns the file of a stack's parameters, which git ignores.
    pub fn parameters_file(&self, stack: &str) -> PathBuf {
        let other = if stack == "segue" { String::new() } else { format!("-{stack}") };
        self.clone_folder().join(format!("parameters{other}.yaml"))
    }

    /// Deletes a stack.
    pub async fn delete(&self, stack: &str) {
        self.aws(&["cloudformation", "delete-stack", "--stack-name", stack]).await;
        self.aws(&["cloudformation", "wait", "stack-delete-complete", "--stack-name", stack]).await;
    }

    /// Returns the stack as it is now.
    pub async fn deployment(&self, stack: &str) -> Deployment<'_> {
        Deployment::of(self, stack).await
    }

    fn clone_folder(&self) -> PathBuf {
        self.folder().join("clone")
    }
}

/// Returns all given parameters.
fn given(release: &Release, parameters: &[(&str, &str)]) -> Value {
    let mut given = json!({"Architecture": release.architecture()});
    for (name, value) in parameters {
        given[*name] = (*value).into();
    }
    given
}
