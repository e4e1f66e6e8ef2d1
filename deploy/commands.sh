# What the pages on AWS use of the AWS CLI, for bash and zsh: `stack=segue; . deploy/commands.sh`

# zsh takes comments behind commands for words, unless it is told so.
[ -z "${ZSH_VERSION-}" ] || setopt interactive_comments

# What AWS calls a resource of the template.
resource() {
  aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id "$1" \
    --query StackResourceDetail.PhysicalResourceId --output text
}

# An output of the stack.
output() {
  aws cloudformation describe-stacks --stack-name "$stack" \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}

# The ARN of a queue.
arn() {
  aws sqs get-queue-attributes --queue-url "$(resource "$1")" --attribute-names QueueArn \
    --query Attributes.QueueArn --output text
}

# How many messages a queue has: visible, being delivered, delayed.
waiting() {
  aws sqs get-queue-attributes --queue-url "$(resource "$1")" --attribute-names ApproximateNumberOfMessages \
    ApproximateNumberOfMessagesNotVisible ApproximateNumberOfMessagesDelayed --query Attributes
}

# Why up to ten messages are in a dead-letter queue. They stay there, hidden for 30 s.
dead() {
  aws sqs receive-message --queue-url "$(resource "$1")" --max-number-of-messages 10 --visibility-timeout 30 \
    --message-attribute-names All --output text --query 'Messages[].[MessageAttributes.failedAt.StringValue,
      MessageAttributes.failure.StringValue, MessageAttributes.webhook.StringValue, MessageAttributes.reason.StringValue]'
}

# The warnings and errors of a function in the last hour. moto shows all lines.
warnings() {
  aws logs filter-log-events --log-group-name "$(resource "$1LogGroup")" --start-time "$(($(date +%s) - 3600))000" \
    --filter-pattern '{ $.level = "WARN" || $.level = "ERROR" }' --query 'events[].[message]' --output text
}
