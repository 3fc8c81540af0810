"""Lambda authorizers."""
