"""The audit trail: what happened, to which resource, by whom; append-only in the database (HIPAA 164.312(b))."""
