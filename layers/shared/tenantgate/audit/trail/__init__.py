"""Reading the audit trail: the API's pages, and the rows of `tenantgate audit tail` and `export`."""
