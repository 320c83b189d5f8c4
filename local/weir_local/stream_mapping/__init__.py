"""The stand-in for Lambda's poller: reads a DynamoDB stream and invokes a function."""
