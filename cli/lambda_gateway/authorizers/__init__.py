"""Lambda authorizers: identity sources, results, IAM policies, cache."""
