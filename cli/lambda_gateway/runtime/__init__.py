"""Functions, their processes, and Lambda's Runtime API."""
