//! A template with the functions from `sam build`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::workarounds;
use crate::{binaries::artifacts, template, tools};

/// A template with its functions.
#[derive(Clone)]
pub struct Release {
    template: Value,
    /// The path of the original template.
    source: PathBuf,
    artifacts: PathBuf,
    /// The functions whose code differs from the build.
    changed: BTreeSet<String>,
}

impl Release {
    /// Returns the functions from `sam build`, if they exist: `cargo test` alone builds nothing for Lambda.
    pub fn built() -> Option<Self> {
        let artifacts = artifacts()?;
        let template = template::read(&artifacts.join("template.yaml"));
        let source = tools::root().join("template.yaml");
        Some(Self { template, source, artifacts, changed: BTreeSet::new() })
    }

    /// Returns the same functions with another template, by its path in the project.
    #[must_use]
    pub fn with_template(&self, path: &str) -> Self {
        let source = tools::root().join(path);
        Self { template: template::read(&source), source, ..self.clone() }
    }

    /// Returns the same with changed code of a function.
    #[must_use]
    pub fn with_new_code(mut self, function: &str) -> Self {
        self.changed.insert(function.to_owned());
        self
    }

    /// Returns the same with an edited template.
    #[must_use]
    pub fn edited(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.template);
        self
    }

    /// Returns the processor that it is built for.
    pub fn architecture(&self) -> &str {
        self.artifacts.file_name().unwrap().to_str().unwrap()
    }

    pub(super) fn source(&self) -> &Path {
        &self.source
    }

    /// Writes the changed code into the folder. Returns the template that `sam deploy` gets for these
    /// parameters.
    pub(super) fn write(&self, folder: &Path, parameters: &Value) -> Value {
        let mut template = self.template.clone();
        for (name, resource) in template["Resources"].as_object_mut().unwrap() {
            if resource["Type"] == "AWS::Serverless::Function" {
                let code = self.code(name, folder);
                resource["Properties"]["CodeUri"] = code.to_str().unwrap().into();
            }
        }
        let listing = &mut template["Metadata"]["AWS::ServerlessRepo::Application"];
        for (name, file) in [("LicenseUrl", "LICENSE-MIT"), ("ReadmeUrl", "README.md")] {
            listing[name] = tools::root().join(file).to_str().unwrap().into();
        }
        workarounds::apply(&mut template, parameters);
        template
    }

    /// Returns the folder with a function's code.
    fn code(&self, function: &str, folder: &Path) -> PathBuf {
        let built = self.artifacts.join(function);
        if !self.changed.contains(function) {
            return built;
        }
        let changed = folder.join("code").join(function);
        fs::create_dir_all(&changed).unwrap();
        fs::copy(built.join("bootstrap"), changed.join("bootstrap")).unwrap();
        fs::write(changed.join("changed"), "").unwrap();
        changed
    }
}
