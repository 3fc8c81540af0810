"""Valkey (or Redis): one client per event loop, with time limits."""
