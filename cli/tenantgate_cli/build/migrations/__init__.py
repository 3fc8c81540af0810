"""Lint the SQL of each migration with squawk, up and down: locks, rewrites, and changes that the running release sees.

squawk reads statements, not the bodies of functions and `DO` blocks, nor the functions that a migration calls.
"""
