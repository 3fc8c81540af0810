"""The deployment to AWS: `make deploy`. Each module has one step."""
