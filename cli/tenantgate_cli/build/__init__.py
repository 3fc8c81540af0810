"""Build the deployment: SAM CLI, and the key sets of the bundle."""
