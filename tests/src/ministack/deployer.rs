//! A user who deploys and is not an administrator.

use super::{Ministack, Release, emulator::administrator};
use crate::tools;

impl Ministack {
    /// Makes programs act as a user with only the permissions in these files of the project. ministack checks
    /// the calls of SAM and the AWS CLI, but lets CloudFormation do everything.
    pub async fn act_with(&mut self, policies: &[&str]) {
        self.aws(&["iam", "create-user", "--user-name", "deployer"]).await;
        for (number, policy) in policies.iter().enumerate() {
            let document = format!("file://{}", tools::root().join(policy).display());
            let name = format!("policy-{number}");
            let policy = ["iam", "create-policy", "--policy-name", &name, "--policy-document", &document];
            let created = self.aws(&policy).await;
            let arn = created["Policy"]["Arn"].as_str().unwrap();
            self.aws(&["iam", "attach-user-policy", "--user-name", "deployer", "--policy-arn", arn]).await;
        }
        let key = self.aws(&["iam", "create-access-key", "--user-name", "deployer"]).await;
        let text = |name: &str| key["AccessKey"][name].as_str().unwrap().to_owned();
        self.credentials = (text("AccessKeyId"), text("SecretAccessKey"));
    }

    /// Lets that user upload without TLS, which this emulator does not have: SAM's own bucket refuses it.
    pub async fn make_bucket(&mut self, release: &Release) {
        let refused = self.try_deploy("segue", release, &[]).await.err().unwrap();
        assert!(refused.contains("PutObject") && refused.contains("explicit deny"), "{refused}");
        let user = std::mem::replace(&mut self.credentials, administrator());
        let stack =
            ["cloudformation", "describe-stack-resource", "--stack-name", "aws-sam-cli-managed-default"];
        let bucket = ["--logical-resource-id", "SamCliSourceBucket"];
        let bucket = self.aws(&[&stack[..], &bucket].concat()).await;
        let bucket = bucket["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap();
        self.aws(&["s3api", "delete-bucket-policy", "--bucket", bucket]).await;
        self.credentials = user;
    }
}
