"""Find what is missing from an endpoint or a domain: `python -m tenantgate_cli.checks.structure [ROOT]`.

An endpoint is known to its folder, the template, the rules, the budgets and the tests; a domain to its package, the
contracts of import-linter, the blocks of error numbers, the migrations and the tests. Each check compares two of these,
so that removing either is noticed. The checks read files only: they also work on a tree that can't be imported.
"""
