"""Mutation testing of the security core: `python -m mutation --help`, or `make mutate`.

Each mutant is one small change to the source of one module. A test that fails kills it; a mutant that survives shows a
line that no test holds. Nothing here ships.
"""
