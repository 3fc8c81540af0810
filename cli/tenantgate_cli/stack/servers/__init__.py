"""PostgreSQL on a developer's machine."""
