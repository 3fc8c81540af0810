"""Limits on the number of requests: counted in Valkey for all processes, or in this process while Valkey is away."""
