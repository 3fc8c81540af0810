"""The checks before a deployment: `tenantgate doctor --template`. Each module has one part; `registry` lists them."""
