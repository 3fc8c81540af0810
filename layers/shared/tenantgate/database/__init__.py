"""PostgreSQL: connections, units of work, migrations."""
