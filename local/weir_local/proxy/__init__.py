"""The proxy in front of DynamoDB, SQS and S3: where a function's calls can be made to go wrong."""
