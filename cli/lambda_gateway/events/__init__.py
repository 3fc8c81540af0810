"""Requests, and the events that functions and authorizers receive."""
