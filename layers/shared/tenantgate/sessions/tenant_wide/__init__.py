"""All sessions of a tenant at once, a page in each unit of work."""
