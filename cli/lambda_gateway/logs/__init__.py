"""Subscriptions of functions to the lines that other functions write, as CloudWatch Logs delivers them."""
