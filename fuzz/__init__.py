"""Fuzzing of what takes bytes from strangers: `python -m fuzz --help`, or `make fuzz`.

`differential` mutates valid tokens and holds the verifier against PyJWT and joserfc; `targets` are coverage-guided
(atheris) entry points with properties of their own. Nothing here ships.
"""
