"""The OpenID provider: its metadata, and requests to its endpoints."""
