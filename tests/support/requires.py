"""Marks for tests that need a program which `make test` doesn't install: they skip with the reason and the mend."""

import shutil

import pytest

# Program → Debian's package; read by the closing line of the test run.
SYSTEM_PACKAGES = {"node": "nodejs", "npm": "npm", "chromium": "chromium"}

MISSING = tuple(program for program in SYSTEM_PACKAGES if shutil.which(program) is None)


def _requires(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if program in MISSING]
    return pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)} on PATH")


requires_node = _requires("node", "npm")
requires_chromium = _requires("chromium")
