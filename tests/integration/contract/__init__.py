"""What schemathesis is told of the service: its settings and hooks."""
