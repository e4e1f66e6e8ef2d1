# Shell functions around the AWS CLI for the pages about AWS, in bash and zsh: `stack=segue; . deploy/commands.sh`

# By default zsh reads a comment after a command as words.
[ -z "${ZSH_VERSION-}" ] || setopt interactive_comments

# Prints the physical id of a resource of the template.
resource() {
  aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id "$1" \
    --query StackResourceDetail.PhysicalResourceId --output text
}

# Prints an output of the stack.
output() {
  aws cloudformation describe-stacks --stack-name "$stack" \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}

# Prints the ARN of a queue.
arn() {
  aws sqs get-queue-attributes --queue-url "$(resource "$1")" --attribute-names QueueArn \
    --query Attributes.QueueArn --output text
}

# Prints the number of messages in a queue: visible, in flight, delayed.
waiting() {
  aws sqs get-queue-attributes --queue-url "$(resource "$1")" --attribute-names ApproximateNumberOfMessages \
    ApproximateNumberOfMessagesNotVisible ApproximateNumberOfMessagesDelayed --query Attributes
}

# Prints the reasons of up to ten messages in a dead-letter queue. They stay there, hidden for 30 s.
dead() {
  aws sqs receive-message --queue-url "$(resource "$1")" --max-number-of-messages 10 --visibility-timeout 30 \
    --message-attribute-names All --output text --query 'Messages[].[MessageAttributes.failedAt.StringValue,
      MessageAttributes.failure.StringValue, MessageAttributes.webhook.StringValue, MessageAttributes.reason.StringValue]'
}

# Prints the warnings and errors of a function in the last hour. With moto it prints all lines.
warnings() {
  aws logs filter-log-events --log-group-name "$(resource "$1LogGroup")" --start-time "$(($(date +%s) - 3600))000" \
    --filter-pattern '{ $.level = "WARN" || $.level = "ERROR" }' --query 'events[].[message]' --output text
}
