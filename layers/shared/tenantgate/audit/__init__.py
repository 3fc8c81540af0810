"""The audit trail: each act with its time, user, resource and outcome; append-only in PostgreSQL (HIPAA 164.312(b))."""
