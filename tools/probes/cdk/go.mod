module probe

go 1.22

require github.com/cdk-team/CDK v1.0.6
