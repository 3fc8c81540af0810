"""`tenantgate new`: write an endpoint or a domain, with everything that knows it. The texts are in `texts/`."""
