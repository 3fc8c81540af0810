"""A restore drill: lose a database that is in use, restore it on another server, and prove that it works."""
