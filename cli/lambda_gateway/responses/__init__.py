"""Responses to the client."""
