"""PostgreSQL and Valkey on a developer's machine."""
