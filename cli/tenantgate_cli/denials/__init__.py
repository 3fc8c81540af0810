"""Denials and their reasons in words."""
