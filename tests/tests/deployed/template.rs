//! The template.

use std::process::Command;

use end_to_end::tools;

#[test]
fn the_template_is_what_cloudformation_takes() {
    let output = Command::new(tools::program("cfn-lint"))
        .arg("template.yaml")
        .current_dir(tools::root())
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
