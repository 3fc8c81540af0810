"""Servers that run on a developer's machine beside the functions."""
