"""The end of sessions by the names that the provider gives them (OpenID Connect Back-Channel Logout 1.0)."""
