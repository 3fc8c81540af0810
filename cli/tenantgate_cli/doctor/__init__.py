"""The checks of a running configuration: `tenantgate doctor`. Each module has one part; `registry` lists the checks."""
