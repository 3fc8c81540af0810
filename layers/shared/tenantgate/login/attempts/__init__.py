"""A sign-in attempt: its sealed cookie, and its redirect targets."""
