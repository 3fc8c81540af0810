"""The kinds of API that the gateway serves."""
