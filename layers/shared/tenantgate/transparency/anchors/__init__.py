"""Anchors: objects outside the database, which nothing replaces."""
