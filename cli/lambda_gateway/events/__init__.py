"""Requests, and the events that API Gateway sends to functions."""
