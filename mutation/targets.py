"""The modules that are mutated, and the tests that may kill their mutants."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYER = "layers/shared"

# Globs, from the top of the tree.
TARGETS = (
    f"{LAYER}/tenantgate/tokens/*.py",
    f"{LAYER}/tenantgate/identity/*.py",
    f"{LAYER}/tenantgate/valkey_reader/*.py",
    f"{LAYER}/tenantgate/route_rules/*.py",
    f"{LAYER}/tenantgate/authorizer/*.py",
    f"{LAYER}/tenantgate/crypto/*.py",
    f"{LAYER}/tenantgate/revoked/*.py",
    f"{LAYER}/tenantgate/revocation/service.py",
    f"{LAYER}/tenantgate/revocation/tasks.py",
    f"{LAYER}/tenantgate/signals/models.py",
    f"{LAYER}/tenantgate/signals/service.py",
    f"{LAYER}/tenantgate/sessions/service.py",
    f"{LAYER}/tenantgate/login/service/login.py",
    f"{LAYER}/tenantgate/login/attempts/transactions.py",
    f"{LAYER}/tenantgate/login/attempts/redirects.py",
)

# The tests that run before the mutants, to record their lines. Only these tests can kill a mutant.
TESTS = (
    "tests/unit/test_figures.py",
    "tests/unit/tokens",
    "tests/unit/identity",
    "tests/unit/valkey_reader",
    "tests/unit/route_rules",
    "tests/unit/authorizer",
    "tests/unit/revoked",
    "tests/unit/revocation",
    "tests/unit/signals",
    "tests/unit/functions",
    "tests/unit/crypto",
    "tests/unit/sessions",
    "tests/unit/login",
    "tests/unit/web",
    "tests/unit/tenantgate_cli/checks",
    "tests/security",
    "tests/functional/authorizer",
    "tests/functional/jwks",
)

# Parts of the ids of tests that don't take part: they are slow, and check the targets only in other processes or not at
# all. Tests that are marked as timed don't take part either: other work on the machine would make them fail.
LEFT_OUT = (
    "tests/functional/jwks/test_freeze.py",
    "test_log_canary.py",
    "test_redaction_properties.py",
)


def modules(patterns: tuple[str, ...] = TARGETS, root: Path = ROOT) -> dict[str, Path]:
    """Return the path of each module that the patterns name; raise ValueError for a pattern without a module."""
    found: dict[str, Path] = {}
    for pattern in patterns:
        paths = sorted(path for path in root.glob(pattern) if path.stat().st_size)
        if not paths:
            raise ValueError(f"no module at {pattern}")
        for path in paths:
            parts = path.relative_to(root).with_suffix("").parts
            package = parts[len(Path(LAYER).parts) :] if path.is_relative_to(root / LAYER) else parts
            found[".".join(package).removesuffix(".__init__")] = path
    return found
