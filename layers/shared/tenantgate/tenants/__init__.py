"""The registry of tenants: their status, session policy and allowed issuers."""
