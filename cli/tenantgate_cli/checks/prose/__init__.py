"""The plain-English check: `python -m tenantgate_cli.checks.prose` finds what no native engineer would write.

`words.toml` holds the patterns, `allowed.toml` the exceptions with their reasons.
"""
