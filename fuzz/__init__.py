"""Fuzzing of everything that reads untrusted input: `python -m fuzz --help`, or `make fuzz`.

`differential` mutates valid tokens and compares the verifier with PyJWT and joserfc; `targets` are coverage-guided
(atheris) entry points, each with its own properties. Nothing here ships.
"""
