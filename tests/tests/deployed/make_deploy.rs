//! `make deploy`: the parameters of a stack, and mistakes in them.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use end_to_end::tools;
use serde_json::Value;
use tempfile::TempDir;

/// Replaces the AWS CLI. It knows only the stack `shop`.
const AWS: &str = r#"#!/bin/sh
if [ -n "$FAULT" ]; then echo "$FAULT" >&2; exit 255; fi
case "$*" in
sts*) echo 123456789012 ;;
*"--stack-name shop "*) printf '[\n    [\n        "ScheduleProperties",\n        "{\\"a\\":\\"b \\\\\\" c\\"}"\n    ]\n]\n' ;;
*) echo "An error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id segue does not exist" >&2; exit 254 ;;
esac
"#;

/// Replaces the SAM CLI.
const SAM: &str = "#!/bin/sh\necho \"sam $*\"\n";

/// Reads the given files with SAM's own code.
const READ: &str = "
import json, sys
from samcli.cli.types import CfnParameterOverridesType
print(json.dumps(CfnParameterOverridesType().convert(tuple('file://' + name for name in sys.argv[1:]), None, None)))
";

/// A clone of the files that `make deploy` needs, in a folder with a space in its name.
struct Clone {
    folder: TempDir,
}

impl Clone {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("a clone").tempdir().unwrap();
        fs::create_dir_all(folder.path().join("deploy")).unwrap();
        for file in ["Makefile", "template.yaml", "deploy/parameters.awk"] {
            fs::copy(tools::root().join(file), folder.path().join(file)).unwrap();
        }
        for (name, script) in [("aws", AWS), ("sam", SAM)] {
            let path = folder.path().join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn make(&self, arguments: &[&str], fault: &str) -> Output {
        let path = format!("{}:{}", self.folder.path().display(), env::var("PATH").unwrap());
        let mut command = Command::new("make");
        command.args(arguments).current_dir(self.folder.path()).env("PATH", path).env("FAULT", fault);
        // A test that make started would pass on its own flags.
        command.env_remove("MAKEFLAGS").env_remove("STACK").env_remove("PARAMETERS").output().unwrap()
    }

    fn holds(&self, file: &str) -> bool {
        self.folder.path().join(file).exists()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// Returns the parameters as SAM reads them.
    fn read(&self, file: &str) -> Value {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        serde_json::from_str(&tools::python(READ, &[&path(".aws-sam/defaults.yaml"), &path(file)], ""))
            .unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_stack_gets_its_own_parameters_and_not_those_of_another() {
    let clone = Clone::new();
    let new = clone.make(&["deploy"], "");
    assert!(!new.status.success() && clone.holds("parameters.yaml"), "{new:?}");
    assert!(text(&new.stdout).contains("with the defaults"), "{new:?}");
    let known = clone.make(&["deploy", "STACK=shop"], "");
    assert!(
        !known.status.success() && text(&known.stdout).contains("with the values of the stack shop"),
        "{known:?}"
    );
    let deployed = clone.make(&["deploy", "STACK=shop"], "");
    let expected = "sam deploy --stack-name shop --parameter-overrides file://.aws-sam/defaults.yaml file://parameters-shop.yaml";
    assert!(deployed.status.success() && text(&deployed.stdout).contains(expected), "{deployed:?}");
    let announced = "Deploying parameters-shop.yaml as the stack shop, in the region ";
    assert!(text(&deployed.stdout).contains(announced), "{deployed:?}");
    assert!(text(&deployed.stdout).contains(" of the account 123456789012."), "{deployed:?}");
    let parameters = clone.read("parameters-shop.yaml");
    assert_eq!(parameters["ScheduleProperties"], r#"{"a":"b \" c"}"#);
    assert_eq!(parameters["WebhooksEnabled"], "false");
}

#[test]
fn a_stack_that_cannot_be_described_is_not_taken_for_a_missing_one() {
    let clone = Clone::new();
    for fault in ["The specified sso-session does not exist: \"work\"", "Unable to locate credentials"] {
        let made = clone.make(&["deploy"], fault);
        assert!(!made.status.success() && text(&made.stderr).contains(fault), "{made:?}");
        assert!(!clone.holds("parameters.yaml"), "{fault}");
    }
}

#[test]
fn lines_that_sam_would_silently_misread_are_refused_with_their_numbers() {
    let clone = Clone::new();
    for (file, expected) in [
        ("TenantWriteKeys: {\"shop\": \"key\"}\n", "1: put the value of TenantWriteKeys in single quotes"),
        ("# mine\nWebhooksEnabled: True\n", "2: put the value of WebhooksEnabled in quotes"),
        (
            "  WebhookEnabled: \"true\"\n",
            "1: start the line with the name of a parameter, in the first column",
        ),
        ("WebhookEnabled: \"true\"\n", "1: the template has no parameter WebhookEnabled"),
        ("WebhooksEnabled: \"yes\"\n", "1: WebhooksEnabled must be one of [\"true\", \"false\"]"),
        ("RegulationType: DELETE\n", "1: RegulationType must be one of DELETE_ONLY, "),
        ("AlarmEmail:a@example.com\n", "1: put a space after the colon"),
        ("AlarmEmail: a@example.com\nAlarmEmail: b@example.com\n", "2: AlarmEmail is set twice"),
    ] {
        clone.write("parameters.yaml", file);
        let made = clone.make(&["deploy"], "");
        assert!(!made.status.success() && text(&made.stderr).contains(expected), "{file}: {made:?}");
    }
    for file in [
        "",
        "---\n# nothing\n",
        "SubnetIds:\n- a\n- b\n",
        "LogRetentionDays: 90 # days\nRegulationType: 'SUPPRESS_ONLY'\n",
        "SubnetIds: [a, b]\r\n\r\n",
    ] {
        clone.write("parameters.yaml", file);
        let made = clone.make(&["deploy"], "");
        assert!(made.status.success(), "{file}: {made:?}");
    }
    assert_eq!(clone.read("parameters.yaml")["SubnetIds"], "a,b");
}
