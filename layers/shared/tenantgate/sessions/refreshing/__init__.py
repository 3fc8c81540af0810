"""The refresh of a session: a new secret and a new access token, once for all who ask at the same time."""
