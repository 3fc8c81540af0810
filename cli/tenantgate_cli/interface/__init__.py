"""The commands and their options. Each command imports its module when it runs, so that `--help` is fast."""
