//! Amazon SNS, SQS and Secrets Manager.
