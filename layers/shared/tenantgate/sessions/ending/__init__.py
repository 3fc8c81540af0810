"""The end of sessions as revocations: of the sessions, and of the access tokens that their clients got."""
