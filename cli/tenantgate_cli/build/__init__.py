"""What `make build` runs: SAM CLI, and the key sets that go into the bundle."""
