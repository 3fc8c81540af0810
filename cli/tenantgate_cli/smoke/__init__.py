"""The smoke test of a deployed URL: `tenantgate smoke`. Each module has one check; `registry` lists them."""
