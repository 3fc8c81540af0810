"""The store of sessions: its interface, its rows, and the audit events that it records."""
